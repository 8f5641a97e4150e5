/**
 * Tensors of a PyTorch `state_dict` for the layers of an architecture, as the tree of an HDF5 file
 * of Keras 2. A module of PyTorch is told by its name: `encoder.rnn` holds
 * `encoder.rnn.weight_ih_l0`. PyTorch 2.13 torch/nn/modules/rnn.py.
 *
 * Its gates lie as ours but for those of a GRU (r z n; here z r h), one after the other in rows;
 * each product has a bias of its own.
 */
import { ConfigError, fail, FormatError } from '../../errors.js'
import { formatError, type H5File } from '../../hdf5/file.js'
import type { Layer } from '../../layers/base/layer.js'
import type { Floats } from '../../native.js'
import { type LayerArray, treeOf } from '../tree.js'
import { GATES, ownName, reordered, transposed } from './layout.js'
import type { Tensor, Tensors } from './tensor.js'

/** A layer's own names of what it asks for. */
type Take = (suffix: string) => Tensor

/** A matrix of PyTorch, [out, in], as [in, out]. */
function matrix(name: string, tensor: Tensor, order: readonly number[] = [0]): LayerArray {
  const [rows = 0, columns = 0] = tensor.shape
  return {
    name,
    shape: tensor.shape.length === 2 ? [columns, rows] : tensor.shape,
    read: () => transposed(reordered(tensor.read(), order), [rows, columns]),
  }
}

const asIs = (name: string, tensor: Tensor): LayerArray => ({
  name,
  shape: tensor.shape,
  read: () => tensor.read(),
})

/** Settings in which a recurrent layer must compute what PyTorch computes. */
function checkRecurrent({ options, where }: Layer, isGru: boolean): void {
  const { activation, innerActivation, resetAfter } = options as Record<string, unknown>
  const wrong = (what: string, expected: string, actual: unknown): never =>
    fail(ConfigError, 'ERR_OPTION', {
      where,
      layer: where,
      what,
      expected: `${expected}, as in PyTorch`,
      actual: String(actual),
    })
  // of an RNN it is tanh or relu, which the file does not say
  if (innerActivation !== undefined && activation !== 'tanh')
    wrong('activation', "'tanh'", activation)
  if (innerActivation !== undefined && innerActivation !== 'sigmoid')
    wrong('innerActivation', "'sigmoid'", innerActivation)
  if (isGru && resetAfter !== true) wrong('resetAfter', 'true', resetAfter)
}

/** The place of a recurrent layer among those of its module: 'rnn' and 'rnn_l0' are the first. */
function placeOf(name: string, tensors: Tensors): readonly [module: string, place: number] {
  const [, module = '', place = ''] = /^(.*)_l(\d+)$/.exec(name) ?? []
  return place !== '' && !tensors.has(`${name}.weight_ih_l0`) ? [module, Number(place)] : [name, 0]
}

/** The three arrays of a recurrent layer: [D, G*H], [H, G*H], and [G*H], of a GRU [2, G*H]. */
function recurrentArrays(layer: Layer, name: string, tensors: Tensors, end: string): LayerArray[] {
  const { className } = layer.layerClass
  const order = GATES[className]!
  checkRecurrent(layer, className === 'GRU')
  const [module, place] = placeOf(name, tensors)
  const called = (what: string) => `${module}.${what}_l${place}${end}`
  const take = takeFrom(layer, module, tensors)
  if (tensors.has(called('weight_hr')))
    fail(FormatError, 'ERR_FILE_FORMAT', {
      where: called('weight_hr'),
      what: 'module',
      expected: 'one without proj_size',
      actual: 'one with it',
    })
  const [W, U] = ['weight_ih', 'weight_hh'].map((what) => take(`${what}_l${place}${end}`)) as [
    Tensor,
    Tensor,
  ]
  const kernels = [matrix(called('weight_ih'), W, order), matrix(called('weight_hh'), U, order)]
  const width = U.shape[0] ?? 0
  const hasBias = tensors.has(called('bias_ih')) || tensors.has(called('bias_hh'))
  const [b, c] = hasBias
    ? [take(`bias_ih_l${place}${end}`), take(`bias_hh_l${place}${end}`)]
    : [null, null]
  const zeros = () => new Float32Array(width)
  const both = () =>
    [b, c].map((bias) => (bias ? reordered(bias.read(), order) : zeros())) as [Floats, Floats]
  const biases = hasBias ? `${called('bias_ih')}, ${called('bias_hh')}` : called('bias')
  const isPair = className === 'GRU'
  const shape = b && b.shape.join() !== `${width}` ? b.shape : isPair ? [2, width] : [width]
  const read = () => {
    const [ofX, ofH] = both()
    if (!isPair) return ofX.map((value, i) => value + ofH[i]!) as Floats
    const out = new Float32Array(2 * width)
    out.set(ofX)
    out.set(ofH, width)
    return out
  }
  // a layer made with bias: false has two arrays
  const wanted = layer.fusedArrays().length
  return [...kernels, { name: biases, shape, read }].slice(0, wanted)
}

/** What takes a tensor of a module. @throws FormatError ERR_FILE_FORMAT for one that is missing */
const takeFrom =
  (layer: Layer, module: string, tensors: Tensors): Take =>
  (suffix) => {
    const name = `${module}.${suffix}`
    return (
      tensors.get(name) ??
      fail(FormatError, 'ERR_FILE_FORMAT', {
        where: layer.where,
        layer: layer.where,
        what: `tensor ${name}`,
        expected: 'in the file',
        actual: `missing, beside ${[...tensors.keys()].join(', ').slice(0, 300)}`,
        hint: '`names` says which module a layer is, where it is called otherwise.',
      })
    )
  }

/** The arrays of a layer, in the order of `fusedArrays`. @param name of its module */
function arraysOf(layer: Layer, name: string, tensors: Tensors): LayerArray[] {
  const { className } = layer.layerClass
  const take = takeFrom(layer, name, tensors)
  const own = (suffix: string): LayerArray => asIs(`${name}.${suffix}`, take(suffix))
  if (className === 'Bidirectional')
    return layer.children.flatMap((child, i) =>
      recurrentArrays(child, name, tensors, i === 1 ? '_reverse' : ''),
    )
  if (className === 'TimeDistributed') return arraysOf(layer.children[0]!, name, tensors)
  if (Object.hasOwn(GATES, className)) return recurrentArrays(layer, name, tensors, '')
  if (className === 'Embedding') return [own('weight')]
  if (className === 'Dense') {
    const kernel = matrix(`${name}.weight`, take('weight'))
    return layer.fusedArrays().length === 2 ? [kernel, own('bias')] : [kernel]
  }
  if (className === 'BatchNormalization')
    return ['weight', 'bias', 'running_mean', 'running_var'].map(own)
  return fail(FormatError, 'ERR_FILE_FORMAT', {
    where: layer.where,
    layer: layer.where,
    what: 'layer with weights',
    expected: `${Object.keys(GATES).join(', ')}, Bidirectional, TimeDistributed, Embedding, Dense or BatchNormalization`,
    actual: className,
  })
}

/** Tensors that no computation reads. */
const COUNTS = /\.num_batches_tracked$/

/**
 * The tree of a file of Keras 2 with the tensors as weights of `layers`.
 *
 * @param names the module of each layer that is called otherwise: `{ lstm_1: 'encoder.rnn' }`
 * @throws FormatError ERR_FILE_FORMAT for tensors that are missing, or that no layer takes;
 *   ConfigError ERR_OPTION for layers that do not compute what PyTorch does
 */
export function treeOfStateDict(
  path: string,
  tensors: Tensors,
  layers: readonly Layer[],
  names: Readonly<Record<string, string>>,
): H5File {
  const made = new Map<string, readonly LayerArray[]>()
  for (const layer of layers.filter((each) => each.fusedArrays().length > 0)) {
    const module = names[layer.name] ?? names[ownName(layer)] ?? ownName(layer)
    made.set(layer.name, arraysOf(layer, module, tensors))
  }
  const used = new Set([...made.values()].flat().flatMap(({ name }) => name.split(', ')))
  const left = [...tensors.keys()].filter((name) => !used.has(name) && !COUNTS.test(name))
  if (left.length > 0)
    throw formatError(
      path,
      '',
      'tensors',
      'those of the architecture alone',
      `${left.length} more: ${left.join(', ').slice(0, 300)}`,
    )
  return treeOf(path, made)
}
