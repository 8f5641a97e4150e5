/**
 * Models as ONNX: every layer as the operators that compute it when it predicts, batch first, batch
 * and time of any length. Layers that have no operators here are refused by their name.
 */
import { ConfigError, fail } from '../../errors.js'
import type { Layer } from '../../layers/base/layer.js'
import type { Floats } from '../../native.js'
import type { NDArray } from '../../ndarray.js'
import { type NodeText, onnxBytes, type PortText } from './messages.js'
import { arraysOf, callsOf, type Config, type WritableModel, type Written } from '../predicting.js'
import { type Given, Graph, unwritable } from './written.js'
import { maskOfSteps, maskOfWords } from './write-masks.js'
import { recurrentNodes } from './write-recurrent.js'

const tensorOf = (graph: Graph, layer: Layer, what: string, { shape, data }: NDArray): string =>
  graph.tensor(layer.name, what, shape, data as Floats)

/** Activations by name: an operator, and its numbers. */
const ACTIVATIONS: Readonly<Record<string, readonly [op: string, floats?: NodeText['floats']]>> = {
  elu: ['Elu', { alpha: 1 }],
  hard_sigmoid: ['HardSigmoid', { alpha: 0.2, beta: 0.5 }],
  relu: ['Relu'],
  sigmoid: ['Sigmoid'],
  softplus: ['Softplus'],
  softsign: ['Softsign'],
  tanh: ['Tanh'],
}

function activated(graph: Graph, layer: Layer, x: Given, activation: unknown): Given {
  if (activation === 'linear') return x
  if (activation === 'softmax')
    return { ...x, name: graph.add(layer.name, 'Softmax', [x.name], { axis: -1 }) }
  const known = typeof activation === 'string' && Object.hasOwn(ACTIVATIONS, activation)
  if (!known)
    return unwritable(
      layer,
      'activation',
      `one of ${Object.keys(ACTIVATIONS).join(', ')}`,
      activation,
    )
  const [op, floats] = ACTIVATIONS[activation as string]!
  return { ...x, name: graph.add(layer.name, op, [x.name], {}, floats) }
}

type Writer = (graph: Graph, written: Written, x: Given, all: readonly Given[]) => Given

const dense: Writer = (graph, { config, layer }, x) => {
  const [W, b] = arraysOf(layer) as [NDArray, NDArray?]
  const shape = [...x.shape.slice(0, -1), W.shape[1]!]
  const kernel = tensorOf(graph, layer, 'kernel', W)
  const bias = b ? [tensorOf(graph, layer, 'bias', b)] : []
  let name: string
  if (x.shape.length === 2) name = graph.add(layer.name, 'Gemm', [x.name, kernel, ...bias])
  else {
    name = graph.add(layer.name, 'MatMul', [x.name, kernel])
    if (b) name = graph.add(layer.name, 'Add', [name, ...bias])
  }
  return activated(graph, layer, { ...x, name, shape }, config.activation)
}

const timeDistributed: Writer = (graph, written, x, all) => {
  const inside = written.config.layer as { class_name: string; config: Config }
  if (inside.class_name !== 'Dense')
    return unwritable(written.layer, 'layer inside', 'Dense', inside.class_name)
  return dense(graph, { ...written, config: inside.config }, x, all)
}

const embedding: Writer = (graph, { config, layer }, x) => {
  const [table] = arraysOf(layer) as [NDArray]
  const name = graph.add(layer.name, 'Gather', [tensorOf(graph, layer, 'table', table), x.name])
  const shape = [...x.shape, table.shape[1]!]
  if (config.mask_zero !== true) return { name, shape }
  return { name, shape, mask: maskOfWords(graph, layer.name, x.name) }
}

const batchNormalization: Writer = (graph, { config, layer }, x) => {
  const rank = x.shape.length
  if (config.mode !== 0) unwritable(layer, 'mode', '0', config.mode)
  if (config.axis !== -1 && config.axis !== rank - 1) unwritable(layer, 'axis', '-1', config.axis)
  const [gamma, beta, mean, variance] = arraysOf(layer).map((array, i) =>
    tensorOf(graph, layer, ['gamma', 'beta', 'mean', 'variance'][i]!, array),
  ) as [string, string, string, string]
  const floats = { epsilon: config.epsilon as number }
  if (rank > 3) unwritable(layer, 'input', 'of two or three axes', `${rank}`)
  const perm = { perm: [0, 2, 1] }
  const from = rank === 2 ? x.name : graph.add(layer.name, 'Transpose', [x.name], perm)
  const inputs = [from, gamma, beta, mean, variance]
  const made = graph.add(layer.name, 'BatchNormalization', inputs, {}, floats)
  return { ...x, name: rank === 2 ? made : graph.add(layer.name, 'Transpose', [made], perm) }
}

const merge: Writer = (graph, { config, layer }, x, all) => {
  const { mode } = config
  if (mode === 'concat') {
    const rank = x.shape.length
    const axis = ((config.concat_axis as number) + rank) % rank
    const sizes = all.map(({ shape }) => shape[axis]!)
    const isKnown = sizes.every((size) => typeof size === 'number')
    const size = isKnown ? (sizes as number[]).reduce((a, b) => a + b, 0) : sizes.join('+')
    const name = graph.add(
      layer.name,
      'Concat',
      all.map((each) => each.name),
      { axis },
    )
    return { name, shape: x.shape.map((own, i) => (i === axis ? size : own)) }
  }
  const op = { sum: 'Add', mul: 'Mul', max: 'Max' }[mode as string]
  if (op === undefined) return unwritable(layer, 'mode', "'concat', 'sum', 'mul' or 'max'", mode)
  const [first, ...rest] = all.map(({ name }) => name) as [string, ...string[]]
  const name = rest.reduce((sum, each) => graph.add(layer.name, op, [sum, each]), first)
  return { ...x, name }
}

const flatten: Writer = (graph, { layer }, x) => {
  const sizes = x.shape.slice(1)
  const isKnown = sizes.every((size) => typeof size === 'number')
  if (!isKnown) return unwritable(layer, 'input', 'of known extents', sizes.join(', '))
  const name = graph.add(layer.name, 'Flatten', [x.name], { axis: 1 })
  return { name, shape: [x.shape[0]!, (sizes as number[]).reduce((a, b) => a * b, 1)] }
}

const overTime =
  (op: string): Writer =>
  (graph, { layer }, x) => ({
    name: graph.add(layer.name, op, [x.name], { axes: [1], keepdims: 0 }),
    shape: [x.shape[0]!, ...x.shape.slice(2)],
  })

const masking: Writer = (graph, { config, layer }, x) => {
  const { mask, x: name } = maskOfSteps(graph, layer.name, x.name, config.mask_value as number)
  return { name, shape: x.shape, mask }
}

/** Layers that do nothing when a model predicts. */
const asIs: Writer = (_graph, _written, x) => x

const WRITERS: Readonly<Record<string, Writer>> = {
  Activation: (graph, { config, layer }, x) => activated(graph, layer, x, config.activation),
  ActivityRegularization: asIs,
  BatchNormalization: batchNormalization,
  Bidirectional: recurrentNodes,
  Dense: dense,
  Dropout: asIs,
  Embedding: embedding,
  Flatten: flatten,
  GRU: recurrentNodes,
  GaussianDropout: asIs,
  GaussianNoise: asIs,
  GlobalAveragePooling1D: overTime('ReduceMean'),
  GlobalMaxPooling1D: overTime('ReduceMax'),
  LSTM: recurrentNodes,
  Masking: masking,
  Merge: merge,
  Permute: (graph, { config, layer }, x) => {
    const perm = [0, ...(config.dims as number[])]
    const name = graph.add(layer.name, 'Transpose', [x.name], { perm })
    return { name, shape: perm.map((axis) => x.shape[axis]!) }
  },
  SimpleRNN: recurrentNodes,
  SpatialDropout1D: asIs,
  TimeDistributed: timeDistributed,
}

/** Layers that use a mask, or hand it on. */
const TAKES_MASK: ReadonlySet<string> = new Set([
  'Activation',
  'ActivityRegularization',
  'Bidirectional',
  'Dropout',
  'GRU',
  'GaussianDropout',
  'GaussianNoise',
  'LSTM',
  'SimpleRNN',
  'TimeDistributed',
])

/** Layers that are written, beside the inputs. */
export const WRITABLE: readonly string[] = Object.keys(WRITERS).sort()

/** An input of the graph. Batch and unknown extents are letters. */
function inputOf(
  graph: Graph,
  name: string,
  { batch_input_shape: shape, input_dtype: type }: Config,
): Given {
  const sizes = (shape as (number | null)[]).map((size, i) =>
    i === 0 ? 'batch' : (size ?? (i === 1 ? 'time' : `${name}_${i}`)),
  )
  const isWhole = typeof type === 'string' && /int/.test(type)
  graph.inputs.push({ name, type: isWhole ? 6 : 1, shape: sizes })
  return { name, shape: sizes }
}

/**
 * The bytes of an ONNX file of the model.
 *
 * @throws ConfigError ERR_OPTION naming the layer that cannot be written
 */
export function writeOnnx(model: WritableModel): Uint8Array {
  const graph = new Graph()
  const byName = new Map(model.flattenedLayers.map((layer) => [layer.name, layer]))
  const given = new Map<string, Given>()
  const { calls, outputs } = callsOf(model, 'ONNX')
  for (const { name, className, config, from } of calls) {
    const layer = byName.get(name)
    if (className === 'InputLayer') {
      given.set(name, inputOf(graph, name, config))
      continue
    }
    const write = Object.hasOwn(WRITERS, className) ? WRITERS[className] : undefined
    if (!write || !layer)
      return fail(ConfigError, 'ERR_OPTION', {
        where: `${name} (${className})`,
        what: 'layer',
        expected: `one of ${WRITABLE.join(', ')}, to be written as ONNX`,
        actual: className,
      })
    const all =
      from.length > 0
        ? from.map((each) => given.get(each)!)
        : [inputOf(graph, `${name}_input`, config)]
    if (!TAKES_MASK.has(className) && all.some(({ mask }) => mask !== undefined))
      unwritable(layer, 'input', 'without a mask', 'one with a mask')
    given.set(name, write(graph, { className, config, layer }, all[0]!, all))
  }
  const ends = outputs.map((name) => {
    const { name: inner, shape } = given.get(name)!
    graph.nodes.push({
      op: 'Identity',
      name: `${name}/output`,
      inputs: [inner],
      outputs: [`${name}_output`],
    })
    return { name: `${name}_output`, type: 1, shape } satisfies PortText
  })
  const { nodes, tensors, inputs } = graph
  return onnxBytes({ name: 'model', nodes, tensors, inputs, outputs: ends })
}
