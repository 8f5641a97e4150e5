/**
 * A model as a module of PyTorch: its `state_dict`, and the Python text of the class that has it.
 * Every layer is the module of its name, as `state-dict.ts` reads it back; layers that PyTorch
 * computes otherwise are refused by their name. PyTorch 2.13 torch/nn/modules/.
 */
import type { Layer } from '../../layers/base/layer.js'
import type { Floats } from '../../native.js'
import type { NDArray } from '../../ndarray.js'
import {
  arraysOf,
  callsOf,
  checkRecurrent,
  type Config,
  refusing,
  type Unwritable,
  type WritableModel,
  type Written,
} from '../predicting.js'
import { GATES, ownName, reordered, transposed } from './layout.js'

const unwritable: Unwritable = refusing('PyTorch')

/** A tensor to be written. */
export interface TorchTensor {
  readonly shape: readonly number[]
  /** Numbers in C order: [...shape]; null: one whole number, 0, which counts batches. */
  readonly data: Floats | null
}

export type TorchTensors = ReadonlyMap<string, TorchTensor>

/** A module and its `state_dict`. */
export interface TorchModule {
  /** Python: `class Model(nn.Module)`. */
  readonly source: string
  readonly tensors: TorchTensors
}

/** The text and the tensors as they grow. */
class Module {
  readonly tensors = new Map<string, TorchTensor>()
  /** Statements of `__init__` and `forward`. */
  readonly init: string[] = []
  readonly forward: string[] = []

  /** A module that is an attribute, and what it is of: `nn.Linear(3, 4)`. */
  add(name: string, text: string): void {
    this.init.push(`self.${name} = ${text}`)
  }

  tensor(name: string, { shape, data }: NDArray): void {
    this.tensors.set(name, { shape, data: data as Floats })
  }

  /** [in, out] as PyTorch's [out, in], the gates of our columns in its order. */
  matrix(name: string, { data, shape }: NDArray, order: readonly number[] = [0]): void {
    const [rows, columns] = shape as [number, number]
    const turned = transposed(data as Floats, [rows, columns])
    this.tensors.set(name, { shape: [columns, rows], data: reordered(turned, order) })
  }
}

/** Activations as expressions of x. */
const ACTIVATIONS: Readonly<Record<string, (x: string) => string>> = {
  elu: (x) => `F.elu(${x})`,
  hard_sigmoid: (x) => `torch.clamp(0.2 * ${x} + 0.5, 0, 1)`,
  linear: (x) => x,
  relu: (x) => `torch.relu(${x})`,
  sigmoid: (x) => `torch.sigmoid(${x})`,
  softmax: (x) => `torch.softmax(${x}, dim=-1)`,
  softplus: (x) => `F.softplus(${x})`,
  softsign: (x) => `F.softsign(${x})`,
  tanh: (x) => `torch.tanh(${x})`,
}

function activated(layer: Layer, x: string, activation: unknown): string {
  if (typeof activation === 'string' && Object.hasOwn(ACTIVATIONS, activation))
    return ACTIVATIONS[activation]!(x)
  return unwritable(
    layer,
    'activation',
    `one of ${Object.keys(ACTIVATIONS).join(', ')}`,
    activation,
  )
}

/** Adds a layer's tensors and attributes. @returns its output as an expression */
type Writer = (to: Module, written: Written, name: string, inputs: readonly string[]) => string

const dense: Writer = (to, { config, layer }, name, [x]) => {
  const [W, b] = arraysOf(layer) as [NDArray, NDArray?]
  to.add(name, `nn.Linear(${W.shape.join(', ')}${b ? '' : ', bias=False'})`)
  to.matrix(`${name}.weight`, W)
  if (b) to.tensor(`${name}.bias`, b)
  return activated(layer, `self.${name}(${x})`, config.activation)
}

const timeDistributed: Writer = (to, written, name, inputs) => {
  const inside = written.config.layer as { class_name: string; config: Config }
  if (inside.class_name !== 'Dense')
    unwritable(written.layer, 'layer inside', 'Dense', inside.class_name)
  return dense(to, { ...written, config: inside.config }, name, inputs)
}

const embedding: Writer = (to, { config, layer }, name, [x]) => {
  if (config.mask_zero === true) unwritable(layer, 'maskZero', 'false', true)
  const [table] = arraysOf(layer) as [NDArray]
  to.add(name, `nn.Embedding(${table.shape.join(', ')})`)
  to.tensor(`${name}.weight`, table)
  return `self.${name}(${x})`
}

/** Settings that PyTorch's recurrent modules do not have, and the text of those that they have. */
function recurrentOptions({ layer }: Written, kind: string, own: Config): string {
  const { activation, inner_activation: inner } = own
  if (kind === 'SimpleRNN') {
    if (activation === 'relu') return ", nonlinearity='relu'"
    return activation === 'tanh'
      ? ''
      : unwritable(layer, 'activation', "'tanh' or 'relu'", activation)
  }
  if (activation !== 'tanh') unwritable(layer, 'activation', "'tanh'", activation)
  if (inner !== 'sigmoid')
    unwritable(
      layer,
      'innerActivation',
      "'sigmoid'",
      inner,
      'PyTorch has no other gates; train the model with them.',
    )
  if (kind === 'GRU' && own.reset_after !== true)
    unwritable(layer, 'resetAfter', 'true', own.reset_after ?? false)
  return ''
}

const recurrent: Writer = (to, written, name, [x]) => {
  const { layer, config, className } = written
  const inside = config.layer as { class_name: string; config: Config } | undefined
  const own = inside?.config ?? config
  const kind = inside?.class_name ?? className
  if (!Object.hasOwn(GATES, kind))
    unwritable(layer, 'layer inside', Object.keys(GATES).join(', '), kind)
  checkRecurrent(written, own, unwritable)
  const order = GATES[kind]!
  const options = recurrentOptions(written, kind, own)
  const arrays = arraysOf(layer)
  const ends = inside ? ['', '_reverse'] : ['']
  const each = arrays.length / ends.length
  for (const [i, end] of ends.entries()) {
    const [W, U, b] = arrays.slice(i * each, (i + 1) * each) as [NDArray, NDArray, NDArray?]
    to.matrix(`${name}.weight_ih_l0${end}`, W, order)
    to.matrix(`${name}.weight_hh_l0${end}`, U, order)
    if (!b) continue
    const width = W.shape[1]!
    const zeros = b.data.slice(0, width).fill(0)
    const halves = [
      b.data.subarray(0, width),
      b.shape.length === 2 ? b.data.subarray(width) : zeros,
    ]
    for (const [half, part] of ['ih', 'hh'].entries())
      to.tensors.set(`${name}.bias_${part}_l0${end}`, {
        shape: [width],
        data: reordered(halves[half] as Floats, order),
      })
  }
  const [D, width] = arrays[0]!.shape as [number, number]
  const H = width / order.length
  const more = `${each === 3 ? '' : ', bias=False'}${inside ? ', bidirectional=True' : ''}${options}`
  const torchName = kind === 'SimpleRNN' ? 'RNN' : kind
  to.add(name, `nn.${torchName}(${D}, ${H}, batch_first=True${more})`)
  const isSequence = own.return_sequences === true
  const from = own.go_backwards === true ? `${x}.flip(1)` : x
  const [sequence, state] = [`${name}_steps`, `${name}_last`]
  to.forward.push(
    `${isSequence ? sequence : '_'}, ${isSequence ? '_' : state} = self.${name}(${from})`,
  )
  if (isSequence) return sequence
  const last = kind === 'LSTM' ? `${state}[0]` : state
  return inside ? `torch.cat((${last}[0], ${last}[1]), dim=-1)` : `${last}[0]`
}

const batchNormalization: Writer = (to, { config, layer }, name, [x]) => {
  const rank = (layer.outputShape as readonly unknown[]).length
  if (config.mode !== 0) unwritable(layer, 'mode', '0', config.mode)
  if (config.axis !== -1 && config.axis !== rank - 1) unwritable(layer, 'axis', '-1', config.axis)
  if (rank > 3) unwritable(layer, 'input', 'of two or three axes', rank)
  const [gamma, ...rest] = arraysOf(layer) as [NDArray, NDArray, NDArray, NDArray]
  const momentum = Number((1 - (config.momentum as number)).toPrecision(12))
  to.add(name, `nn.BatchNorm1d(${gamma.shape[0]}, eps=${config.epsilon}, momentum=${momentum})`)
  for (const [i, suffix] of ['weight', 'bias', 'running_mean', 'running_var'].entries())
    to.tensor(`${name}.${suffix}`, [gamma, ...rest][i]!)
  to.tensors.set(`${name}.num_batches_tracked`, { shape: [], data: null })
  return rank === 2 ? `self.${name}(${x})` : `self.${name}(${x}.transpose(1, 2)).transpose(1, 2)`
}

const merge: Writer = (_to, { config, layer }, _name, inputs) => {
  const { mode } = config
  if (mode === 'concat') return `torch.cat((${inputs.join(', ')}), dim=${config.concat_axis})`
  if (mode === 'sum') return inputs.join(' + ')
  if (mode === 'mul') return inputs.join(' * ')
  if (mode === 'ave') return `(${inputs.join(' + ')}) / ${inputs.length}`
  return unwritable(layer, 'mode', "'concat', 'sum', 'mul' or 'ave'", mode)
}

const dropout: Writer = (to, { config }, name, [x]) => {
  to.add(name, `nn.Dropout(${config.p})`)
  return `self.${name}(${x})`
}

/** Layers that do nothing when a model predicts. */
const asIs: Writer = (_to, _written, _name, [x]) => x!

const WRITERS: Readonly<Record<string, Writer>> = {
  Activation: (_to, { config, layer }, _name, [x]) => activated(layer, x!, config.activation),
  ActivityRegularization: asIs,
  BatchNormalization: batchNormalization,
  Bidirectional: recurrent,
  Dense: dense,
  Dropout: dropout,
  Embedding: embedding,
  Flatten: (_to, _written, _name, [x]) => `torch.flatten(${x}, 1)`,
  GRU: recurrent,
  GaussianDropout: asIs,
  GaussianNoise: asIs,
  GlobalAveragePooling1D: (_to, _written, _name, [x]) => `${x}.mean(1)`,
  GlobalMaxPooling1D: (_to, _written, _name, [x]) => `${x}.amax(1)`,
  LSTM: recurrent,
  Merge: merge,
  Permute: (_to, { config }, _name, [x]) =>
    `${x}.permute(0, ${(config.dims as number[]).join(', ')})`,
  RepeatVector: (_to, { config }, _name, [x]) => `${x}.unsqueeze(1).repeat(1, ${config.n}, 1)`,
  SimpleRNN: recurrent,
  SpatialDropout1D: asIs,
  TimeDistributed: timeDistributed,
}

/** Layers that are written, beside the inputs. */
export const WRITABLE: readonly string[] = Object.keys(WRITERS).sort()

/** Words that Python keeps for itself, and attributes that every module has. */
const TAKEN = new Set(
  `and as assert async await break class continue def del elif else except finally for from global
  if import in is lambda nonlocal not or pass raise return try while with None True False self torch
  nn F forward train eval half float double type apply cpu cuda to state_dict modules parameters
  children buffers training`.split(/\s+/),
)

/**
 * Names of Python, each its own.
 *
 * @param modules what the module of each layer would be called
 */
function identifiers(modules: ReadonlyMap<string, string>): Map<string, string> {
  const out = new Map<string, string>()
  const used = new Set(TAKEN)
  for (const [name, module] of modules) {
    const plain = module.replace(/\W/gu, '_').replace(/^(?=\d|_|$)/, 'x')
    let own = plain
    for (let count = 2; used.has(own); count++) own = `${plain}_${count}`
    used.add(own)
    out.set(name, own)
  }
  return out
}

/**
 * The module of a model.
 *
 * @throws ConfigError ERR_OPTION naming the layer that cannot be written
 */
export function torchModule(model: WritableModel): TorchModule {
  const to = new Module()
  const byName = new Map(model.flattenedLayers.map((layer) => [layer.name, layer]))
  const { calls, outputs } = callsOf(model, 'PyTorch')
  const isStart = ({ className, from }: (typeof calls)[number]) =>
    className === 'InputLayer' || from.length === 0
  const moduleOf = (name: string): string => {
    const layer = byName.get(name)
    return layer ? ownName(layer) : name
  }
  const names = identifiers(new Map(calls.map(({ name }) => [name, moduleOf(name)])))
  const inputs: string[] = []
  const given = new Map<string, string>()
  for (const call of calls) {
    const { name, className, config } = call
    const own = names.get(name)!
    let from = call.from.map((each) => given.get(each)!)
    if (isStart(call)) {
      const input = className === 'InputLayer' ? own : `${own}_input`
      inputs.push(input)
      from = [input]
    }
    if (className === 'InputLayer') {
      given.set(name, own)
      continue
    }
    const layer = byName.get(name)
    const write = Object.hasOwn(WRITERS, className) ? WRITERS[className] : undefined
    if (!write || !layer)
      return unwritable(
        layer ?? ({ where: `${name} (${className})` } as Layer),
        'layer',
        `one of ${WRITABLE.join(', ')}`,
        className,
      )
    const value = write(to, { className, config, layer }, own, from)
    if (value === from[0]) given.set(name, value)
    else {
      to.forward.push(`${own} = ${value}`)
      given.set(name, own)
    }
  }
  const results = outputs.map((name) => given.get(name)!).join(', ')
  const lines = (statements: readonly string[]) => statements.map((line) => `        ${line}`)
  const source = [
    'import torch',
    'import torch.nn.functional as F',
    'from torch import nn',
    '',
    '',
    'class Model(nn.Module):',
    '    def __init__(self):',
    '        super().__init__()',
    ...lines(to.init),
    '',
    `    def forward(self, ${inputs.join(', ')}):`,
    ...lines(to.forward),
    `        return ${results}`,
    '',
  ].join('\n')
  return { source, tensors: to.tensors }
}
