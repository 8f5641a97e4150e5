/**
 * LSTM, GRU and RNN of ONNX as layers. onnx/docs/Operators.md: weights W [directions, G*H, D], R
 * [directions, G*H, H], B [directions, 2*G*H]; X [T, N, D], Y [T, directions, N, H], Y_h
 * [directions, N, H]; layout=1 has the batch first.
 */
import type { Expr } from '../../expressions/expr.js'
import { concat, at, slice } from '../../expressions/arranging.js'
import type { Floats } from '../../native.js'
import { describe } from '../../ndarray.js'
import type { LayerArray } from '../tree.js'
import { activationsOf } from './activations.js'
import { type Layers, refuse } from './layers.js'
import { type Constant, nameOf, type Node } from './model.js'
import { asIntegers, type Axis, extent, type Output, tensor, type Value } from './values.js'

interface Kind {
  readonly className: string
  /** The place of each of our gates among those of ONNX. */
  readonly gates: readonly number[]
  readonly activations: readonly string[]
}

const KINDS: Readonly<Record<string, Kind>> = {
  // i o f c there; i f c o here
  LSTM: { className: 'LSTM', gates: [0, 2, 3, 1], activations: ['Sigmoid', 'Tanh', 'Tanh'] },
  GRU: { className: 'GRU', gates: [0, 1, 2], activations: ['Sigmoid', 'Tanh'] },
  RNN: { className: 'SimpleRNN', gates: [0], activations: ['Tanh'] },
}

/** [directions, G*H, columns] → [columns, G*H] of one direction, gates in our order. */
function kernel(constant: Constant, direction: number, gates: readonly number[]): Floats {
  const [, rows = 0, columns = 0] = constant.shape
  const H = rows / gates.length
  const numbers = constant.read()
  const out = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    const from = gates[Math.floor(row / H)]! * H + (row % H)
    const start = (direction * rows + from) * columns
    for (let c = 0; c < columns; c++) out[c * rows + row] = numbers[start + c]!
  }
  return out
}

/** [directions, 2*G*H] → both biases of one direction, gates in our order: [2, G*H]. */
function biases(constant: Constant, direction: number, gates: readonly number[]): Floats {
  const width = constant.shape[1]! / 2
  const H = width / gates.length
  const numbers = constant.read().subarray(direction * 2 * width, (direction + 1) * 2 * width)
  return Float32Array.from(numbers, (_, i) => {
    const [half, place] = [Math.floor(i / width), i % width]
    return numbers[half * width + gates[Math.floor(place / H)]! * H + (place % H)]!
  })
}

interface Shape {
  readonly directions: number
  readonly H: number
  readonly D: number
}

/** Arrays of one direction, as Keras 2 has them. */
function arraysOf(
  node: Node,
  [W, R, B]: readonly [Constant, Constant, Constant | null],
  direction: number,
  { H, D }: Shape,
  isPair: boolean,
): LayerArray[] {
  const { gates } = KINDS[node.op]!
  const width = gates.length * H
  const weight = (what: string) => `${nameOf(node)}.${what}.${direction}`
  const own = [
    { name: weight('W'), shape: [D, width], read: () => kernel(W, direction, gates) },
    { name: weight('R'), shape: [H, width], read: () => kernel(R, direction, gates) },
  ]
  if (!B) return own
  const sum = () => {
    const both = biases(B, direction, gates)
    return Float32Array.from({ length: width }, (_, i) => both[i]! + both[width + i]!)
  }
  return [
    ...own,
    isPair
      ? { name: weight('B'), shape: [2, width], read: () => biases(B, direction, gates) }
      : { name: weight('B'), shape: [width], read: sum },
  ]
}

/** Settings of ONNX that no layer has. */
function checkSettings(node: Node, inputs: readonly (Value | undefined)[], time: unknown): void {
  const { attributes } = node
  const clip = attributes.get('clip')
  if (clip !== undefined) refuse(node, 'clip', 'left out', String(clip))
  const coupled = attributes.get('input_forget')
  if (coupled) refuse(node, 'input_forget', '0', String(coupled))
  if (inputs[7]) refuse(node, 'P', 'left out', 'peepholes')
  const [, , , , lens, h0, c0] = inputs
  if (lens) {
    const lengths = asIntegers(lens)
    if (!lengths?.every((length) => length === time))
      refuse(
        node,
        'sequence_lens',
        `left out, or ${time} for every sequence`,
        lengths ? lengths.join(', ').slice(0, 80) : 'an input of the graph',
      )
  }
  for (const [name, state] of [
    ['initial_h', h0],
    ['initial_c', c0],
  ] as const) {
    if (!state || (state.kind === 'fill' && state.value === 0)) continue
    if (state.kind !== 'constant')
      refuse(node, name, 'left out, or zeros', 'an initial state that is an input or computed')
    if ((state as Constant).read().some((number) => number !== 0))
      refuse(node, name, 'left out, or zeros', 'an initial state of other numbers')
  }
}

/** activation and inner_activation of the layer. */
function activations({ op, attributes, where }: Node, directions: number): Record<string, unknown> {
  const own = KINDS[op]!.activations
  const defaults = Array.from({ length: directions }, () => own).flat()
  const names = (attributes.get('activations') ?? defaults) as readonly string[]
  const numbers = (name: string) => (attributes.get(name) ?? []) as readonly number[]
  const all = activationsOf(names, numbers('activation_alpha'), numbers('activation_beta'))
  const keys = all.map(({ key }) => key)
  const bad = (expected: string, actual: string) =>
    refuse({ where }, 'activations', expected, actual.slice(0, 200))
  if (all.length !== defaults.length) bad(`${defaults.length} of them`, `${all.length}`)
  const unknown = all.find(({ activation }) => activation === null)
  if (unknown) bad('those of ONNX', `'${unknown.key}'`)
  if (!keys.every((key, i) => key === keys[i % own.length]))
    bad('the same in both directions', keys.join(', '))
  if (op === 'LSTM' && keys[1] !== keys[2]) bad('one for g and h', `${keys[1]} and ${keys[2]}`)
  const [first, second] = all.map(({ activation }) => activation)
  return op === 'RNN' ? { activation: first } : { inner_activation: first, activation: second }
}

/** W, R and B, with the shapes that they must have. */
function weightsOf(
  node: Node,
  inputs: readonly (Value | undefined)[],
): { arrays: [Constant, Constant, Constant | null]; shape: Shape; isReverse: boolean } {
  const G = KINDS[node.op]!.gates.length
  const [, W, R, B] = inputs
  const direction = node.attributes.get('direction') ?? 'forward'
  if (!['forward', 'reverse', 'bidirectional'].includes(direction as string))
    refuse(node, 'direction', 'forward, reverse or bidirectional', describe(direction))
  const directions = direction === 'bidirectional' ? 2 : 1
  if (W?.kind !== 'constant' || R?.kind !== 'constant' || (B && B.kind !== 'constant'))
    return refuse(node, 'W, R and B', 'constants', 'computed ones')
  const [, rows = 0, D = 0] = W.shape
  const H = rows / G
  const check = (name: string, { shape }: Constant, expected: readonly number[]) => {
    if (shape.join() !== expected.join())
      refuse(node, `shape of ${name}`, `[${expected}]`, `[${shape}]`)
  }
  const hidden = node.attributes.get('hidden_size') ?? H
  if (!(Number.isInteger(H) && H > 0 && hidden === H))
    refuse(node, 'hidden_size', `that of W [${W.shape}]`, String(hidden))
  check('W', W, [directions, G * H, D])
  check('R', R, [directions, G * H, H])
  if (B) check('B', B as Constant, [directions, 2 * G * H])
  return {
    arrays: [W, R, (B as Constant | undefined) ?? null],
    shape: { directions, H, D },
    isReverse: direction === 'reverse',
  }
}

/** What the last processed steps of both directions give, of the whole sequence: [N, 2*H]. */
const lastOfBoth =
  (H: number) =>
  (x: Expr): Expr =>
    concat(slice(at(x, -1, 1), 0, H, -1), slice(at(x, 0, 1), H, 2 * H, -1))

/**
 * Y and Y_h of a recurrent node.
 *
 * @param uses which of its outputs something needs
 */
export function recurrent(
  layers: Layers,
  node: Node,
  inputs: readonly (Value | undefined)[],
  uses: readonly boolean[],
): (Value | undefined)[] {
  const [X] = inputs
  if (X?.kind !== 'tensor' || X.axes.length !== 3)
    return refuse(node, 'X', 'a tensor of three axes', X ? `a ${X.kind}` : 'nothing')
  const isBatchFirst = node.attributes.get('layout') === 1
  const [batch, time, features] = (isBatchFirst ? [0, 1, 2] : [1, 0, 2]).map((i) => X.axes[i]) as [
    Axis,
    Axis,
    Axis,
  ]
  if (!(batch.length === 1 && batch[0]!.isBatch))
    refuse(
      node,
      `batch of X (axis ${isBatchFirst ? 0 : 1})`,
      'the first axis of an input of the graph',
      'another axis (a layout with the time first?)',
    )
  const { arrays, shape, isReverse } = weightsOf(node, inputs)
  const { directions, H, D } = shape
  if (extent(features) !== D)
    refuse(node, 'features of X', `${D}, as W has it`, `${extent(features)}`)
  checkSettings(node, inputs, extent(time))
  const [needsY = false, needsH = false, needsC = false] = uses
  if (needsC) refuse(node, 'output Y_c', 'unused', 'used: states of cells are no output of a layer')
  if (isReverse && needsY)
    refuse(node, 'direction', 'forward or bidirectional where Y is used', 'reverse')

  const isPair = node.op === 'GRU' && node.attributes.get('linear_before_reset') === 1
  const className = KINDS[node.op]!.className
  const config = {
    output_dim: H,
    bias: arrays[2] !== null,
    return_sequences: needsY,
    go_backwards: isReverse,
    ...(isPair ? { reset_after: true } : {}),
    ...activations(node, directions),
  }
  const x = layers.arranged(node, tensor(X.output, [batch, time, features]))
  const name = nameOf(node)
  const H1 = { size: H }
  const direction = { size: directions }
  const both = directions > 1 ? [direction, H1] : [H1]
  const make = () => {
    const own = Array.from({ length: directions }, (_, i) =>
      arraysOf(node, arrays, i, shape, isPair),
    ).flat()
    if (directions === 1) return layers.add(name, className, [x.layer()], config, { arrays: own })
    const wrapper = (name: string) => ({
      layer: { class_name: className, config: { ...config, name: `${name}_cell` } },
      merge_mode: 'concat',
    })
    return layers.add(name, 'Bidirectional', [x.layer()], wrapper, { arrays: own })
  }
  const whole = layers.output(needsY ? [batch, time, both] : [batch, both], make())
  const dir: Axis = directions > 1 ? [direction] : []
  const Y = tensor(whole, isBatchFirst ? [batch, time, dir, [H1]] : [time, dir, batch, [H1]])
  const last = (): Output => {
    if (!needsY) return whole
    if (directions === 1) return layers.step(node, whole, -1)
    return layers.lambda(node, whole, [batch, both], lastOfBoth(H))
  }
  const Yh = needsH
    ? tensor(last(), isBatchFirst ? [batch, dir, [H1]] : [dir, batch, [H1]])
    : undefined
  return [needsY ? Y : undefined, Yh]
}
