import { ConfigError, fail, ShapeError } from '../errors.js'
import type { Init } from '../initializations.js'
import { describe, type TensorLike } from '../ndarray.js'
import type { RegularizerLike } from '../regularizers.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'
import { showShape } from './base/names.js'
import { refuseSteps } from './base/steps.js'

/** Options of {@link BatchNormalization}. */
export interface BatchNormalizationOptions extends LayerOptions {
  /** Added to variances. Default 0.001. */
  epsilon?: number
  /**
   * 0: each feature by the statistics of the batch in training, by running ones elsewhere. 1: each
   * sample by its own, along the last axis. 2:
   * each feature by those of the batch, always. Default 0.
   */
  mode?: 0 | 1 | 2
  /**
   * The axis that features count along, with the batch as axis 0;
   * negative counts from the end. Default -1.
   */
  axis?: number
  /** Share of the running statistics that a batch leaves as it is. Default 0.99. */
  momentum?: number
  /** Initial values `[gamma, beta, running_mean, running_std]`. */
  weights?: readonly TensorLike[] | null
  /** Initial beta. Default `'zero'`. */
  betaInit?: Init
  /** Initial gamma. Default `'one'`. */
  gammaInit?: Init
  /** Penalty on gamma. Default none. */
  gammaRegularizer?: RegularizerLike
  /** Penalty on beta. Default none. */
  betaRegularizer?: RegularizerLike
  /**
   * Whether there is a beta. Not in Keras 1.2.2:
   * a file with `false` cannot be read there. Default `true`.
   */
  center?: boolean
  /** Whether there is a gamma. Not in Keras 1.2.2, as `center`. Default `true`. */
  scale?: boolean
}

/**
 * Normalises each feature to mean 0 and variance 1, then scales and shifts it: `gamma·(x -
 * mean)/√(variance + epsilon) + beta`.
 *
 * Any shape → the same. Passes masks on; masked steps count in the statistics all the same.
 * Weights: gamma, beta, running_mean, running_std, each [C], C the extent of `axis`; no gamma
 * without `scale`, no beta without `center`. The last two follow the batches of training that
 * succeed, also in a layer that is not trainable; `running_std` holds a variance (plus epsilon, as
 * Keras on Theano has it).
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` when `axis` does not fit
 *   the input or its extent is unknown
 * @example
 * const model = new Sequential([
 *   new GRU(8, { inputShape: [5, 3], returnSequences: true }),
 *   new BatchNormalization(),
 * ])
 * model.getWeights().length // 9 + 4
 * @see keras.layers.BatchNormalization
 */
export class BatchNormalization extends Layer<BatchNormalizationOptions> {
  static override readonly className = 'BatchNormalization'
  static override readonly defaults = {
    ...Layer.defaults,
    epsilon: 0.001,
    mode: 0,
    axis: -1,
    momentum: 0.99,
    weights: null,
    betaInit: 'zero',
    gammaInit: 'one',
    gammaRegularizer: null,
    betaRegularizer: null,
    center: true,
    scale: true,
  }
  static override readonly unsaved = [...Layer.unsaved, 'betaInit', 'gammaInit']
  override readonly supportsMasking = true

  constructor(options?: BatchNormalizationOptions) {
    super([], options)
    const { mode, axis } = this.options
    if (![0, 1, 2].includes(mode)) this.#refuse('mode', '0, 1 or 2', mode)
    if (!Number.isInteger(axis)) this.#refuse('axis', 'an integer', axis)
  }

  #refuse(what: string, expected: string, value: unknown): never {
    return fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      what,
      expected,
      actual: describe(value),
    })
  }

  /** @internal The last axis is the same axis for every step. */
  override get perStep(): boolean {
    return this.options.axis === -1
  }

  /** @internal In mode 2 the statistics are those of all steps. */
  override stepsAt(stepped: readonly boolean[]): readonly boolean[] {
    const { mode, axis } = this.options
    const isLast = axis === -1 || axis + 1 === this.inputShape?.length
    if ((mode !== 2 && isLast) || !stepped.includes(true)) return stepped
    const what = mode === 2 ? 'one with the statistics of all steps' : `one along axis ${axis}`
    return refuseSteps(this, what, 'With mode: 0 and axis: -1 it treats each step by itself.')
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return inputShape
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    const { axis, mode } = this.options
    const C = inputShape.at(axis)
    const last = inputShape.at(-1)
    const fits = C === null || mode !== 1 || last === C
    if (axis >= -inputShape.length && axis < inputShape.length && fits) return
    fail(ShapeError, 'ERR_SHAPE', {
      where: this.where,
      layer: this.where,
      what: 'axis',
      expected: fits
        ? `one of ${showShape(inputShape)}`
        : `one as long as the last of ${showShape(inputShape)} in mode 1`,
      actual: `${axis}`,
    })
  }

  protected override createVariables(inputShape: Shape): void {
    const C = this.known(inputShape, this.options.axis, 'the extent of `axis`')
    const { gammaInit, betaInit, gammaRegularizer, betaRegularizer, center, scale } = this.options
    if (scale) this.addVariable('gamma', [C], gammaInit, { regularizer: gammaRegularizer })
    else this.addConstant('gamma', [C], 'one')
    if (center) this.addVariable('beta', [C], betaInit, { regularizer: betaRegularizer })
    else this.addConstant('beta', [C], 'zero')
    this.addVariable('running_mean', [C], 'zero', { trainable: false })
    this.addVariable('running_std', [C], 'one', { trainable: false })
  }

  /** Keras 1.2.2 knows neither `center` nor `scale`. */
  protected override savedOptions(): Record<string, unknown> {
    const { center, scale, ...keras } = super.savedOptions()
    return { ...keras, ...(center ? {} : { center }), ...(scale ? {} : { scale }) }
  }

  protected emit(graph: Graph, x: Value): Value {
    const { epsilon, mode, momentum, axis } = this.options
    const common = { ...this.opName(), params: this.paramUses(), mask: 'pass' } as const
    if (mode === 1)
      return graph.op('sample_normalization', [x], x.shape, { ...common, options: { epsilon } })
    const features = this.inputShape?.at(axis) ?? null
    const fromStart = axis < 0 ? axis + x.shape.length + 1 : axis
    const options = { epsilon, momentum, mode, features, axis: fromStart }
    return graph.op('batch_normalization', [x], x.shape, { ...common, options })
  }
}
