/** Nodes that compute: each makes a layer. onnx/docs/Operators.md. */
import type { ActivationFunction } from '../../activations.js'
import { max, mean } from '../../expressions/reductions.js'
import type { Expr } from '../../expressions/expr.js'
import type { Floats } from '../../native.js'
import { describe } from '../../ndarray.js'
import type { LayerArray } from '../tree.js'
import { ACTIVATION_OPS } from './activations.js'
import { type Layers, refuse } from './layers.js'
import { type Constant, nameOf, type Node } from './model.js'
import { attribute, axisOf, cannot, integers, type Rule } from './moves.js'
import {
  asSizes,
  extent,
  type Factor,
  fromStart,
  type Output,
  product,
  sameFactors,
  type Size,
  sizes,
  type Tensor,
  tensor,
  type Value,
} from './values.js'

/** Applies a layer of whose input the batch comes first and the features last. */
function onFeatures(
  layers: Layers,
  node: Node,
  x: Tensor,
  features: number,
  make: (from: Output) => Output,
): Tensor {
  const { from, order } = layers.batchFirst(node, x, features)
  const made = make(from)
  return tensor(
    made,
    x.axes.map((_, i) => made.axes[order.indexOf(i)]!),
  )
}

/** An array of the file, or what is computed of it. */
const array = (
  node: Node,
  what: string,
  shape: readonly number[],
  read: () => Floats,
): LayerArray => ({ name: `${nameOf(node)}.${what}`, shape, read })

/** [rows, columns] → [columns, rows] */
function transposed({ shape: [rows = 0, columns = 0], read }: Constant): Floats {
  const numbers = read()
  return Float64Array.from(numbers, (_, i) => numbers[(i % rows) * columns + Math.floor(i / rows)]!)
}

/** x·W + b for the features, whatever axes are before them. */
function dense(
  layers: Layers,
  node: Node,
  x: Tensor,
  kernel: Constant,
  isTransposed: boolean,
): Tensor {
  const [rows = 0, columns = 0] = isTransposed ? [...kernel.shape].reverse() : kernel.shape
  const features = x.axes.length - 1
  const size = x.axes[features] ? extent(x.axes[features]!) : 0
  if (kernel.shape.length !== 2 || size !== rows)
    return refuse(node, 'weights', `[${size}, …]`, `[${kernel.shape}]`)
  const read = isTransposed ? () => transposed(kernel) : kernel.read
  const arrays = [array(node, 'W', [rows, columns], read)]
  return onFeatures(layers, node, x, features, (from) => {
    const axes = [...from.axes.slice(0, -1), [{ size: columns }]]
    const make = () => {
      const config = { output_dim: columns, bias: false }
      if (axes.length === 2)
        return layers.add(nameOf(node), 'Dense', [from.layer()], config, { arrays })
      if (axes.length !== 3) refuse(node, 'input', 'of two or three axes', `${axes.length}`)
      const wrapper = (name: string) => ({
        layer: { class_name: 'Dense', config: { ...config, name: `${name}_step` } },
      })
      return layers.add(nameOf(node), 'TimeDistributed', [from.layer()], wrapper, { arrays })
    }
    return layers.output(axes, make())
  })
}

/** The same with a bias. Numbers times `scale`. */
function withBias(layers: Layers, node: Node, x: Tensor, bias: Constant, scale = 1): Tensor {
  const entry = layers.entry(x.output)
  const width = Number(extent(x.output.axes.at(-1) ?? []))
  const numbers = () => {
    const own = bias.read()
    return Float64Array.from({ length: width }, (_, i) => scale * own[own.length === 1 ? 0 : i]!)
  }
  entry.arrays.push(array(node, 'b', [width], numbers))
  const inside = entry.config.layer as { config: Record<string, unknown> } | undefined
  const config = inside?.config ?? entry.config
  config.bias = true
  return x
}

const gemm: Rule = (layers, node, [A, B, C]) => {
  if (A?.kind !== 'tensor' || B?.kind !== 'constant' || (C && C.kind !== 'constant'))
    return refuse(node, 'inputs', 'a tensor and constants', 'others')
  if (attribute(node, 'transA', 0) !== 0) refuse(node, 'transA', '0', '1')
  const [alpha, beta] = [attribute(node, 'alpha', 1), attribute(node, 'beta', 1)]
  if (alpha !== 1) refuse(node, 'alpha', '1', `${alpha}`)
  const y = dense(layers, node, A, B, attribute(node, 'transB', 0) === 1)
  const width = extent(y.axes.at(-1)!)
  if (!C) return y
  const length = C.shape.reduce((a, b) => a * b, 1)
  if (length !== 1 && !(length === width && C.shape.at(-1) === width))
    refuse(node, 'shape of C', `[${width}]`, `[${C.shape}]`)
  return withBias(layers, node, y, C, beta)
}

const matMul: Rule = (layers, node, [a, b]) => {
  if (a?.kind !== 'tensor' || b?.kind !== 'constant')
    return refuse(node, 'inputs', 'a tensor and a constant', 'others')
  return dense(layers, node, a, b, false)
}

/** How a layer is told from a function of numbers: those with a name are layers of their own. */
function activation(
  layers: Layers,
  node: Node,
  x: Tensor,
  own: string | ActivationFunction,
): Tensor {
  const { output } = x
  const config = { activation: own }
  const made = layers.output(
    output.axes,
    layers.add(nameOf(node), 'Activation', [output.layer()], config),
  )
  return tensor(made, x.axes)
}

const activated =
  (op: string): Rule =>
  (layers, node, [x]) => {
    if (x?.kind !== 'tensor') return cannot(node, x)
    if ((node.attributes.get('approximate') ?? 'none') !== 'none')
      refuse(node, 'approximate', "'none'", describe(node.attributes.get('approximate')))
    const number = (name: string) => node.attributes.get(name) as number | undefined
    const own = ACTIVATION_OPS[op]!(number('alpha'), number('beta') ?? number('gamma'))
    return activation(layers, node, x, own)
  }

const softmax: Rule = (layers, node, [x]) => {
  if (x?.kind !== 'tensor') return cannot(node, x)
  const axis = axisOf(
    node,
    attribute(node, 'axis', layers.graph.opset < 13 ? 1 : -1),
    x.axes.length,
  )
  const last = x.axes.length - 1
  if (axis !== last) refuse(node, 'axis', `the last one, ${last}`, `${axis}`)
  return onFeatures(layers, node, x, last, (from) =>
    layers.output(
      from.axes,
      layers.add(nameOf(node), 'Activation', [from.layer()], { activation: 'softmax' }),
    ),
  )
}

/** A tensor and a number that is the same everywhere. */
function withNumber(layers: Layers, node: Node, x: Tensor, compute: (x: Expr) => Expr): Tensor {
  const output = layers.lambda(node, x.output, x.output.axes, compute)
  return tensor(output, x.axes)
}

/** Whether a constant is the bias of a product that nothing else uses. */
function isBias(layers: Layers, name: string, x: Tensor, { shape }: Constant): boolean {
  const width = extent(x.axes.at(-1) ?? [])
  const isVector = shape.at(-1) === width && shape.reduce((a, b) => a * b, 1) === width
  return isVector && layers.maker(name) === 'MatMul' && layers.uses.get(name) === 1
}

const ARITHMETIC: Readonly<
  Record<
    string,
    {
      sizes?: (a: Size, b: Size) => Size
      merge?: string
      number: (x: Expr, c: number, isFirst: boolean) => Expr
    }
  >
> = {
  Add: { merge: 'sum', number: (x, c) => x.add(c), sizes: plus },
  Sub: {
    number: (x, c, isFirst) => (isFirst ? x.mul(-1).add(c) : x.sub(c)),
    sizes: (a, b) => plus(a, typeof b === 'number' ? -b : Number.NaN),
  },
  Mul: { merge: 'mul', number: (x, c) => x.mul(c), sizes: product },
  Div: {
    number: (x, c, isFirst) => (isFirst ? refuseInverse() : x.div(c)),
    sizes: (a, b) =>
      typeof a === 'number' && typeof b === 'number' ? Math.floor(a / b) : b === 1 ? a : Number.NaN,
  },
  Max: { merge: 'max', number: (x) => x },
}

function plus(a: Size, b: Size): Size {
  return typeof a === 'number' && typeof b === 'number' ? a + b : b === 0 ? a : Number.NaN
}

const refuseInverse = (): never => refuse({ where: 'Div' }, 'numerator', 'a tensor', 'a number')

const arithmetic =
  (op: string): Rule =>
  (layers, node, inputs) => {
    const [a, b] = inputs
    const { sizes: ofSizes, merge, number } = ARITHMETIC[op]!
    const [left, right] = [asSizes(a), asSizes(b)]
    if (left && right && ofSizes) {
      const length = Math.max(left.sizes.length, right.sizes.length)
      const one = (list: readonly Size[], i: number) => list[list.length === 1 ? 0 : i] ?? 1
      const made = Array.from({ length }, (_, i) =>
        ofSizes(one(left.sizes, i), one(right.sizes, i)),
      )
      if (made.some((size) => Number.isNaN(size) || String(size).length > 100))
        refuse(node, 'extents', 'numbers', 'letters')
      return sizes(made, left.isScalar && right.isScalar)
    }
    const x = a?.kind === 'tensor' ? a : b?.kind === 'tensor' ? b : cannot(node, a)
    const c = x === a ? b : a
    if (c?.kind === 'constant') {
      const name = node.inputs[x === a ? 0 : 1]!
      if (op === 'Add' && isBias(layers, name, x, c)) return withBias(layers, node, x, c)
      if (c.shape.reduce((n, size) => n * size, 1) !== 1 || op === 'Max')
        return refuse(node, 'constant', 'one number, or the bias of a product', `[${c.shape}]`)
      const value = c.read()[0]!
      if (op === 'Div' && x !== a) return refuse(node, 'numerator', 'a tensor', 'a constant')
      return withNumber(layers, node, x, (expr) => number(expr, value, x !== a))
    }
    if (c?.kind === 'fill') {
      if (op === 'Add' && c.value === 0) return x
      return refuse(node, 'input', 'a tensor of a layer', 'numbers of a computed shape')
    }
    if (c?.kind !== 'tensor') return cannot(node, c)
    if (merge === undefined) return refuse(node, 'input', 'a number', 'a tensor')
    const same =
      x.axes.length === c.axes.length &&
      x.axes.every((axis, i) => extent(axis) === extent(c.axes[i]!))
    if (!same || inputs.length > 2) return refuse(node, 'inputs', 'two of one shape', 'others')
    const sources = [x, c].map((each) => layers.batchFirst(node, each))
    const [{ from, order }, second] = sources as [(typeof sources)[0], (typeof sources)[0]]
    if (second.order.join() !== order.join()) refuse(node, 'inputs', 'axes in one order', 'others')
    const names = sources.map((each) => each.from.layer())
    const output = layers.output(
      from.axes,
      layers.add(nameOf(node), 'Merge', names, { mode: merge }),
    )
    return tensor(
      output,
      x.axes.map((_, i) => from.axes[order.indexOf(i)]!),
    )
  }

const constants = (node: Node, values: readonly (Value | undefined)[]): Constant[] =>
  values.map((value) =>
    value?.kind === 'constant'
      ? value
      : refuse(node, 'inputs', 'constants but for the first', 'others'),
  )

const batchNormalization: Rule = (layers, node, [x, ...more]) => {
  if (x?.kind !== 'tensor') return cannot(node, x)
  if (attribute(node, 'training_mode', 0) !== 0) refuse(node, 'training_mode', '0', '1')
  const arrays = constants(node, more.slice(0, 4)).map(({ shape, read }, i) =>
    array(node, ['scale', 'B', 'mean', 'var'][i]!, shape, read),
  )
  const config = { epsilon: attribute(node, 'epsilon', 1e-5), mode: 0, axis: -1 }
  return onFeatures(layers, node, x, 1, (from) =>
    layers.output(
      from.axes,
      layers.add(nameOf(node), 'BatchNormalization', [from.layer()], config, { arrays }),
    ),
  )
}

/** What a window of `length` makes of an extent. */
function windows(
  size: Size,
  [left, right]: readonly number[],
  length: number,
  stride: number,
): Size {
  if (typeof size === 'number') return Math.floor((size + left! + right! - length) / stride) + 1
  return stride === 1 && left! + right! === length - 1 ? size : `${size}'`.slice(-100)
}

/** Pads, stride and dilation of windows over one axis. */
function windowOf(
  node: Node,
  length: number,
): { pads: readonly [number, number]; stride: number; dilation: number } {
  const one = (name: string) => {
    const [value = 1, ...others] = integers(node, name, undefined) ?? [1]
    return others.length > 0 ? refuse(node, name, 'one number', `${others.length + 1}`) : value
  }
  const [stride, dilation] = [one('strides'), one('dilations')]
  const auto = node.attributes.get('auto_pad') ?? 'NOTSET'
  const span = (length - 1) * dilation
  if (typeof auto === 'string' && auto.startsWith('SAME') && stride === 1) {
    const small = Math.floor(span / 2)
    return {
      pads: auto === 'SAME_UPPER' ? [small, span - small] : [span - small, small],
      stride,
      dilation,
    }
  }
  if (auto !== 'NOTSET' && auto !== 'VALID')
    refuse(node, 'auto_pad', 'NOTSET or VALID', describe(auto))
  const [left = 0, right = 0] = integers(node, 'pads', undefined) ?? []
  return { pads: [left, right], stride, dilation }
}

const conv: Rule = (layers, node, [x, ...more]) => {
  if (x?.kind !== 'tensor') return cannot(node, x)
  const [W, b] = constants(
    node,
    more.filter((each) => each !== undefined),
  ) as [Constant, Constant?]
  const [filters = 0, channels = 0, length = 0] = W.shape
  if (W.shape.length !== 3 || x.axes.length !== 3)
    return refuse(node, 'Conv', 'one of sequences (three axes)', `${W.shape.length} axes`)
  if (attribute(node, 'group', 1) !== 1) refuse(node, 'group', '1', 'more')
  if (extent(x.axes[1]!) !== channels)
    refuse(node, 'channels', `${channels}`, `${extent(x.axes[1]!)}`)
  const { pads, stride, dilation } = windowOf(node, length)
  const kernel = () => {
    const numbers = W.read()
    const out = new Float32Array(numbers.length)
    // [filters, channels, length] → [length, channels, filters]
    for (const [i, value] of numbers.entries()) {
      const [l, rest] = [i % length, Math.floor(i / length)]
      out[(l * channels + (rest % channels)) * filters + Math.floor(rest / channels)] = value
    }
    return out
  }
  const arrays = [array(node, 'W', [length, channels, filters], kernel)]
  if (b) arrays.push(array(node, 'B', [filters], b.read))
  return onFeatures(layers, node, x, 1, (from) => {
    const time: Factor[] = [
      { size: windows(extent(from.axes[1]!), pads, (length - 1) * dilation + 1, stride) },
    ]
    const isPadded = pads[0] !== 0 || pads[1] !== 0
    const source = () =>
      isPadded
        ? layers.add(`${nameOf(node)}_pad`, 'ZeroPadding1D', [from.layer()], { padding: pads }).name
        : from.layer()
    const config = {
      nb_filter: filters,
      filter_length: length,
      subsample_length: stride,
      bias: b !== undefined,
      ...(dilation === 1 ? {} : { atrous_rate: dilation }),
    }
    const className = dilation === 1 ? 'Convolution1D' : 'AtrousConvolution1D'
    return layers.output(
      [from.axes[0]!, time, [{ size: filters }]],
      layers.add(nameOf(node), className, [source()], config, { arrays }),
    )
  })
}

const pool =
  (className: string): Rule =>
  (layers, node, [x]) => {
    if (x?.kind !== 'tensor') return cannot(node, x)
    const [length = 0, ...others] = integers(node, 'kernel_shape', undefined) ?? []
    const { pads, stride, dilation } = windowOf(node, length)
    const isPlain = others.length === 0 && pads.every((pad) => pad === 0) && dilation === 1
    if (!isPlain || attribute(node, 'ceil_mode', 0) !== 0 || x.axes.length !== 3)
      return refuse(node, 'windows', 'over one axis, without pads and dilations', 'others')
    return onFeatures(layers, node, x, 1, (from) => {
      const time = [{ size: windows(extent(from.axes[1]!), pads, length, stride) }]
      const config = { pool_length: length, stride, border_mode: 'valid' }
      return layers.output(
        [from.axes[0]!, time, from.axes[2]!],
        layers.add(nameOf(node), className, [from.layer()], config),
      )
    })
  }

/** The mean or the largest over the time of [N, T, F], which is gone or 1 then. */
function overTime(layers: Layers, node: Node, x: Tensor, axis: number, isMax: boolean): Tensor {
  const own = x.axes[axis]!
  const place = x.output.axes.findIndex((each) => sameFactors(each, own))
  if (x.output.axes.length !== 3 || place !== 1)
    return refuse(node, 'axes', 'that of the time of a sequence', 'others')
  const reduce = isMax ? max : mean
  const axes = x.output.axes.filter((_, i) => i !== place)
  const output = layers.lambda(node, x.output, axes, (expr) => reduce(expr, 1))
  return tensor(
    output,
    x.axes.map((each, i) => (i === axis ? [] : each)),
  )
}

const globalPool =
  (isMax: boolean): Rule =>
  (layers, node, [x]) =>
    x?.kind === 'tensor' && x.axes.length === 3
      ? overTime(layers, node, x, 2, isMax)
      : cannot(node, x)

const reduced =
  (isMax: boolean): Rule =>
  (layers, node, [x, given]) => {
    if (x?.kind !== 'tensor') return cannot(node, x)
    const [axis, ...others] = integers(node, 'axes', given) ?? []
    if (axis === undefined || others.length > 0) return refuse(node, 'axes', 'one', 'others')
    const place = axisOf(node, axis, x.axes.length)
    const made = overTime(layers, node, x, place, isMax)
    if (attribute(node, 'keepdims', 1) !== 0) return made
    return tensor(
      made.output,
      made.axes.filter((_, i) => i !== fromStart(axis, x.axes.length)),
    )
  }

const each = (ops: Iterable<string>, rule: (op: string) => Rule): Record<string, Rule> =>
  Object.fromEntries(Array.from(ops, (op) => [op, rule(op)]))

export const COMPUTE: Readonly<Record<string, Rule>> = {
  ...each(Object.keys(ACTIVATION_OPS), activated),
  ...each(Object.keys(ARITHMETIC), arithmetic),
  AveragePool: pool('AveragePooling1D'),
  BatchNormalization: batchNormalization,
  Conv: conv,
  Gemm: gemm,
  GlobalAveragePool: globalPool(false),
  GlobalMaxPool: globalPool(true),
  MatMul: matMul,
  MaxPool: pool('MaxPooling1D'),
  ReduceMax: reduced(true),
  ReduceMean: reduced(false),
  Softmax: softmax,
}
