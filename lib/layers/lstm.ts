import { add, mul } from '../expressions/elementwise.js'
import type { Init } from '../initializations.js'
import { Recurrent, type StepOfGates } from './base/recurrent.js'
import type { GatedOptions } from './base/recurrent-options.js'

/** Options of {@link LSTM}. */
export interface LSTMOptions extends GatedOptions {
  /** Initial bias of the forget gate. Default `'one'`. */
  forgetBiasInit?: Init
}

/**
 * Long short-term memory without peepholes: `i, f, o = innerActivation(…)`, `c' = f·c +
 * i·activation(x·W_c + h·U_c + b_c)`, `h' = o·activation(c')`.
 *
 * [B, T, D] → [B, H], or [B, T, H] with `returnSequences`. Supports masks. Weights: W_i [D, H], U_i
 * [H, H], b_i [H], then the same of c, f, o; with `consumeLess: 'gpu'` W [D, 4H], U [H, 4H], b [4H]
 * in the order i, f, c, o.
 * @param outputDim H, the number of units
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` when
 *   added after a layer whose output is not [B, T, D]
 * @example
 * const model = new Sequential([new LSTM(32, { inputShape: [28, 64], returnSequences: true })])
 * model.outputShape // [null, 28, 32]
 * @see keras.layers.LSTM. Unlike there, `innerInit` and `URegularizer` act in every `consumeLess`
 *   mode, as documented.
 */
export class LSTM extends Recurrent<LSTMOptions> {
  static override readonly className = 'LSTM'
  static override readonly defaults = {
    ...Recurrent.defaults,
    forgetBiasInit: 'one',
    innerActivation: 'hard_sigmoid',
  }
  protected readonly cell = 'lstm'
  protected readonly gates = ['i', 'f', 'g', 'o']
  protected readonly kerasGates = [
    ['i', 'i'],
    ['g', 'c'],
    ['f', 'f'],
    ['o', 'o'],
  ] as const

  protected override get stateNames() {
    return ['h', 'c']
  }

  protected step({ states, activate, input, recurrent }: StepOfGates) {
    const { activation: act, innerActivation: inner } = this.options
    const [i, f, g, o] = this.gates.map((gate) => input(gate).add(recurrent(states.h!, gate)))
    const c = add(mul(activate(f!, inner), states.c!), mul(activate(i!, inner), activate(g!, act)))
    return { h: mul(activate(o!, inner), activate(c, act)), c }
  }

  protected override biasInit(gate: string): Init {
    return gate === 'f' ? this.options.forgetBiasInit : 'zero'
  }
}
