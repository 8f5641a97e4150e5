/**
 * Whether a program (decision 0037) computes each sample of a batch by itself: where the axis of
 * the batch goes, node by node.
 */
import type { Option, Shape } from '../spec.js'

/** A value of a program: how many axes it has, and which of them is the batch; null: none. */
interface Place {
  rank: number
  batch: number | null
}

/** How a value of a graph lies in memory: time, batch, the rest; without steps, the batch first. */
export const placeOf = (shape: Shape): Place => ({
  rank: shape.length + 1,
  batch: shape.length > 1 ? 1 : 0,
})

type Node = { readonly [attribute: string]: Option } & { op: string; args?: readonly number[] }

/** What a leaf is; undefined: no program of this kind has it. */
export type Leaf = (node: Node) => Place | undefined

/** What stands against a node, instead of its place. */
class Mixed extends Error {}

const mixed = (node: Node): never => {
  throw new Mixed(node.op)
}

const ELEMENTWISE: ReadonlySet<string> = new Set([
  ...['exp', 'log', 'sqrt', 'square', 'abs', 'sign', 'reciprocal', 'power', 'clip'],
  ...['add', 'sub', 'mul', 'div', 'max', 'min', 'equal', 'less', 'less_equal', 'where'],
  'stop_gradient',
])

/** Axes are counted from the last one where shapes are broadcast. */
const fromLast = ({ rank, batch }: Place): number | null => (batch === null ? null : rank - batch)

function broadcast(node: Node, args: readonly Place[]): Place {
  const rank = Math.max(...args.map((arg) => arg.rank))
  const [at, ...others] = new Set(args.map(fromLast).filter((place) => place !== null))
  if (others.length > 0) mixed(node)
  return { rank, batch: at === undefined ? null : rank - at }
}

/** Without some axes. */
function without(
  node: Node,
  { rank, batch }: Place,
  axes: readonly number[],
  keep: boolean,
): Place {
  if (batch !== null && axes.includes(batch)) mixed(node)
  if (keep) return { rank, batch }
  const before = batch === null ? 0 : axes.filter((axis) => axis < batch).length
  return { rank: rank - axes.length, batch: batch === null ? null : batch - before }
}

/** The same, unless the axis is that of the batch. */
function along(node: Node, place: Place, axis: number): Place {
  return axis === place.batch ? mixed(node) : place
}

/** An extent of -2-k is that of axis k of the argument: the batch must stay where it is. */
function reshaped(node: Node, { batch }: Place): Place {
  const dims = node.dims as readonly number[]
  if (batch === null) return { rank: dims.length, batch: null }
  const stays = Array.from({ length: batch + 1 }, (_, i) => i).every((i) => dims[i] === -2 - i)
  return stays ? { rank: dims.length, batch } : mixed(node)
}

function after(node: Node, args: readonly Place[]): Place {
  const [first, second] = args as [Place, Place]
  const axis = node.axis as number
  if (ELEMENTWISE.has(node.op)) return broadcast(node, args)
  switch (node.op) {
    case 'activation':
      return node.name === 'softmax' ? along(node, first, first.rank - 1) : first
    case 'log_softmax':
      return along(node, first, first.rank - 1)
    case 'dot':
      if (second.batch !== null) mixed(node)
      return { ...along(node, first, first.rank - 1), rank: first.rank + second.rank - 2 }
    case 'batch_dot':
      if (first.batch !== second.batch || (first.batch ?? 0) >= first.rank - 2) mixed(node)
      return first
    case 'sum':
    case 'mean':
    case 'max_of':
    case 'min_of':
    case 'prod':
      return without(node, first, node.axes as readonly number[], node.keep === true)
    case 'argmax':
      return without(node, first, [axis], false)
    case 'cumsum':
    case 'slice':
    case 'repeat':
      return along(node, first, axis)
    case 'concat':
      if (args.some(({ batch }) => batch !== first.batch)) mixed(node)
      return along(node, first, axis)
    case 'gather':
      if (first.batch !== null) mixed(node)
      return { rank: second.rank + first.rank - 1, batch: second.batch }
    case 'pick':
      if (first.batch !== second.batch) mixed(node)
      return without(node, first, [first.rank - 1], false)
    case 'one_hot':
      return { ...first, rank: first.rank + 1 }
    case 'reshape':
      return reshaped(node, first)
    case 'permute': {
      const at = (node.axes as readonly number[]).indexOf(first.batch ?? -1)
      return { rank: first.rank, batch: at < 0 ? null : at }
    }
    case 'broadcast':
      return broadcast(node, args)
    default:
      return mixed(node)
  }
}

function leafOf(node: Node, args: readonly Place[], leaf: Leaf): Place | undefined {
  if (node.op === 'number' || node.op === 'phase') return { rank: 0, batch: null }
  const dims = node.dims as readonly number[]
  if (node.op === 'param') return { rank: dims.length, batch: null }
  if (node.op !== 'full') return leaf(node)
  const { batch = null } = args[0] ?? {} // an extent of -1-k is that of axis k of the argument
  const at = batch === null ? -1 : dims.indexOf(-1 - batch)
  return { rank: dims.length, batch: at < 0 ? null : at }
}

/**
 * The places of all nodes, or the first node that mixes samples, or may.
 *
 * @param nodes of a program, arguments first
 */
export function places(nodes: readonly unknown[], leaf: Leaf): readonly Place[] | { node: string } {
  const all: Place[] = []
  try {
    for (const node of nodes as readonly Node[]) {
      const args = (node.args ?? []).map((i) => all[i]!)
      const isLeaf = args.length === 0 || node.op === 'full'
      all.push((isLeaf ? leafOf(node, args, leaf) : after(node, args)) ?? mixed(node))
    }
    return all
  } catch (error) {
    if (error instanceof Mixed) return { node: error.message }
    throw error
  }
}
