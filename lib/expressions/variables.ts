/** Values that live between calls: parameters, and what updates change. */
import { floatx } from '../backend.js'
import { fail, ShapeError } from '../errors.js'
import { type Init, type Recipe, recipe } from '../initializations.js'
import { Variable } from '../layers/base/variable.js'
import { NDArray, shapeText, type TensorLike } from '../ndarray.js'
import { Expr } from './expr.js'

/**
 * A value that lives between calls. Updates of a {@link fn} change it; {@link grad} takes gradients
 * with respect to it. Several functions may use one.
 */
export class SharedVariable extends Expr {
  /** @internal Where the value is. */
  readonly variable: Variable
  /** @internal The precision of the value, and so of the functions that use it. */
  readonly floatx = floatx()
  /** @internal A value without axes as native code has it; null: the value has axes. */
  readonly oneNumber: Expr | null

  /** @internal */
  constructor(value: Recipe, dims: readonly number[], name: string) {
    super('shared', [], Object.freeze([...dims]), {}, name)
    // Parameters of native code must have an axis.
    this.variable = new Variable('value', dims.length > 0 ? dims : [1], value, {
      name,
      floatx: this.floatx,
    })
    this.oneNumber = dims.length > 0 ? null : new OneNumber(this)
  }

  get #dims(): readonly number[] {
    return this.shape as readonly number[]
  }

  /**
   * A copy of the value.
   *
   * @throws StateError ERR_BUSY while a call works on it
   */
  getValue(): NDArray {
    return NDArray.from(this.variable.read(), [...this.#dims])
  }

  /**
   * Sets the value.
   *
   * @param value of the same shape
   * @throws ShapeError ERR_SHAPE; StateError ERR_BUSY while a call works on it
   */
  setValue(value: TensorLike): void {
    const array = NDArray.from(value, undefined, 'float64')
    const { shape } = array
    if (shape.length !== this.ndim || shape.some((extent, axis) => extent !== this.shape[axis]))
      fail(ShapeError, 'ERR_SHAPE', {
        where: `setValue(${this.label})`,
        what: 'value',
        expected: shapeText(this.#dims),
        actual: shapeText(shape),
      })
    this.variable.write(array.data)
  }
}

/** A variable without axes as native code has it: a parameter [1]. */
export class OneNumber extends Expr {
  constructor(readonly of: SharedVariable) {
    super('shared', [], [1], {}, of.name)
  }
}

/**
 * A variable with this value, in the precision of `floatx()`.
 *
 * @param value numbers, nested to any depth, or an array; copied
 * @param name what messages call it; default 'shared'
 * @throws ShapeError ERR_SHAPE for rows of different lengths; ConfigError ERR_OPTION for what is no
 *   number
 * @example
 * import { shared } from 'hiddenstate/backend'
 * const b = shared([0, 0, 0], 'b')
 * b.setValue([1, 2, 3])
 * console.log(String(b), b.getValue().toArray()) // b [3] [ 1, 2, 3 ]
 * @see keras.backend.variable, theano.shared
 */
export function shared(value: TensorLike, name = 'shared'): SharedVariable {
  const { data, shape } = NDArray.from(value, undefined, 'float64')
  const kept = Float64Array.from(data)
  const copy: Recipe = {
    // biome-ignore lint/correctness/useYield: made in one step
    *make(precision) {
      return precision === 'float64' ? kept.slice() : Float32Array.from(kept)
    },
  }
  return new SharedVariable(copy, shape, name)
}

/**
 * A variable that begins as layers' weights do.
 *
 * @param init one of Keras' initializations, or a function of the shape; default 'glorot_uniform'
 * @example
 * import { weights } from 'hiddenstate/backend'
 * const W = weights([4, 6], 'W', 'orthogonal')
 */
export const weights = (
  shape: readonly number[],
  name = 'weights',
  init: Init = 'glorot_uniform',
): SharedVariable => new SharedVariable(recipe(init, shape), shape, name)

/** A variable of zeros. @see keras.backend.zeros */
export const zeros = (shape: readonly number[], name = 'zeros'): SharedVariable =>
  weights(shape, name, 'zero')

/** A variable of ones. @see keras.backend.ones */
export const ones = (shape: readonly number[], name = 'ones'): SharedVariable =>
  weights(shape, name, 'one')
