import type { ActivationName } from '../activations.js'
import { ConfigError, fail, ShapeError } from '../errors.js'
import type { Init } from '../initializations.js'
import { describe } from '../ndarray.js'
import type { RegularizerLike } from '../regularizers.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'
import { showShape } from './base/names.js'
import type { RecurrentOptions } from './base/recurrent-options.js'
import type { LayerState } from './base/states.js'
import type { KerasArray, Variable } from './base/variable.js'
import {
  type BorderMode,
  channelsLast,
  checkBorder,
  type DimOrdering,
  imageShape,
  type Places,
  placesOf,
  windowPlaces,
} from './base/windows.js'

/** What it takes as other recurrent layers do. */
type Shared =
  | 'init'
  | 'WRegularizer'
  | 'bRegularizer'
  | 'dropoutW'
  | 'dropoutU'
  | 'returnSequences'
  | 'goBackwards'
  | 'stateful'
  | 'weights'

/** Options of {@link ConvLSTM2D}. */
export interface ConvLSTM2DOptions extends LayerOptions, Pick<RecurrentOptions, Shared> {
  /** Initial U of each gate. Default `'orthogonal'`. */
  innerInit?: Init
  /** Initial bias of the forget gate. Default `'one'`. */
  forgetBiasInit?: Init
  /** Default `'tanh'`; not `'softmax'`. */
  activation?: ActivationName | null
  /** Activation of the gates. Default `'hard_sigmoid'`; not `'softmax'`. */
  innerActivation?: ActivationName | null
  /** Order of the axes after the steps, of input, output, W and U. Default `'default'`: `'tf'`. */
  dimOrdering?: DimOrdering
  /** Of the window over the input. Default `'valid'`. */
  borderMode?: Exclude<BorderMode, 'causal'>
  /**
   * Of the window over the states, where even sizes differ: `'same'` or, as in Keras 2,
   * `'same_tf'`. Default `'same'`.
   */
  innerBorderMode?: 'same' | 'same_tf'
  /** Rows and columns of the input from one window to the next. Default `[1, 1]`. */
  subsample?: readonly [number, number]
  /** Penalty on U. Default none. */
  URegularizer?: RegularizerLike
}

/** [gate as native code calls it, Keras' letter], in the order of Keras' weights. */
const GATES = [
  ['i', 'i'],
  ['g', 'c'],
  ['f', 'f'],
  ['o', 'o'],
] as const

/**
 * An LSTM whose products are convolutions:
 * the gates are `W ∗ x + U ∗ h + b`, the states images of nbFilter channels.
 *
 * [B, T, rows, columns, D] → [B, rows', columns', nbFilter], with `returnSequences` [B, T, rows',
 * columns', nbFilter]; with `dimOrdering: 'th'` the channels stand before the rows. Supports masks
 * [B, T]; there is no `zoneout`. Kernels are flipped, as on Theano. Weights: W_i [nbRow, nbCol, D,
 * nbFilter], U_i [nbRow, nbCol, nbFilter, nbFilter], b_i [nbFilter], then the same of c, f, o; with
 * `'th'` [nbFilter, D, nbRow, nbCol] and so on.
 * @param nbFilter channels of the states
 * @param nbRow rows under the windows
 * @param nbCol columns under the windows
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` for
 *   other than five axes, or images smaller than the window
 * @example
 * const model = new Sequential([
 *   new ConvLSTM2D(4, 3, 3, { inputShape: [6, 12, 12, 1], borderMode: 'same' }),
 * ])
 * model.outputShape // [null, 12, 12, 4]
 * @see keras.layers.ConvLSTM2D. Unlike there, the regularizers act,
 *   and the configuration holds every option.
 */
export class ConvLSTM2D extends Layer<
  ConvLSTM2DOptions & { nbFilter: number; nbRow: number; nbCol: number }
> {
  static override readonly className = 'ConvLSTM2D'
  static override readonly positional = ['nbFilter', 'nbRow', 'nbCol']
  static override readonly defaults = {
    ...Layer.defaults,
    init: 'glorot_uniform',
    innerInit: 'orthogonal',
    forgetBiasInit: 'one',
    activation: 'tanh',
    innerActivation: 'hard_sigmoid',
    dimOrdering: 'tf',
    borderMode: 'valid',
    innerBorderMode: 'same',
    subsample: [1, 1],
    WRegularizer: null,
    URegularizer: null,
    bRegularizer: null,
    dropoutW: 0,
    dropoutU: 0,
    returnSequences: false,
    goBackwards: false,
    stateful: false,
    weights: null,
  }
  override readonly supportsMasking = true
  protected override readonly inputLetters = ['B', 'T', '1', '2', '3']

  constructor(nbFilter: number, nbRow: number, nbCol: number, options?: ConvLSTM2DOptions) {
    if (options && 'zoneout' in options)
      fail(ConfigError, 'ERR_OPTION', {
        where: 'ConvLSTM2D',
        what: 'zoneout',
        expected: 'left out',
        actual: describe(options.zoneout),
        hint: 'It needs the step as an expression, and there are no convolutions in expressions.',
      })
    super([nbFilter, nbRow, nbCol], options)
    checkBorder(this, this.options.borderMode, ['valid', 'same', 'full', 'same_tf'])
    checkBorder(this, this.options.innerBorderMode, ['same', 'same_tf'], 'innerBorderMode')
    for (const key of ['activation', 'innerActivation'] as const) {
      if (this.options[key] !== 'softmax') continue
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: key,
        expected: 'an elementwise activation',
        actual: "'softmax'",
      })
    }
  }

  override get stateful(): boolean {
    return this.options.stateful
  }

  protected override ownStates(): readonly LayerState[] {
    if (!this.stateful || !this.built) return []
    const image = imageShape(this.#places(this.inputShape!), this.options.dimOrdering)
    const shape = [this.inputShape![0]!, ...(image as number[])]
    const order = this.options.dimOrdering === 'th' ? { order: [0, 2, 3, 1] } : {}
    return ['h', 'c'].map((name) => ({ name, shape, ...order }))
  }

  #places(inputShape: Shape): Places {
    const { nbFilter, nbRow, nbCol, subsample, borderMode: border, dimOrdering } = this.options
    const window = { size: [nbRow, nbCol] as const, strides: subsample, border }
    return windowPlaces(this, placesOf(inputShape, dimOrdering), window, nbFilter)
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const [batch = null, steps = null] = inputShape
    const image = imageShape(this.#places(inputShape), this.options.dimOrdering)
    return this.options.returnSequences ? [batch, steps, ...image] : [batch, ...image]
  }

  /** @internal */
  override computeMask(masked: boolean): boolean {
    return super.computeMask(masked) && this.options.returnSequences
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    const [batch, , ...image] = inputShape
    if (!this.stateful || (batch !== null && !image.includes(null))) return
    fail(ShapeError, 'ERR_SHAPE', {
      where: this.where,
      layer: this.where,
      what: batch === null ? 'batch size of a stateful layer' : 'image of a stateful layer',
      expected: 'known',
      actual: batch === null ? '[B, …]' : showShape(inputShape),
      hint: 'Give the first layer batchInputShape: [batch, T, …].',
    })
  }

  protected override createVariables(inputShape: Shape): void {
    const { nbFilter, nbRow, nbCol, dimOrdering, init, innerInit, forgetBiasInit } = this.options
    const { WRegularizer, URegularizer, bRegularizer } = this.options
    const D = this.known(inputShape, dimOrdering === 'th' ? 2 : 4, 'D')
    const kernel = (depth: number) =>
      dimOrdering === 'th' ? [nbFilter, depth, nbRow, nbCol] : [nbRow, nbCol, depth, nbFilter]
    for (const [gate] of GATES) {
      // Keras counts the fans of both orders as those of 'th' here
      const W = this.initial(init, kernel(D), 'th')
      const U = this.initial(innerInit, kernel(nbFilter), 'th')
      const scales = dimOrdering === 'th' ? 'rows' : 'columns'
      this.addVariable(`W_${gate}`, kernel(D), W, { regularizer: WRegularizer, scales })
      this.addVariable(`U_${gate}`, kernel(nbFilter), U, { regularizer: URegularizer, scales })
      this.addVariable(`b_${gate}`, [nbFilter], gate === 'f' ? forgetBiasInit : 'zero', {
        regularizer: bRegularizer,
      })
    }
  }

  protected override slices(variable: Variable): KerasArray[] {
    const [param, gate] = variable.param.split('_')
    const letter = GATES.find(([native]) => native === gate)?.[1]
    const array = this.slice(variable, `${param}_${letter}`)
    return param === 'b'
      ? [array]
      : [{ ...array, flips: this.options.dimOrdering === 'th' ? [2, 3] : [0, 1] }]
  }

  protected emit(graph: Graph, x: Value): Value {
    const {
      nbFilter,
      nbRow,
      nbCol,
      subsample,
      borderMode,
      dimOrdering,
      activation,
      innerActivation,
    } = this.options
    const { returnSequences, goBackwards, stateful, dropoutW, dropoutU } = this.options
    const image = imageShape(this.#places(x.shape), 'tf')
    const shape = returnSequences ? [x.shape[0] ?? null, ...image] : image
    const y = channelsLast(graph, x, this, dimOrdering, (last) =>
      graph.op('conv_recurrence', [last], shape, {
        ...this.opName(),
        options: {
          cell: 'lstm',
          units: nbFilter,
          size: [nbRow, nbCol],
          strides: [...subsample],
          border: borderMode,
          innerBorder: this.options.innerBorderMode,
          th: dimOrdering === 'th',
          activation,
          innerActivation,
          returnSequences,
          goBackwards,
          stateful,
          dropoutW,
          dropoutU,
        },
        params: this.paramUses(),
        reads: last.mask,
        mask: returnSequences ? 'pass' : 'none',
      }),
    )
    return { ...y, isReversed: returnSequences && goBackwards !== (x.isReversed ?? false) }
  }

  /** Keras 1.2.2 knows no `inner_border_mode`. */
  protected override savedOptions(): Record<string, unknown> {
    const { innerBorderMode, ...options } = super.savedOptions()
    return innerBorderMode === 'same' ? options : { ...options, innerBorderMode }
  }

  /** @internal Keras 2 has the kernels of all gates side by side, in the order i f c o. */
  override fusedArrays(): (readonly KerasArray[])[] {
    const own = this.kerasArrays() // W, U, b of each gate, in the order i c f o
    return [0, 1, 2].map((part) =>
      [0, 2, 1, 3].map((gate) => ({ ...(own[gate * 3 + part] as KerasArray), besideOthers: true })),
    )
  }

  /** A stateful layer that is built tells its whole input shape. */
  override getConfig(): Record<string, unknown> {
    const config = super.getConfig()
    return this.stateful && this.inputShape
      ? { ...config, batch_input_shape: [...this.inputShape] }
      : config
  }
}
