/** The layers of a model in their order, and whether each may follow the one before. */
import { type Floatx, floatx as globalFloatx } from './backend.js'
import { ConfigError, fail, StateError } from './errors.js'
import { Layer } from './layers/layer.js'
import { uniqueName } from './layers/names.js'
import { describe } from './ndarray.js'
import { resolveOptions } from './options.js'

/** Layers and those inside them. */
const withChildren = (layers: readonly Layer[]): Layer[] =>
  layers.flatMap((layer) => [layer, ...withChildren(layer.children)])

export class LayerStack {
  readonly layers: Layer[] = []
  /** Whether the output of each layer carries a mask. */
  readonly #masks: boolean[] = []
  /** Of the hidden input layer. */
  inputName = 'input'

  /** Builds a layer and puts it at the end. @throws ConfigError ERR_OPTION, ShapeError ERR_SHAPE; then nothing has changed */
  add(layer: Layer): void {
    if (!(layer instanceof Layer)) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'model.add',
        what: 'layer',
        expected: 'an instance of Layer',
        actual: describe(layer),
      })
    }
    const last = this.layers.at(-1)
    const inputShape = last ? last.outputShape! : layer.batchInputShape
    if (!inputShape) {
      fail(ConfigError, 'ERR_OPTION', {
        where: layer.where,
        layer: layer.where,
        what: 'first layer of a model',
        expected: 'given an inputShape or batchInputShape',
        actual: 'one without',
        hint: 'For example inputShape: [28, 64].',
      })
    }
    const floatx = this.#precisionWith(layer)
    layer.floatx = floatx
    const mask = layer.computeMask(this.#masks.at(-1) ?? false)
    layer.build(inputShape)
    if (!last) this.inputName = uniqueName(`${layer.layerClass.className.toLowerCase()}_input`)
    this.layers.push(layer)
    for (const each of this.layers) each.floatx = floatx
    this.#masks.push(mask)
  }

  /** The precision of the model when `layer` is part of it. @throws ConfigError ERR_OPTION for two options that differ */
  #precisionWith(layer: Layer): Floatx {
    const [first, ...others] = withChildren([...this.layers, layer]).filter((each) => each.options.dtype !== null)
    const other = others.find((each) => each.options.dtype !== first!.options.dtype)
    if (other) {
      fail(ConfigError, 'ERR_OPTION', {
        where: other.where,
        layer: other.where,
        what: 'dtype',
        expected: `'${first!.options.dtype}', as that of ${first!.where}`,
        actual: `'${other.options.dtype}'`,
        hint: 'A model computes in one precision.',
      })
    }
    return first?.options.dtype ?? this.layers[0]?.floatx ?? globalFloatx()
  }

  /** @throws StateError ERR_NOT_BUILT when there is none; ERR_BUSY while a batch runs */
  pop(): void {
    const last = this.require('pop').at(-1)!
    last.attach(null)
    this.layers.pop()
    this.#masks.pop()
  }

  /** @throws StateError ERR_NOT_BUILT for a model without layers */
  require(call: string): readonly Layer[] {
    if (this.layers.length > 0) return this.layers
    fail(StateError, 'ERR_NOT_BUILT', {
      where: `model.${call}`,
      what: 'model',
      expected: 'one with layers',
      actual: 'an empty one',
      hint: 'Add some layers first.',
    })
  }

  /** See Sequential.getLayer. */
  find(which: { name?: string; index?: number }): Layer | undefined {
    const nothing: { name?: string | undefined; index?: number | undefined } = { name: undefined, index: undefined }
    const { name, index } = resolveOptions('getLayer', nothing, which)
    if (name !== undefined) return this.layers.find((layer) => layer.name === name)
    if (Number.isInteger(index) && index! >= 1 && index! <= this.layers.length) return this.layers[index! - 1]
    fail(ConfigError, 'ERR_OPTION', {
      where: 'model.getLayer',
      what: 'index',
      expected: `from 1 to ${this.layers.length} (0 is the hidden input layer)`,
      actual: describe(index),
    })
  }

  /** The batch size of a model with stateful layers; null: any. */
  get statefulBatchSize(): number | null {
    return this.layers.some((layer) => layer.stateful) ? (this.layers[0]!.inputShape![0] ?? null) : null
  }
}
