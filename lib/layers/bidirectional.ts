import { ConfigError, fail, nearest } from '../errors.js'
import { describe, type TensorLike } from '../ndarray.js'
import type { Graph, Shape, Value } from '../spec.js'
import { type Decode, Layer, type LayerConfig, type LayerOptions } from './base/layer.js'
import type { Recurrent } from './base/recurrent.js'
import { refuseSteps } from './base/steps.js'
import { wrapperFromConfig } from './base/wrapper.js'

const mergeModes = ['sum', 'mul', 'concat', 'ave'] as const
/** How Bidirectional makes one output of two. */
export type MergeMode = (typeof mergeModes)[number]

/** Options of {@link Bidirectional}. */
export interface BidirectionalOptions extends LayerOptions {
  /**
   * How the two outputs become one; `null` (both, in Keras) is impossible in a Sequential. Default
   * `'concat'`, forward first.
   */
  mergeMode?: MergeMode | null
  /** Initial values: those of the forward layer, then those of the backward layer. */
  weights?: readonly TensorLike[] | null
}

/**
 * Runs a recurrent layer over the sequence in both directions: [B, T, D] → [B, T, H] or [B, H], 2H
 * with `'concat'`. With `returnSequences` step t of both outputs belongs to step t of the input;
 * otherwise the last outputs are merged. Hands masks to both; passes them on with
 * `returnSequences`. Weights: forward, then backward.
 * @param layer a recurrent layer, new;
 *   the two in use are copies, `forward_<name>` and `backward_<name>`
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME`
 *   for bad options or a layer that is not recurrent
 * @example
 * const model = new Sequential([new Bidirectional(new LSTM(16), { inputShape: [20, 8] })])
 * model.outputShape // [null, 32]
 * @see keras.layers.Bidirectional
 */
export class Bidirectional extends Layer<BidirectionalOptions & { layer: Recurrent }> {
  static override readonly className = 'Bidirectional'
  static override readonly positional = ['layer']
  static override readonly defaults = { ...Layer.defaults, mergeMode: 'concat', weights: null }
  override readonly supportsMasking = true
  protected override readonly inputLetters = ['B', 'T', 'D']
  readonly forward: Recurrent
  readonly backward: Recurrent

  // biome-ignore lint/suspicious/noExplicitAny: whichever options the recurrent layer has
  constructor(layer: Recurrent<any>, options?: BidirectionalOptions) {
    super([layer], options)
    const { mergeMode } = this.options
    if (mergeMode !== null && !mergeModes.includes(mergeMode)) {
      const near = typeof mergeMode === 'string' ? nearest(mergeMode, mergeModes) : undefined
      fail(ConfigError, 'ERR_UNKNOWN_NAME', {
        where: this.where,
        what: this.spelled('mergeMode'),
        expected: mergeModes.map((m) => `'${m}'`).join(', '),
        actual: describe(mergeMode),
        hint: near && `Did you mean '${near}'?`,
      })
    }
    const given = this.options.layer
    if (!('goBackwards' in given.options) || !('returnSequences' in given.options)) {
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        what: 'layer',
        expected: 'a recurrent layer',
        actual: given.layerClass.className,
      })
    }
    given.requireNew()
    this.forward = given.clone()
    this.backward = given.clone({ goBackwards: !given.options.goBackwards, weights: null })
    given.leads(this.forward, 'forward_')
    given.leads(this.backward, 'backward_')
  }

  /** @internal */
  override get children(): readonly Layer[] {
    return [this.forward, this.backward]
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const shape = this.forward.computeOutputShape(inputShape)
    if (this.options.mergeMode !== 'concat') return shape
    return [...shape.slice(0, -1), 2 * (shape.at(-1) as number)]
  }

  /** @internal */
  override computeMask(masked: boolean): boolean {
    return super.computeMask(masked) && this.forward.returnSequences
  }

  /** @internal */
  override stepsAt(stepped: readonly boolean[]): readonly boolean[] {
    if (!stepped.includes(true)) return [false]
    return refuseSteps(
      this,
      'one whose backward half begins at the last step',
      'model.predict runs it on the whole sequence. In an encoder, give its sequence in `fixed`.',
    )
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    if (this.options.mergeMode !== null) return
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      layer: this.where,
      what: this.spelled('mergeMode'),
      expected: mergeModes.map((m) => `'${m}'`).join(', '),
      actual: 'null',
      hint: 'With null the layer has two outputs, which a Sequential cannot carry.',
    })
  }

  protected override createVariables(inputShape: Shape): void {
    this.buildInside(this.forward, inputShape)
    this.buildInside(this.backward, inputShape)
  }

  protected emit(graph: Graph, x: Value): Value {
    const { layer, className } = this.opName()
    const h = this.forward.lower(graph, x)
    const back = this.backward.lower(graph, x)
    const aligned = this.forward.returnSequences
      ? graph.op('reverse', [back], back.shape, { layer: `${layer}/reversed`, className })
      : back
    const y = graph.op(
      'merge',
      [h, aligned],
      this.computeOutputShape([null, ...x.shape]).slice(1),
      {
        layer,
        className,
        options: { mode: this.options.mergeMode, axis: h.shape.length - 1 },
        mask: 'pass',
      },
    )
    return { ...y, isReversed: h.isReversed }
  }

  /** One configuration stands for both layers. */
  override getConfig(): Record<string, unknown> {
    const config = super.getConfig()
    const [forward, backward] = [this.forward.trainable, this.backward.trainable]
    const inside = (config.layer as LayerConfig).config
    Object.assign(inside, this.forward.builtConfig(), { trainable: forward && backward })
    if (forward !== backward)
      process.emitWarning(
        `${this.where}: a configuration cannot hold that one direction is frozen; it says trainable: false.`,
        {
          code: 'HIDDENSTATE_CONFIG',
        },
      )
    return config
  }

  static override fromConfig = wrapperFromConfig as (config: object, decode: Decode) => Layer
}
