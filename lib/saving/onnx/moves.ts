/** Nodes that move and join axes, and compute with extents: most of them make no layer. */
import { describe } from '../../ndarray.js'
import { cut, joined, moved } from './constants.js'
import { type Layers, refuse } from './layers.js'
import type { Constant, Node } from './model.js'
import {
  asIntegers,
  asSizes,
  type Axis,
  extent,
  fromStart,
  MAX_SIZES,
  product,
  regrouped,
  sameFactors,
  type Size,
  sizes,
  type Tensor,
  tensor,
  type Value,
} from './values.js'

/** What an op makes of its inputs. */
export type Rule = (layers: Layers, node: Node, inputs: readonly (Value | undefined)[]) => Value

const cannot = (node: Node, value: Value | undefined): never =>
  refuse(
    node,
    'input',
    'a tensor of a layer, extents or zeros',
    value
      ? ({ constant: 'a constant', pieces: 'tensors of several layers' }[value.kind as string] ??
          `${value.kind}`)
      : 'nothing',
  )

/** Integers of an attribute (older opsets) or of an input; undefined: left out. */
function integers(node: Node, name: string, input: Value | undefined): number[] | undefined {
  const given = node.attributes.get(name)
  if (Array.isArray(given)) return given as number[]
  if (typeof given === 'number') return [given]
  if (input === undefined) return undefined
  return asIntegers(input) ?? refuse(node, name, 'constant integers', 'others')
}

const attribute = (node: Node, name: string, absent: number): number => {
  const value = node.attributes.get(name) ?? absent
  return typeof value === 'number' ? value : refuse(node, name, 'a number', describe(value))
}

/** The axis that a number means. */
function axisOf(node: Node, axis: number, rank: number): number {
  const place = fromStart(axis, rank)
  if (!(Number.isInteger(place) && place >= 0 && place < rank))
    refuse(node, 'axis', `within ${rank} axes`, String(axis))
  return place
}

/** A constant with its axes in another order or number; its numbers stay in the file's memory. */
const reshaped = (constant: Constant, shape: readonly number[]): Constant => ({
  ...constant,
  shape,
})

const transpose: Rule = (_, node, [x]) => {
  const perm = (rank: number): number[] => {
    const given =
      integers(node, 'perm', undefined) ?? Array.from({ length: rank }, (_v, i) => rank - 1 - i)
    if (given.length !== rank || !given.every((_v, i) => given.includes(i)))
      refuse(node, 'perm', `a permutation of ${rank} axes`, `[${given}]`)
    return given
  }
  if (x?.kind === 'tensor')
    return tensor(
      x.output,
      perm(x.axes.length).map((axis) => x.axes[axis]!),
    )
  if (x?.kind === 'fill') return x
  if (x?.kind !== 'constant' || x.shape.length > 2) return cannot(node, x)
  if (x.shape.length < 2 || perm(2)[0] === 0) return x
  const [rows, columns] = x.shape as [number, number]
  const read = () => {
    const numbers = x.read()
    return Float64Array.from(
      numbers,
      (_v, i) => numbers[(i % rows) * columns + Math.floor(i / rows)]!,
    )
  }
  return moved(node, [x], [columns, rows], read)
}

const squeeze: Rule = (_, node, [x, given]) => {
  const wanted = integers(node, 'axes', given)
  if (x?.kind === 'fill') return x
  if (x?.kind === 'sizes') {
    if (x.sizes.length !== 1) refuse(node, 'input', 'one extent', `${x.sizes.length}`)
    return sizes(x.sizes, true)
  }
  if (x?.kind === 'constant') {
    const { length: rank } = x.shape
    const gone = wanted?.map((axis) => axisOf(node, axis, rank))
    return reshaped(
      x,
      x.shape.filter((size, i) => size !== 1 || (gone && !gone.includes(i))),
    )
  }
  if (x?.kind !== 'tensor') return cannot(node, x)
  const gone = wanted?.map((axis) => axisOf(node, axis, x.axes.length))
  const axes = x.axes.filter((axis, i) => {
    if (gone ? !gone.includes(i) : extent(axis) !== 1) return true
    if (axis.length > 0)
      refuse(
        node,
        'axis',
        'one of extent 1 that another node has added',
        `${axis[0]!.isBatch ? 'the batch' : "one of the model's input"}, of extent ${extent(axis)}`,
      )
    return false
  })
  return tensor(x.output, axes)
}

const unsqueeze: Rule = (_, node, [x, given]) => {
  const wanted = integers(node, 'axes', given) ?? refuse(node, 'axes', 'there', 'nothing')
  if (x?.kind === 'fill') return x
  if (x?.kind === 'sizes') return sizes(x.sizes)
  const list: readonly unknown[] =
    x?.kind === 'constant' ? x.shape : x?.kind === 'tensor' ? x.axes : cannot(node, x)
  const rank = list.length + wanted.length
  const added = new Set(wanted.map((axis) => axisOf(node, axis, rank)))
  let at = 0
  const place = <T>(one: T, own: readonly T[]) =>
    Array.from({ length: rank }, (_v, i) => (added.has(i) ? one : own[at++]!))
  return x?.kind === 'constant'
    ? reshaped(x, place(1, x.shape))
    : tensor((x as Tensor).output, place<Axis>([], (x as Tensor).axes))
}

/** A tensor with other extents. */
function withExtents(node: Node, x: Tensor, target: readonly Size[]): Tensor {
  const axes = regrouped(x.axes, target)
  if (!axes)
    return refuse(
      node,
      'shape',
      `one that axes of [${x.axes.map(extent).join(', ')}] can be joined to`,
      `[${target.join(', ')}]`,
    )
  return tensor(x.output, axes)
}

const reshape: Rule = (_, node, [x, given]) => {
  if (x?.kind === 'fill') return x
  const own = node.attributes.get('shape')
  const target = Array.isArray(own) ? (own as number[]) : asSizes(given)?.sizes
  if (!target) return refuse(node, 'shape', 'constant or computed of extents', 'another')
  if (x?.kind === 'sizes') return sizes(x.sizes, target.length === 0)
  if (x?.kind === 'constant') {
    const count = x.shape.reduce((a, b) => a * b, 1)
    const known = target.filter((size) => size !== -1).reduce<Size>(product, 1)
    const shape = target.map((size) => (size === -1 ? count / Number(known) : Number(size)))
    if (shape.reduce((a, b) => a * b, 1) !== count)
      refuse(node, 'shape', `${count} numbers`, `[${target.join(', ')}]`)
    return reshaped(x, shape)
  }
  return x?.kind === 'tensor' ? withExtents(node, x, target) : cannot(node, x)
}

const flatten: Rule = (_, node, [x]) => {
  if (x?.kind !== 'tensor') return cannot(node, x)
  const axis = attribute(node, 'axis', 1)
  const join = (axes: readonly Axis[]) => axes.flat()
  const cut = axis < 0 ? axis + x.axes.length : axis
  return tensor(x.output, [join(x.axes.slice(0, cut)), join(x.axes.slice(cut))])
}

const shape: Rule = (_, node, [x]) => {
  const all =
    x?.kind === 'tensor' ? x.axes.map(extent) : x?.kind === 'constant' ? x.shape : cannot(node, x)
  return sizes(all.slice(attribute(node, 'start', 0), node.attributes.get('end') as number))
}

/** A number that a value is everywhere; null where it is not, or not known. */
function filler(value: Value | undefined): number | null {
  if (value?.kind === 'fill') return value.value
  if (value?.kind !== 'constant') return null
  const [first = 0, ...rest] = value.read()
  return rest.every((each) => each === first) ? first : null
}

const constantOfShape: Rule = (_, node) => {
  const given = node.attributes.get('value')
  const value = given === undefined ? 0 : filler(given as Constant)
  if (value === null) return refuse(node, 'value', 'one number', 'several')
  return { kind: 'fill', value }
}

const expand: Rule = (_, node, [x, given]) => {
  const value = filler(x)
  if (value !== null) return { kind: 'fill', value }
  const target = asSizes(given)?.sizes
  if (x?.kind !== 'tensor') return cannot(node, x)
  const stays = target?.every((size, i) => size === 1 || size === extent(x.axes[i] ?? []))
  if (!stays || target?.length !== x.axes.length)
    refuse(node, 'shape', 'that of the tensor', `[${target?.join(', ') ?? 'computed'}]`)
  return x
}

/** Tensors of the directions of one or several layers: along an axis that holds them. */
const partsOf = (value: Value | undefined): readonly Tensor[] | null =>
  value?.kind === 'pieces' ? value.parts : value?.kind === 'tensor' ? [value] : null

/** All parts of one output, one after the other: that output. */
function together(parts: readonly Tensor[], axis: number): Tensor | null {
  const [first] = parts
  const part = first?.output.part
  if (!first || !part || part.factor.size !== parts.length) return null
  const areAll = parts.every(({ output, axes }, i) => {
    const own = output.part
    return own?.of === part.of && own.index === i && axes.length === first.axes.length
  })
  if (!areAll) return null
  // the features are H alone now; direction and H are those of the whole
  const features = part.of.axes.at(-1) as Axis
  const isAxis = first.axes[axis]?.length === 1 && first.axes[axis]![0] === features[1]
  if (!isAxis) return null
  return tensor(
    part.of,
    first.axes.map((own, i) => (i === axis ? features : own)),
  )
}

const concat: Rule = (layers, node, inputs) => {
  const given = attribute(node, 'axis', 1)
  const constants = inputs.filter((each) => each?.kind === 'constant')
  if (constants.length > 0 && constants.length === inputs.length) {
    const axis = axisOf(node, given, constants[0]!.shape.length)
    return (
      joined(layers, node, constants, axis) ??
      refuse(node, 'inputs of Concat', 'of one shape but for the axis', 'of others')
    )
  }
  const [number] = inputs
  if (number?.kind === 'fill' && inputs.every((each) => filler(each) === number.value))
    return number
  const extents = inputs.map(asSizes)
  if (extents.every((each) => each !== null)) {
    const all = extents.flatMap((each) => each!.sizes)
    return all.length <= MAX_SIZES ? sizes(all) : refuse(node, 'extents', 'fewer', `${all.length}`)
  }
  const tensors = inputs.flatMap((each) => partsOf(each) ?? cannot(node, each))
  const [first] = tensors as [Tensor, ...Tensor[]]
  const axis = axisOf(node, given, first.axes.length)
  const whole = together(tensors, axis)
  if (whole) return whole
  if (axis === 0 && !first.axes[0]!.some(({ isBatch }) => isBatch) && first.axes.length === 3)
    return { kind: 'pieces', parts: tensors }
  const size = tensors.reduce((sum, { axes }) => sum + Number(extent(axes[axis] ?? [])), 0)
  const isSame = tensors.every(
    ({ axes }) =>
      axes.length === first.axes.length &&
      axes.every((own, i) => i === axis || extent(own) === extent(first.axes[i]!)),
  )
  if (!isSame || !Number.isInteger(size))
    return refuse(node, 'inputs of Concat', 'of one shape but for the axis', 'of others')
  const sources = tensors.map((each) => layers.batchFirst(node, each))
  const { order } = sources[0]!
  if (order[0] === axis || sources.some((each) => each.order.join() !== order.join()))
    return refuse(node, 'axis', 'not that of the batch', `${given}`)
  const axes = first.axes.map((own, i) => (i === axis ? [{ size }] : own))
  const names = sources.map(({ from }) => from.layer())
  const config = { mode: 'concat', concat_axis: order.indexOf(axis) }
  const made = layers.add(node.name || 'Concat', 'Merge', names, config)
  return tensor(
    layers.output(
      order.map((i) => axes[i]!),
      made,
    ),
    axes,
  )
}

/** One place of an axis of a tensor. */
function placeOf(layers: Layers, node: Node, x: Tensor, axis: number, index: number): Tensor {
  const factors = x.axes[axis]!
  const rest = x.axes.filter((_, i) => i !== axis)
  const size = extent(factors)
  if (typeof size === 'number' && !(fromStart(index, size) >= 0 && fromStart(index, size) < size))
    refuse(node, 'index', `within ${size}`, `${index}`)
  if (factors.length === 0) return tensor(x.output, rest)
  const [factor] = factors as [Axis[number]]
  const { axes } = x.output
  if (factors.length === 1 && !factor.isBatch) {
    const time = axes[1]
    if (time && axes.length > 2 && sameFactors(time, factors))
      return tensor(
        layers.step(
          node,
          x.output,
          typeof size === 'number' && fromStart(index, size) === size - 1 ? -1 : index,
        ),
        rest,
      )
    const features = axes.at(-1) as Axis
    if (features.length === 2 && features[0] === factor) {
      const H = Number(features[1]!.size)
      const at = fromStart(index, Number(size))
      const part = { of: x.output, factor, index: at }
      return tensor(layers.features(node, x.output, at * H, (at + 1) * H, part), rest)
    }
  }
  return refuse(
    node,
    'axis',
    'that of the time or of the directions',
    factor.isBatch ? 'the batch' : 'another',
  )
}

/** Looks up rows of a constant: an Embedding. */
function embedding(layers: Layers, node: Node, table: Constant, ids: Tensor): Tensor {
  const [rows, columns] = table.shape as [number, number]
  const D = { size: columns }
  if (ids.axes.length !== 2)
    return refuse(node, 'indices', '[batch, time]', `${ids.axes.length} axes`)
  const { from } = layers.batchFirst(node, ids)
  const array = { name: `${node.name || 'Gather'}.table`, shape: table.shape, read: table.read }
  const config = { input_dim: rows, output_dim: columns }
  const made = layers.add(node.name || 'embedding', 'Embedding', [from.layer()], config, {
    arrays: [array],
  })
  return tensor(layers.output([...from.axes, [D]], made), [...ids.axes, [D]])
}

const gather: Rule = (layers, node, [x, given]) => {
  const axis = attribute(node, 'axis', 0)
  if (x?.kind === 'constant' && given?.kind === 'tensor') {
    if (x.shape.length !== 2 || axis !== 0)
      return refuse(node, 'data', 'a table of two axes', `${x.shape.length} axes`)
    return embedding(layers, node, x, given)
  }
  const index = asSizes(given)
  const extents = asSizes(x)
  if (extents && index) {
    const places = (asIntegers(given) ?? []).map((i) => fromStart(i, extents.sizes.length))
    const picked = places.map(
      (i) => extents.sizes[i] ?? refuse(node, 'index', `within ${extents.sizes.length}`, `${i}`),
    )
    return sizes(picked, index.isScalar)
  }
  const [place, ...others] = asIntegers(given) ?? []
  if (x?.kind === 'fill') return x
  if (place === undefined || others.length > 0)
    return refuse(node, 'indices', 'one constant', 'others')
  const take = (from: Tensor, own: number, at: number): Tensor => {
    const one = placeOf(layers, node, from, own, at)
    if (index?.isScalar) return one
    return tensor(one.output, [...one.axes.slice(0, own), [], ...one.axes.slice(own)])
  }
  if (x?.kind === 'pieces') {
    if (axis !== 0) return refuse(node, 'axis', '0', `${axis}`)
    const all = x.parts.flatMap((part) =>
      Array.from({ length: Number(extent(part.axes[0]!)) }, (_, i) => [part, i] as const),
    )
    const [part, at] =
      all[fromStart(place, all.length)] ?? refuse(node, 'index', `within ${all.length}`, `${place}`)
    return take(part, 0, at)
  }
  if (x?.kind !== 'tensor') return cannot(node, x)
  return take(x, axisOf(node, axis, x.axes.length), place)
}

const slice: Rule = (layers, node, [x, ...more]) => {
  if (x?.kind === 'fill') return x
  const [starts, ends, axes, steps] = ['starts', 'ends', 'axes', 'steps'].map((name, i) =>
    integers(node, name, more[i]),
  )
  const [start, end] = [starts?.[0] ?? 0, ends?.[0] ?? 0]
  if (starts?.length !== 1 || ends?.length !== 1 || (steps?.[0] ?? 1) !== 1)
    return refuse(node, 'slice', 'of one axis, by steps of 1', 'another')
  const axis = axes?.[0] ?? 0
  if (x?.kind === 'constant') {
    const own = axisOf(node, axis, x.shape.length)
    const size = x.shape[own]!
    const within = (place: number) => Math.min(Math.max(fromStart(place, size), 0), size)
    return cut(node, x, own, within(start), Math.max(within(start), within(end)))
  }
  const extents = asSizes(x)
  if (extents) return sizes(extents.sizes.slice(start, end))
  const from = x?.kind === 'pieces' && axis === 0 ? x : x?.kind === 'tensor' ? x : cannot(node, x)
  if (from.kind === 'pieces') {
    const place = { ...node, attributes: new Map(), inputs: [] }
    const all = from.parts.reduce((sum, part) => sum + Number(extent(part.axes[0]!)), 0)
    const [a, b] = [fromStart(start, all), Math.min(fromStart(end, all), all)]
    if (b !== a + 1) return refuse(node, 'slice', 'one of the tensors', `${b - a}`)
    return gather(layers, place, [from, sizes([a])])
  }
  const own = axisOf(node, axis, from.axes.length)
  const size = extent(from.axes[own]!)
  if (start === 0 && end >= (typeof size === 'number' ? size : 2 ** 31 - 1)) return from
  const isOne =
    typeof size === 'number'
      ? Math.min(fromStart(end, size), size) === fromStart(start, size) + 1
      : end === start + 1 || (start === -1 && end >= 2 ** 31 - 1)
  if (!isOne) return refuse(node, 'slice', 'one place of the axis, or all', `${start} to ${end}`)
  const one = placeOf(layers, node, from, own, start)
  return tensor(one.output, [...one.axes.slice(0, own), [], ...one.axes.slice(own)])
}

const asIs: Rule = (_, node, [x]) => x ?? cannot(node, x)

/** Floats are floats here, words of an input whole numbers; other conversions change numbers. */
const cast: Rule = (layers, node, inputs) => {
  const to = attribute(node, 'to', 0)
  const [x] = inputs
  const isFloat = to === 1 || to === 11
  const isWhole = to === 6 || to === 7
  if (!isFloat && !(isWhole && (x?.kind !== 'tensor' || layers.isInput(x.output))))
    refuse(node, 'to', 'FLOAT, or INT32 or INT64 of an input', `type ${to}`)
  return asIs(layers, node, inputs)
}

const dropout: Rule = (layers, node, inputs) => {
  if (inputs[2] && filler(inputs[2]) !== 0) refuse(node, 'training_mode', 'false', 'true')
  return asIs(layers, node, inputs)
}

const constant: Rule = (_, node) => {
  const { attributes } = node
  const value = attributes.get('value')
  if (typeof value === 'object' && 'kind' in value) return value as Constant
  const one = attributes.get('value_int') ?? attributes.get('value_float')
  const list = attributes.get('value_ints') ?? attributes.get('value_floats') ?? one
  if (list === undefined || typeof list === 'string')
    return refuse(node, 'value', 'numbers', describe(list))
  const numbers = Float64Array.from([list].flat() as number[])
  return { kind: 'constant', shape: one === undefined ? [numbers.length] : [], read: () => numbers }
}

export const MOVES: Readonly<Record<string, Rule>> = {
  Cast: cast,
  Concat: concat,
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Dropout: dropout,
  Expand: expand,
  Flatten: flatten,
  Gather: gather,
  Identity: asIs,
  Reshape: reshape,
  Shape: shape,
  Slice: slice,
  Squeeze: squeeze,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
}

export { attribute, axisOf, cannot, integers }
