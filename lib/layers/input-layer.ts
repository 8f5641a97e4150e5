/** Keras' InputLayer: where data come into a model. */
import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import { setClassName } from '../console-text.js'
import { resolveOptions } from '../options.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Layer } from './base/layer.js'
import { uniqueName } from './base/names.js'
import { Node, Tensor } from './base/tensor.js'

type Config = Readonly<Record<string, unknown>>

/** Options of {@link Input}. */
export interface InputOptions {
  /** Of one sample: `[T, D]`; `null` for an unknown extent. This or `batchShape`. */
  shape?: Shape | null
  /** The same with the batch in front; a stateful layer needs the batch size. */
  batchShape?: Shape | null
  /** Of the input's layer: the key for data by name. Default `'input_1'`, `'input_2'`, … */
  name?: string | null
  /** Kept for files as `input_dtype`; changes nothing. Default: {@link floatx}. */
  dtype?: string | null
  /** There are no sparse inputs here. Default `false`. */
  sparse?: false
}

/**
 * The layer that an {@link Input} is of. It computes nothing.
 * @param options as those of `Input`, `inputShape`, `batchInputShape` and `inputDtype` being called
 *   as in other layers
 * @throws ConfigError `ERR_OPTION` for bad options, or none of the two shapes
 * @example
 * const x = Input({ shape: [8, 3], name: 'series' })
 * const model = new Model({ input: x, output: new LSTM(4).call(x) })
 * model.getLayer({ name: 'series' }).layerClass.className // 'InputLayer'
 * @see keras.engine.topology.InputLayer
 */
export class InputLayer extends Layer {
  static override readonly className = 'InputLayer'
  static {
    setClassName(InputLayer, 'InputLayer')
  }
  static override readonly defaults: Readonly<Record<string, unknown>> = {
    name: null,
    inputShape: null,
    batchInputShape: null,
    inputDtype: null,
    sparse: false,
  }
  override readonly supportsMasking = true

  constructor(options?: {
    name?: string | null
    inputShape?: Shape | null
    batchInputShape?: Shape | null
    inputDtype?: string | null
    sparse?: boolean
  }) {
    super([], options)
    const refuse = (what: string, expected: string, actual: string): never =>
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what,
        expected,
        actual,
      })
    if ((this.options as Config).sparse !== false) refuse('sparse', 'false', 'true')
    const shape =
      this.batchInputShape ?? refuse('shape', 'given, as shape or batchShape', 'nothing')
    if (shape.length < 2) refuse('shape', 'one axis or more beside the batch', 'none')
    const node = new Node(this, [])
    node.outputs = [new Tensor(node, 0, shape, false)]
    this.nodes.push(node)
    this.built = true
  }

  /** @internal */
  get tensor(): Tensor {
    return this.nodes[0]!.outputs[0]!
  }

  override get inputShape(): Shape {
    return this.batchInputShape!
  }

  override get outputShape(): Shape {
    return this.batchInputShape!
  }

  /** @internal */
  override place(): never {
    return fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      layer: this.where,
      what: 'layer',
      expected: 'the beginning of a model',
      actual: 'called on tensors',
    })
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return inputShape
  }

  protected emit(_graph: Graph, x: Value): Value {
    return x
  }

  override getConfig(): Record<string, unknown> {
    return {
      batch_input_shape: [...this.batchInputShape!],
      input_dtype: this.inputDtype,
      sparse: false,
      name: this.name,
    }
  }
}

/**
 * The beginning of a model: a tensor that stands for data.
 *
 * @returns of shape `[null, …shape]`, or `batchShape`
 * @throws ConfigError `ERR_OPTION` for bad options, or none of the two shapes
 * @example
 * import { Dense, Input, Model } from 'hiddenstate'
 * const x = Input({ shape: [3] })
 * const model = new Model({ input: x, output: new Dense(2).call(x) })
 * console.log((await model.predict([[1, 2, 3]])).shape) // [ 1, 2 ]
 * @see keras.layers.Input
 */
export function Input(options: InputOptions): Tensor {
  const nothing = {
    shape: null as Shape | null,
    batchShape: null as Shape | null,
    name: null as string | null,
    dtype: null as string | null,
    sparse: false,
  }
  const { shape, batchShape, name, dtype, sparse } = resolveOptions('Input', nothing, options)
  return new InputLayer({
    name: name ?? uniqueName('input'),
    inputShape: shape,
    batchInputShape: batchShape,
    inputDtype: dtype,
    sparse,
  }).tensor
}

const partsOf = (layer: unknown): { class_name?: unknown; config?: unknown } =>
  typeof layer === 'object' && layer !== null ? layer : {}

/**
 * The layer with that input shape, unless it has one itself; in a model, its first layer gets it.
 */
function withInput(layer: unknown, input: Config): unknown {
  const { class_name: name, config } = partsOf(layer)
  if (Array.isArray(config)) {
    const [first, ...rest] = config
    const isInput = partsOf(first).class_name === 'InputLayer'
    return isInput || first === undefined
      ? layer
      : { ...partsOf(layer), class_name: name, config: [withInput(first, input), ...rest] }
  }
  if (typeof config !== 'object' || config === null) return layer // told when the layer is made
  return { ...partsOf(layer), config: { ...input, ...config } }
}

/**
 * The layers of a configuration without an InputLayer in front:
 * the layer after it gets its shape and type.
 *
 * @throws ConfigError ERR_OPTION for one without a shape, one for sparse input, and one with
 *   nothing after it
 */
export function withoutInputLayer(layers: readonly unknown[]): readonly unknown[] {
  const { class_name: name, config } = partsOf(layers[0])
  if (name !== 'InputLayer') return layers
  const { batch_input_shape, input_dtype, sparse = false } = (config ?? {}) as Config
  const where = `${(config as Config | undefined)?.name ?? 'config[0]'} (InputLayer)`
  const refuse = (what: string, expected: string, actual: string): never =>
    fail(ConfigError, 'ERR_OPTION', { where, what, expected, actual })
  if (!Array.isArray(batch_input_shape))
    refuse('batch_input_shape', 'a list', describe(batch_input_shape))
  if (sparse !== false) refuse('sparse', 'false', describe(sparse))
  const [first, ...rest] = layers.slice(1)
  if (first === undefined) refuse('InputLayer', 'followed by a layer', 'the only one')
  return [withInput(first, { batch_input_shape, ...(input_dtype ? { input_dtype } : {}) }), ...rest]
}
