import { ConfigError, fail } from '../errors.js'
import { applied } from '../expressions/applied.js'
import { type ExpressionData, toData } from '../expressions/data.js'
import { type Expr, Placeholder } from '../expressions/expr.js'
import type { Graph, Shape, Value } from '../spec.js'
import { type ExpressionFunction, Written } from '../written.js'
import { addValue, dimsOf, shapeOf } from './base/expression-ops.js'
import { Layer, type LayerOptions } from './base/layer.js'

/** What a {@link Lambda} does with its input, [B, …], written with `hiddenstate/backend`. */
export type LambdaFunction = (x: Expr) => Expr | number

/**
 * An expression of the input as a layer, without weights: [B, …] → what the function gives, with
 * the batch as its first axis.
 *
 * The function is called when shapes are asked for and never while a batch runs; it is written with
 * the ops of `hiddenstate/backend`. Files keep what it computes as data, and run no code. Takes no
 * mask.
 * @param function gets the input as an expression, gives the output
 * @throws ConfigError `ERR_OPTION` for what is no function; ShapeError `ERR_SHAPE` where shapes do
 *   not fit
 * @example
 * import { Lambda, Sequential } from 'hiddenstate'
 * import { concat, sub } from 'hiddenstate/backend'
 * // antirectifier: the sign of each number stays known
 * const both = new Lambda((x) => concat(x, sub(0, x)), { inputShape: [3] })
 * console.log(new Sequential([both]).outputShape) // [ null, 6 ]
 * @see keras.layers.Lambda
 */
export class Lambda extends Layer<LayerOptions & { function: LambdaFunction }> {
  static override readonly className = 'Lambda'
  static override readonly positional = ['function']
  static override readonly defaults: Readonly<Record<string, unknown>> = { ...Layer.defaults }

  constructor(compute: LambdaFunction, options?: LayerOptions) {
    super([compute], options)
  }

  protected override get acceptedMask(): 'pass' {
    return 'pass'
  }

  /** The function's value for an input of this shape. */
  #applied(inputShape: Shape): { x: Placeholder; y: Expr } {
    const x = new Placeholder(dimsOf(inputShape), 'x')
    const given = this.options.function as ExpressionFunction | ExpressionData
    return { x, y: applied(new Written(this.name, given), [x], this.where) }
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const { y } = this.#applied(inputShape)
    const [batch = null] = inputShape
    return [batch, ...shapeOf(y.shape).slice(1)]
  }

  protected emit(graph: Graph, value: Value): Value {
    const { x, y } = this.#applied([null, ...value.shape])
    return addValue(graph, y, new Map([[x, value]]), {
      ...this.opName(),
      where: this.where,
      params: new Map(),
      mask: { name: value.mask },
    })
  }

  protected override savedOptions(): Record<string, unknown> {
    const options = super.savedOptions()
    if (typeof options.function !== 'function') return options
    if (!this.inputShape)
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: 'layer',
        expected: 'part of a model, which gives its function an input',
        actual: 'one of no model',
      })
    const { x, y } = this.#applied(this.inputShape)
    return { ...options, function: toData({ inputs: [x], outputs: [y] }, this.where) }
  }
}
