import { fail, ShapeError } from '../errors.js'
import type { Graph, Shape, Value } from '../spec.js'
import { type Decode, Layer, type LayerOptions } from './base/layer.js'
import { tellLostMask } from './base/mask-warnings.js'
import { showShape } from './base/names.js'
import { wrapperFromConfig } from './base/wrapper.js'
import { hasOutputFunctions } from './base/written-activation.js'

/**
 * Applies a layer to every step: [B, T, …] → [B, T, what the layer makes of …]. Passes masks on.
 * The weights are the layer's.
 * @param layer any layer, new
 * @throws ShapeError `ERR_SHAPE` for inputs of fewer than three axes, and whatever the layer throws
 * @example
 * const model = new Sequential([
 *   new LSTM(5, { inputShape: [8, 4], returnSequences: true }),
 *   new TimeDistributed(new Dense(3, { activation: 'softmax' })),
 * ])
 * model.outputShape // [null, 8, 3]
 * @see keras.layers.TimeDistributed
 */
export class TimeDistributed extends Layer<LayerOptions & { layer: Layer }> {
  static override readonly className = 'TimeDistributed'
  static override readonly positional = ['layer']
  override readonly supportsMasking = true
  protected override readonly inputLetters = ['B', 'T', '…', 'D']
  /** The wrapped layer. */
  readonly layer: Layer

  constructor(layer: Layer, options?: LayerOptions) {
    super([layer], options)
    this.layer = this.options.layer
  }

  /** @internal */
  override get children(): readonly Layer[] {
    return [this.layer]
  }

  /** What the wrapped layer sees: the input without T. */
  #step(shape: Shape): Shape {
    return [shape[0] ?? null, ...shape.slice(2)]
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    if (!this.layer.stateful) return
    fail(ShapeError, 'ERR_SHAPE', {
      where: this.where,
      layer: this.where,
      what: 'wrapped layer',
      expected: 'stateful: false',
      actual: `a stateful ${this.layer.where}, whose rows would be ${showShape(inputShape)} times the steps`,
    })
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const [batch = null, ...rest] = this.layer.computeOutputShape(this.#step(inputShape))
    return [batch, inputShape[1] ?? null, ...rest]
  }

  /** @internal */
  override stepsAt(stepped: readonly boolean[]): readonly boolean[] {
    return stepped
  }

  protected override createVariables(inputShape: Shape): void {
    this.buildInside(this.layer, this.#step(inputShape))
  }

  protected emit(graph: Graph, x: Value): Value {
    if (this.layer.perStep && !hasOutputFunctions(this.layer))
      return { ...this.layer.lower(graph, { ...x, mask: null }), mask: x.mask }
    const op = { layer: `${this.name}/rows`, className: this.layerClass.className }
    const rows = graph.op('fold', [x], x.shape.slice(1), op)
    const y = this.layer.lower(graph, rows)
    if (y.mask !== null) tellLostMask(this, this.where, this.layer.where)
    return graph.op('unfold', [y, x], [x.shape[0] ?? null, ...y.shape], {
      ...this.opName(),
      mask: { name: x.mask },
    })
  }

  static override fromConfig = wrapperFromConfig as (config: object, decode: Decode) => Layer
}
