/** Options of recurrent layers. */
import type { ActivationLike } from '../../activations.js'
import type { Init } from '../../initializations.js'
import type { TensorLike } from '../../ndarray.js'
import type { RegularizerLike } from '../../regularizers.js'
import type { LayerOptions } from './layer-options.js'

/** Options of every recurrent layer. */
export interface RecurrentOptions extends LayerOptions {
  /** Initial input weights, per gate. Default `'glorot_uniform'`. */
  init?: Init
  /** Initial recurrent weights, per gate, in every `consumeLess` mode. Default `'orthogonal'`. */
  innerInit?: Init
  /** A name, or a function: then the layer runs as one of `defineCell`. Default `'tanh'`. */
  activation?: ActivationLike
  /** Penalty on the input weights. Default none. */
  WRegularizer?: RegularizerLike
  /** Penalty on the recurrent weights, in every `consumeLess` mode. Default none. */
  URegularizer?: RegularizerLike
  /** Penalty on the biases. Default none. */
  bRegularizer?: RegularizerLike
  /** Share of the inputs dropped in training, one mask for all steps. 0 to 1, default 0. */
  dropoutW?: number
  /**
   * Share of the recurrent connections dropped in training, one mask for all steps.
   * 0 to 1, default 0.
   */
  dropoutU?: number
  /** Output of every step instead of the last alone. Default `false`. */
  returnSequences?: boolean
  /** Reads from the last step to the first; output in the order of processing. Default `false`. */
  goBackwards?: boolean
  /**
   * A batch begins with the states that the one before left; needs the batch size in
   * `batchInputShape`. Default `false`.
   */
  stateful?: boolean
  /** Kept for files; needs a known length and changes no result. Default `false`. */
  unroll?: boolean
  /**
   * `'gpu'`: one array for all gates in `getWeights()`,
   * one dropout mask for all gates. Default `'cpu'`.
   */
  consumeLess?: 'cpu' | 'mem' | 'gpu'
  /**
   * Truncated back-propagation through time: no gradient goes from step k, 2k, … (counted in the
   * order of processing) to the step before, as if the states there were constants; outputs stay
   * what they are. Theano's `truncate_gradient: k` is another thing: it goes through the last k
   * steps alone. Not in Keras 1.2.2: a file with it cannot be read there. Default `null`: gradients
   * go through all steps.
   */
  truncate?: number | null
  /**
   * Memory against time: keeps what training needs of k steps only and makes the rest again,
   * segment by segment; `'auto'`: about √T steps, so that it grows with √T. The results have the
   * same bits; a training step takes up to a third longer. Not in Keras 1.2.2: a file with it
   * cannot be read there. Default `null`: all steps are kept.
   */
  checkpoint?: 'auto' | number | null
  /**
   * Whether there are biases. Not in Keras 1.2.2:
   * a file with `false` cannot be read there. Default `true`.
   */
  bias?: boolean
  /**
   * The states before the first step. `'learned'`: parameters h0 [H], and of an LSTM c0 [H], the
   * same for all samples; zeros at first, then trained by back-propagation through time. A sample
   * whose steps are all masked gives h0. Not with `stateful`. Not in Keras 1.2.2: a file with it
   * cannot be read there. Default `'zero'`.
   */
  initialState?: 'zero' | 'learned'
  /**
   * Zoneout (Krueger et al. 2016, arXiv:1606.01305): the share of units whose state stays as it
   * was, drawn for each step of training; outside of training a state is the expected value. One
   * number for every state, or one each: `{ h: 0.05, c: 0.5 }`. The layer then runs as a cell of
   * `defineCell` does. Not in Keras 1.2.2: a file with it cannot be read there. 0 to 1, default 0.
   */
  zoneout?: number | Readonly<Record<string, number>>
  /**
   * Whether masked steps of the output sequence are 0, as Keras 2 and 3 can have it, and as their
   * Bidirectional has it. With a mask it needs `returnSequences`. Not in Keras 1.2.2: a file with
   * it cannot be read there. Default `false`: a masked step repeats the output before it.
   */
  zeroOutputForMask?: boolean
  /** D, for a first layer. Default `null`. */
  inputDim?: number | null
  /** T, for a first layer with `inputDim`. Default `null`: any. */
  inputLength?: number | null
  /** Initial values, as `getWeights()` orders them. */
  weights?: readonly TensorLike[] | null
}

/** Options of recurrent layers with gates. */
export interface GatedOptions extends RecurrentOptions {
  /** Activation of the gates, as `activation`. Default `'hard_sigmoid'`. */
  innerActivation?: ActivationLike
}
