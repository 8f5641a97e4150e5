import { ConfigError, fail, nearest, ShapeError } from '../errors.js'
import { describe } from '../ndarray.js'
import { setClassName } from '../console-text.js'
import type { Expr } from '../expressions/expr.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Container } from './base/container.js'
import type { Called } from './base/called.js'
import { joinedMask } from './base/joined-mask.js'
import { defineLayer } from './define-layer.js'
import { type Decode, Layer, type LayerOptions } from './base/layer.js'
import { showShape } from './base/names.js'
import { refuseSteps } from './base/steps.js'
import type { Tensor } from './base/tensor.js'

const modes = ['sum', 'mul', 'concat', 'ave', 'cos', 'dot', 'max'] as const
/** How {@link Merge} makes one output of several. */
export type MergeLayerMode = (typeof modes)[number]

/** Options of {@link Merge}. */
export interface MergeOptions extends Pick<LayerOptions, 'name' | 'trainable'> {
  /** Default `'sum'`. */
  mode?: MergeLayerMode
  /**
   * Axis that `'concat'` joins, the batch counted:
   * 1 is the steps of [B, T, D]. Default -1, the last.
   */
  concatAxis?: number
  /**
   * Axis, or one for each input, that `'dot'` and `'cos'` sum over, the batch counted.
   * Default -1, the last.
   */
  dotAxes?: number | readonly [number, number]
}

/** Counted with the batch; null where the mode has none. */
interface Axes {
  readonly concat: number | null
  readonly dot: readonly [number, number] | null
}

/** What a configuration may say besides, about modes that are functions: there are none here. */
const OF_FUNCTIONS = {
  mode_type: 'raw',
  output_shape: null,
  output_shape_type: 'raw',
  output_mask: null,
  output_mask_type: 'raw',
  arguments: {},
  node_indices: null,
  tensor_indices: null,
} as const

/** The first argument may be left out. */
function optionsOf(layers: unknown, options: unknown): object | null | undefined {
  const isLeftOut =
    typeof layers === 'object' && layers !== null && !Array.isArray(layers) && options === undefined
  if (isLeftOut && !(layers instanceof Layer)) return layers
  if (options !== undefined && (typeof options !== 'object' || Array.isArray(options)))
    return options as never // told where options are merged
  const list = Array.isArray(layers) ? Object.freeze([...layers]) : layers
  return { ...(options as object), layers: list }
}

/**
 * Makes one tensor of several: {@link merge} is the function of it. Given models, it is the first
 * layer of a Sequential, which then takes a list of arrays, `[x1, x2]`, for x.
 *
 * Sum, mul, ave and max want inputs of one shape and give that shape; concat wants all but one axis
 * alike. `'dot'` of [B, n] and [B, n] → [B, 1], of [B, T, D] and [B, S, D] → [B, T, S]; `'cos'` the
 * same of two of one shape, divided by the lengths (the products of each with itself), its arrays
 * with one more axis of 1 after the batch, which `outputShape` leaves out, as in Keras. Masks: a
 * step is real where it is so in all inputs that have a mask; `'concat'` along the steps joins
 * them; `'dot'` and `'cos'` give none, and neither do models in it, as in Keras. Weights: those of
 * the models, in order; `trainable: false` freezes them and is in no configuration. A layer or
 * model that is in several of them has one set of weights, whose gradient is the sum over its
 * places (siamese nets).
 * @param layers two models or more, each with layers; no two the same, which would be one input.
 *   Without them, the layer is to be called on tensors
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` for
 *   outputs that do not go together
 * @example
 * const left = new Sequential([new GRU(4, { inputShape: [8, 3] })])
 * const right = new Sequential([
 *   new Embedding(50, 3, { inputLength: 12 }),
 *   new Flatten(),
 *   new Dense(4),
 * ])
 * const model = new Sequential([
 *   new Merge([left, right], { mode: 'concat' }),
 *   new Dense(2, { activation: 'softmax' }),
 * ])
 * model.inputShapes // [[null, 8, 3], [null, 12]]
 * @see keras.layers.Merge
 */
export class Merge extends Layer<
  MergeOptions & LayerOptions & { layers: readonly Container[] | null }
> {
  static override readonly className = 'Merge'
  static {
    setClassName(Merge, 'Merge')
  }
  static override readonly defaults: Readonly<Record<string, unknown>> = {
    name: null,
    trainable: true,
    layers: null,
    mode: 'sum',
    concatAxis: -1,
    dotAxes: -1,
  }
  override readonly supportsMasking = true
  /** As a configuration has it: counted from the front once the shapes are known. */
  #dotAxes: number | readonly number[]
  #outputShape: Shape | undefined

  constructor(layers?: readonly Container[] | MergeOptions | null, options?: MergeOptions) {
    super([], optionsOf(layers, options))
    this.#checkOptions()
    this.#dotAxes = this.options.dotAxes
    if (this.branches.length === 0) return
    for (const branch of this.branches) branch.requireFilled()
    this.#resolve(this.branches.map((branch) => branch.outputShape ?? []))
    for (const branch of this.branches) branch.becomePart()
  }

  override get branches(): readonly Container[] {
    return this.options.layers ?? []
  }

  /** @internal */
  override get children(): readonly Layer[] {
    return this.branches
  }

  #fail(what: string, expected: string, actual: string, hint?: string): never {
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      layer: this.where,
      what,
      expected,
      actual,
      hint,
    })
  }

  #checkOptions(): void {
    const { layers, mode } = this.options
    if (typeof mode === 'function') {
      const [expected, actual] = [modes.map((m) => `'${m}'`).join(', '), 'a function']
      this.#fail('mode', expected, actual, 'merge(tensors, { mode }) takes a function.')
    }
    if (!modes.includes(mode)) {
      const near = typeof mode === 'string' ? nearest(mode, modes) : undefined
      fail(ConfigError, 'ERR_UNKNOWN_NAME', {
        where: this.where,
        what: 'mode',
        expected: modes.map((m) => `'${m}'`).join(', '),
        actual: describe(mode),
        hint: near && `Did you mean '${near}'?`,
      })
    }
    if (layers === null) return
    if (!Array.isArray(layers) || layers.length < 2) {
      this.#fail(
        'layers',
        'a list of two models or more',
        Array.isArray(layers) ? `${layers.length}` : describe(layers),
      )
    }
    for (const [i, branch] of (layers as readonly unknown[]).entries()) {
      if (!(branch instanceof Container)) {
        const actual = branch instanceof Layer ? branch.where : describe(branch)
        this.#fail(`layers[${i}]`, 'a model, such as new Sequential([layer])', actual)
      }
      branch.requireFilled()
      const { length } = branch.outputShapes
      if (length !== 1) this.#fail(`layers[${i}]`, 'a model with one output', `${length}`)
    }
    const again = layers.findIndex((branch, i) => layers.indexOf(branch) !== i)
    if (again >= 0) {
      const hint = 'Put it into a model of its own: new Sequential([branch]) shares its weights.'
      this.#fail(`layers[${again}]`, 'another model', `${layers[again].where} again`, hint)
    }
    if (layers.length > 2 && (mode === 'dot' || mode === 'cos'))
      this.#fail('layers', `two models for mode '${mode}'`, `${layers.length}`)
  }

  /** An axis of `shape` from 1; the batch is none. */
  #axis(what: string, axis: unknown, shape: Shape): number {
    const axes = shape.length
    const counted = typeof axis === 'number' && axis < 0 ? axis + axes : axis
    if (Number.isInteger(counted) && (counted as number) >= 1 && (counted as number) < axes)
      return counted as number
    return this.#fail(
      what,
      `an axis of ${showShape(shape)} other than that of the batch`,
      describe(axis),
    )
  }

  /** @throws ConfigError ERR_OPTION, ShapeError ERR_SHAPE for inputs that do not go together */
  #axes(shapes: readonly Shape[]): Axes {
    const { mode, concatAxis, dotAxes } = this.options
    const axes = { concat: null as number | null, dot: null as readonly [number, number] | null }
    if (mode === 'concat') axes.concat = this.#axis('concatAxis', concatAxis, shapes[0]!)
    if (mode === 'dot' || mode === 'cos') {
      const pair: readonly unknown[] = Array.isArray(dotAxes) ? dotAxes : [dotAxes, dotAxes]
      if (pair.length !== 2)
        this.#fail('dotAxes', 'an axis or a list of two', `${pair.length} axes`)
      const [a, b] = shapes as readonly [Shape, Shape]
      axes.dot = [this.#axis('dotAxes', pair[0], a), this.#axis('dotAxes', pair[1], b)]
    }
    this.#checkShapes(shapes, axes)
    return axes
  }

  #checkShapes(shapes: readonly Shape[], { concat, dot }: Axes): void {
    const { mode } = this.options
    const refuse = (expected: string, hint?: string): never =>
      fail(ShapeError, 'ERR_SHAPE', {
        where: this.where,
        layer: this.where,
        what: this.branches.length > 0 ? 'outputs of the branches' : 'inputs',
        expected,
        actual: shapes.map(showShape).join(' and '),
        hint,
      })
    const key = (shape: Shape) =>
      JSON.stringify(shape.map((extent, axis) => (axis === concat ? 0 : extent)))
    if (mode !== 'dot' && shapes.some((shape) => key(shape) !== key(shapes[0]!)))
      refuse(
        concat === null
          ? `of one shape for mode '${mode}'`
          : `alike but for axis ${concat}, which mode 'concat' joins`,
      )
    if (dot && shapes[0]![dot[0]] !== shapes[1]![dot[1]]) {
      const isOpen = shapes[0]![dot[0]] === null || shapes[1]![dot[1]] === null
      const hint = isOpen
        ? 'Give the first layer of that branch its inputLength or full inputShape.'
        : undefined
      refuse(`as long along axes ${dot.join(' and ')}, which mode '${mode}' sums over`, hint)
    }
  }

  /** The axes and the output's shape, which a configuration and `outputShape` show. */
  #resolve(shapes: readonly Shape[]): void {
    const axes = this.#axes(shapes)
    if (axes.dot) this.#dotAxes = axes.dot
    this.#outputShape ??= this.#shapeOf(shapes, axes)
  }

  // ---- as a call ----

  override call(x: Tensor | readonly Tensor[]): Called<this> {
    if (this.branches.length > 0)
      this.#fail('layer', 'the first of a Sequential, since it has models', 'called on tensors')
    return super.call(x)
  }

  /** @internal */
  override buildAt(shapes: readonly Shape[]): void {
    if (this.branches.length > 0) {
      if (shapes.length !== this.inputSlots().length) this.#refusePlace()
      this.built = true
      return
    }
    const { mode } = this.options
    const most = mode === 'dot' || mode === 'cos' ? 2 : Number.POSITIVE_INFINITY
    if (shapes.length < 2 || shapes.length > most) {
      const expected = most === 2 ? `two tensors for mode '${mode}'` : 'a list of two or more'
      this.#fail('tensors', expected, `${shapes.length}`)
    }
    this.#resolve(shapes)
    this.built = true
  }

  /** @internal */
  override build(inputShape: Shape): void {
    this.buildAt([inputShape])
  }

  #refusePlace(): never {
    return this.#fail('layer', 'the first of its model', 'one that follows another')
  }

  /** @internal */
  override inputSlots(): ReturnType<Layer['inputSlots']> {
    if (this.branches.length === 0) return super.inputSlots()
    return this.branches.flatMap((branch) => branch.inputSlots())
  }

  /** @internal */
  override slotAt(at: number): ReturnType<Layer['slotAt']> {
    return this.branches.length > 0 ? this.inputSlots()[at]! : super.slotAt(at)
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return inputShape
  }

  /** As Keras infers it: without the axis that its 'cos' adds. */
  override get outputShape(): Shape | undefined {
    return this.#outputShape
  }

  #shapeOf(shapes: readonly Shape[], { concat, dot }: Axes): Shape {
    const [a, b] = shapes as readonly [Shape, Shape]
    if (dot) {
      const free = [
        ...a.filter((_, axis) => axis !== dot[0]),
        ...b.filter((_, axis) => axis !== 0 && axis !== dot[1]),
      ]
      return free.length === 1 ? [...free, 1] : free
    }
    if (concat === null) return a
    const joined = shapes.map((shape) => shape[concat] ?? null)
    const total = joined.includes(null)
      ? null
      : joined.reduce<number>((sum, extent) => sum + extent!, 0)
    return a.map((extent, axis) => (axis === concat ? total : extent))
  }

  /** @internal */
  override outputShapesAt(inputs: readonly Shape[]): readonly Shape[] {
    const shapes = this.#ofBranches(inputs, (branch, part) => branch.outputShapesAt(part))
    return [this.#shapeOf(shapes, this.#axes(shapes))]
  }

  /** @internal */
  override arrayShapesAt(inputs: readonly Shape[]): readonly Shape[] {
    const shapes = this.#ofBranches(inputs, (branch, part) => branch.arrayShapesAt(part))
    const [batch = null, ...rest] = this.#shapeOf(shapes, this.#axes(shapes))
    return [this.options.mode === 'cos' ? [batch, 1, ...rest] : [batch, ...rest]]
  }

  /** What each branch makes of its part of a list; the list itself where there are none. */
  #ofBranches<T>(
    list: readonly T[],
    use: (branch: Container, part: readonly T[]) => readonly T[],
  ): readonly T[] {
    if (this.branches.length === 0) return list
    let at = 0
    return this.branches.flatMap((branch) => {
      const from = at
      at += branch.inputShapes.length
      return use(branch, list.slice(from, at))
    })
  }

  /** @internal */
  override masksAt(masked: readonly boolean[]): readonly boolean[] {
    const { mode } = this.options
    const gives = this.branches.length === 0 && mode !== 'dot' && mode !== 'cos'
    return [gives && masked.includes(true)]
  }

  /** @internal */
  override stepsAt(stepped: readonly boolean[]): readonly boolean[] {
    const each = this.#ofBranches(stepped, (branch, part) => branch.stepsAt(part))
    if (!each.includes(true)) return [false]
    const { mode, concatAxis } = this.options
    const isAcross = mode === 'dot' || mode === 'cos' || (mode === 'concat' && concatAxis === 1)
    if (!isAcross && !each.includes(false)) return [true]
    return refuseSteps(
      this,
      isAcross ? 'one that joins several steps' : 'one of a sequence and something that is none',
      'What is given in `fixed` is no sequence to go through; Attention reads it whole at each step.',
    )
  }

  /** @internal */
  override lowerAt(graph: Graph, inputs: readonly Value[]): readonly Value[] {
    return graph.within({ scope: '', trains: this.trainable }, () => [this.#merge(graph, inputs)])
  }

  #merge(graph: Graph, inputs: readonly Value[]): Value {
    const values = this.#ofBranches(inputs, (branch, part) => branch.lowerAt(graph, part))
    const shapes = values.map((value): Shape => [null, ...value.shape])
    const axes = this.#axes(shapes)
    const shape = this.#shapeOf(shapes, axes).slice(1)
    const { mode } = this.options
    if (axes.dot) {
      const options = { axes: axes.dot.map((axis) => axis - 1), cosine: mode === 'cos' }
      const given = mode === 'cos' ? [1, ...shape] : shape
      return graph.op('dot', values, given, { ...this.opName(), options })
    }
    const mask = this.branches.length > 0 ? null : joinedMask(graph, this.name, values, axes.concat)
    const options = { mode, axis: axes.concat === null ? -1 : axes.concat - 1 }
    return graph.op('merge', values, shape, { ...this.opName(), options, mask: { name: mask } })
  }

  protected emit(): never {
    return this.#refusePlace()
  }

  override getConfig(): Record<string, unknown> {
    const { mode, concatAxis } = this.options
    const { node_indices: _nodes, tensor_indices: _tensors, ...ofFunctions } = OF_FUNCTIONS
    const axes = this.#dotAxes
    return {
      name: this.name,
      mode,
      ...ofFunctions,
      arguments: {},
      concat_axis: concatAxis,
      dot_axes: typeof axes === 'number' ? axes : [...axes],
      ...(this.branches.length > 0
        ? {
            layers: this.branches.map((branch) => ({
              class_name: branch.layerClass.className,
              config: branch.getConfig(),
            })),
          }
        : {}),
    }
  }

  static override fromConfig(config: object, decode: Decode): Layer {
    const { layers, ...given } = config as Record<string, unknown>
    for (const [key, value] of Object.entries(OF_FUNCTIONS)) {
      const said = given[key] ?? null
      delete given[key]
      if (said === null || JSON.stringify(said) === JSON.stringify(value)) continue
      fail(ConfigError, 'ERR_OPTION', {
        where: 'Merge',
        what: key,
        expected: JSON.stringify(value),
        actual: describe(said),
        hint: 'A function as mode is Python code, which is not run here.',
      })
    }
    if (layers === undefined) return Layer.fromConfig.call(Merge, given, decode)
    if (!Array.isArray(layers)) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'Merge',
        what: 'layers',
        expected: 'a list',
        actual: describe(layers),
      })
    }
    const branches = layers.map((layer, i) => decode(layer, `layers[${i}]`))
    return Layer.fromConfig.call(Merge, { ...given, layers: branches }, decode)
  }
}

/** What one tensor is made of several by: the inputs, [B, …] each → [B, …]. */
export type MergeFunction = (inputs: readonly Expr[]) => Expr

/**
 * Makes one tensor of several, by a {@link Merge} layer. Where the mode is a function of
 * `hiddenstate/backend`, it is a layer of {@link defineLayer}, which files keep as data.
 *
 * @param inputs two tensors or more; two for `'dot'` and `'cos'`
 * @param options as those of `Merge`; a function may be the mode, and ends masks
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` for
 *   tensors that do not go together
 * @example
 * const [a, b] = [Input({ shape: [3] }), Input({ shape: [4] })]
 * console.log(merge([a, b], { mode: 'concat' }).shape) // [ null, 7 ]
 * @example
 * import { Input, merge } from 'hiddenstate'
 * import { abs, sub } from 'hiddenstate/backend'
 * const [a, b] = [Input({ shape: [3] }), Input({ shape: [3] })]
 * console.log(merge([a, b], { mode: ([x, y]) => abs(sub(x, y)) }).shape) // [ null, 3 ]
 * @see keras.layers.merge
 */
export function merge(
  inputs: readonly Tensor[],
  options: Omit<MergeOptions, 'mode'> & { mode?: MergeLayerMode | MergeFunction } = {},
): Tensor {
  const { mode, ...rest } = options
  if (typeof mode !== 'function') return new Merge(null, options as MergeOptions).call(inputs)
  const Class = defineLayer('MergeFunction', { mask: 'none', call: (given) => mode(given.inputs) })
  return new Class(rest).call(inputs)
}
