import { add, mul, sub } from '../expressions/elementwise.js'
import { Recurrent, type StepOfGates } from './base/recurrent.js'
import type { GatedOptions } from './base/recurrent-options.js'
import type { KerasArray } from './base/variable.js'

/** Options of {@link GRU}. */
export interface GRUOptions extends GatedOptions {
  /**
   * Applies the reset gate after the recurrent product, with a bias of its own, as cuDNN and
   * PyTorch do. Not in Keras 1.2.2: a file with it cannot be read there. Default `false`.
   */
  resetAfter?: boolean
}

/**
 * Gated recurrent unit: `z, r = innerActivation(…)`, `g = activation(x·W_h + b_h + (r·h)·U_h)`, `h'
 * = z·h + (1 - z)·g`.
 *
 * [B, T, D] → [B, H], or [B, T, H] with `returnSequences`. Supports masks. Weights: W_z [D, H], U_z
 * [H, H], b_z [H], then the same of r, h; with `consumeLess: 'gpu'` W [D, 3H], U [H, 3H], b [3H].
 * With `resetAfter` each bias is followed by the recurrent bias c.
 * @param outputDim H, the number of units
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` when
 *   added after a layer whose output is not [B, T, D]
 * @example
 * const model = new Sequential([new GRU(16, { inputDim: 1 })])
 * model.outputShape // [null, 16]
 * @see keras.layers.GRU. Unlike there, `innerInit` and `URegularizer` act in every `consumeLess`
 *   mode, as documented.
 */
export class GRU extends Recurrent<GRUOptions> {
  static override readonly className = 'GRU'
  static override readonly defaults = {
    ...Recurrent.defaults,
    innerActivation: 'hard_sigmoid',
    resetAfter: false,
  }
  protected readonly gates = ['z', 'r', 'g']
  protected readonly kerasGates = [
    ['z', 'z'],
    ['r', 'r'],
    ['g', 'h'],
  ] as const

  protected step({ states, activate, input, recurrent }: StepOfGates) {
    const { activation: act, innerActivation: inner, resetAfter } = this.options
    const h = states.h!
    const z = activate(input('z').add(recurrent(h, 'z')), inner)
    const r = activate(input('r').add(recurrent(h, 'r')), inner)
    const back = resetAfter ? mul(r, recurrent(h, 'g')) : recurrent(mul(r, h), 'g')
    const g = activate(input('g').add(back), act)
    return { h: add(mul(z, h), mul(sub(1, z), g)) }
  }

  protected get cell(): string {
    return this.options.resetAfter ? 'gru_reset_after' : 'gru'
  }

  protected override get biases(): readonly string[] {
    return this.options.resetAfter ? ['b', 'c'] : ['b']
  }

  /** @internal Keras 2 has both biases of `reset_after` in one array [2, 3H]. */
  override fusedArrays(): (readonly KerasArray[])[] {
    const [W, U, ...rest] = super.fusedArrays() as [KerasArray[], KerasArray[], ...KerasArray[][]]
    const isBias = ([array]: KerasArray[]) => this.biases.includes(array!.variable.param)
    const biases = rest.filter(isBias).flat()
    return [
      W,
      U,
      ...(biases.length > 0 ? [biases] : []),
      ...rest.filter((arrays) => !isBias(arrays)),
    ]
  }

  protected override savedOptions(): Record<string, unknown> {
    const { resetAfter, ...keras } = super.savedOptions()
    return resetAfter ? { ...keras, resetAfter } : keras
  }
}
