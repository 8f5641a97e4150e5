/**
 * Recurrent layers as LSTM, GRU and RNN of ONNX (recurrent.ts reads them): the time first in
 * between, gates in ONNX' order.
 */
import { joined } from '../../files/joined.js'
import type { Floats } from '../../native.js'
import type { NDArray } from '../../ndarray.js'
import { arraysOf, checkRecurrent, type Config, type Written } from '../predicting.js'
import { masked } from './write-masks.js'
import { type Given, type Graph, unwritable } from './written.js'

/** The operator of a layer, and the place of each gate of ONNX among ours. */
const KINDS: Readonly<Record<string, readonly [op: string, gates: readonly number[]]>> = {
  // i f c o here; i o f c there
  LSTM: ['LSTM', [0, 3, 1, 2]],
  GRU: ['GRU', [0, 1, 2]],
  SimpleRNN: ['RNN', [0]],
}

const ACTIVATIONS: Readonly<Record<string, readonly [name: string, ...numbers: number[]]>> = {
  hard_sigmoid: ['HardSigmoid', 0.2, 0.5],
  linear: ['Affine', 1, 0],
  relu: ['Relu'],
  sigmoid: ['Sigmoid'],
  softplus: ['Softplus'],
  softsign: ['Softsign'],
  tanh: ['Tanh'],
}

/** [columns, G*H] → [G*H, columns], gates in ONNX' order. */
function rows(
  { data, shape: [columns = 0, width = 0] }: NDArray,
  gates: readonly number[],
): Floats {
  const H = width / gates.length
  const out = new Float32Array(columns * width)
  for (let row = 0; row < width; row++) {
    const from = gates[Math.floor(row / H)]! * H + (row % H)
    for (let c = 0; c < columns; c++) out[row * columns + c] = data[c * width + from]!
  }
  return out
}

/** [G*H] or [2, G*H] → [2*G*H]: the bias of the input's product, then that of the state's. */
function bothBiases({ data, shape }: NDArray, gates: readonly number[]): Floats {
  const width = shape.at(-1)!
  const H = width / gates.length
  const out = new Float32Array(2 * width)
  for (let i = 0; i < data.length; i++) {
    const [half, place] = [Math.floor(i / width), i % width]
    out[i] = data[half * width + gates[Math.floor(place / H)]! * H + (place % H)]!
  }
  return out
}

/** Settings that ONNX has no word for. */
function checkSettings(written: Written, own: Config): void {
  checkRecurrent(written, own, unwritable)
  if (own.return_sequences === true && own.go_backwards === true)
    unwritable(written.layer, 'go_backwards', 'false with return_sequences', true)
}

/** activations, activation_alpha and activation_beta of a node. */
function activations({ layer }: Written, own: Config, op: string, directions: number) {
  const { activation, inner_activation: inner } = own
  const wanted =
    op === 'RNN'
      ? [activation]
      : op === 'GRU'
        ? [inner, activation]
        : [inner, activation, activation]
  const known = wanted.map((name) =>
    typeof name === 'string' && Object.hasOwn(ACTIVATIONS, name)
      ? ACTIVATIONS[name]!
      : unwritable(layer, 'activation', `one of ${Object.keys(ACTIVATIONS).join(', ')}`, name),
  )
  const all = Array.from({ length: directions }, () => known).flat()
  const numbers = all.filter((each) => each.length > 1)
  return {
    names: all.map(([name]) => name),
    floats: numbers.length
      ? {
          activation_alpha: numbers.map((each) => each[1] as number),
          activation_beta: numbers.map((each) => each[2] as number),
        }
      : {},
  }
}

/** The operators of a recurrent layer, or of a Bidirectional. */
export function recurrentNodes(graph: Graph, written: Written, x: Given): Given {
  const { layer, config, className } = written
  const inside = config.layer as { class_name: string; config: Config } | undefined
  const own = inside?.config ?? config
  const kind = inside?.class_name ?? className
  if (!Object.hasOwn(KINDS, kind))
    return unwritable(layer, 'layer inside', Object.keys(KINDS).join(', '), kind)
  checkSettings(written, own)
  const [op, gates] = KINDS[kind]!
  const directions = inside ? 2 : 1
  const arrays = arraysOf(layer)
  const each = arrays.length / directions
  const of = (place: number): NDArray[] =>
    Array.from({ length: directions }, (_, i) => arrays[i * each + place]!)
  const [D, width] = arrays[0]!.shape as [number, number]
  const H = width / gates.length
  const { name } = layer
  const stacked = (place: number, columns: number, what: string) =>
    graph.tensor(
      name,
      what,
      [directions, width, columns],
      joined(
        Float32Array,
        of(place).map((array) => rows(array, gates)),
      ),
    )
  const isBackward = own.go_backwards === true
  const steps =
    x.mask === undefined
      ? null
      : masked(
          graph,
          name,
          { x: x.name, mask: x.mask, features: D, units: H },
          inside ? [false, true] : [isBackward],
        )
  const inputs = [
    graph.add(name, 'Transpose', [steps?.x ?? x.name], { perm: [1, 0, 2] }),
    stacked(0, D, 'W'),
    stacked(1, H, 'R'),
  ]
  if (each === 3)
    inputs.push(
      graph.tensor(
        name,
        'B',
        [directions, 2 * width],
        joined(
          Float32Array,
          of(2).map((array) => bothBiases(array, gates)),
        ),
      ),
    )
  if (steps) inputs.push(...(each === 3 ? [] : ['']), steps.lengths)
  const isSequence = own.return_sequences === true
  const { names, floats } = activations(written, own, op, directions)
  const attributes = {
    hidden_size: H,
    direction: inside ? 'bidirectional' : isBackward ? 'reverse' : 'forward',
    activations: names,
    ...(kind === 'GRU' ? { linear_before_reset: own.reset_after === true ? 1 : 0 } : {}),
  }
  const Y = graph.add(name, op, inputs, attributes, floats, isSequence ? [] : [''])
  // Y [T, directions, N, H] → [N, T, directions*H]; Y_h [directions, N, H] → [N, directions*H]
  const perm = isSequence ? [2, 0, 1, 3] : [1, 0, 2]
  const moved = graph.add(name, 'Transpose', [Y], { perm })
  const target = isSequence ? [0, 0, directions * H] : [0, directions * H]
  const shape = [x.shape[0]!, ...(isSequence ? [x.shape[1]!] : []), directions * H]
  const y = graph.add(name, 'Reshape', [moved, graph.extents(name, target)])
  if (!isSequence || !steps) return { name: y, shape }
  return { name: steps.spread(y), shape, mask: x.mask! }
}
