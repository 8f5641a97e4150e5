import { ConfigError, fail, nearest, ShapeError } from '../errors.js'
import { describe } from '../ndarray.js'
import { setClassName } from '../console-text.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Container } from './base/container.js'
import { type Decode, Layer, type LayerOptions } from './base/layer.js'
import { showShape } from './base/names.js'

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

/** Keys of configurations for modes that are functions, which this package does not have. */
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

/**
 * Makes one output of those of several models; first layer of a model, which then takes a list of
 * arrays, `[x1, x2]`, for x.
 *
 * Sum, mul, ave and max want outputs of one shape and give that shape; concat wants all but one
 * axis alike. `'dot'` of [B, n] and [B, n] → [B, 1], of [B, T, D] and [B, S, D] → [B, T, S];
 * `'cos'` the same of two of one shape, divided by the lengths (the products of each with itself),
 * its arrays with one more axis of 1 after the batch, which `outputShape` leaves out, as in Keras.
 * The masks of the branches end here, as in Keras, where a model shows none. Weights: those of the
 * branches, in order; `trainable: false` freezes them and is in no configuration. A layer or model
 * that is in several branches has one set of weights,
 * whose gradient is the sum over its places (siamese nets).
 * @param layers two models or more, each with layers; no two the same, which would be one input
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
export class Merge extends Layer<MergeOptions & LayerOptions & { layers: readonly Container[] }> {
  static override readonly className = 'Merge'
  static {
    setClassName(Merge, 'Merge')
  }
  static override readonly positional = ['layers']
  static override readonly defaults: Readonly<Record<string, unknown>> = {
    name: null,
    trainable: true,
    mode: 'sum',
    concatAxis: -1,
    dotAxes: -1,
  }
  override readonly supportsMasking = true
  /** The axes of the mode, counted with the batch; null where it has none. */
  readonly #axes: { concat: number | null; dot: readonly [number, number] | null }

  constructor(layers: readonly Container[], options?: MergeOptions) {
    super([Array.isArray(layers) ? Object.freeze([...layers]) : layers], options)
    this.#checkOptions()
    const shapes = this.branches.map((branch) => branch.outputShape!)
    this.#axes = { concat: this.#concatAxis(shapes), dot: this.#dotAxes(shapes) }
    this.#checkShapes(shapes)
    for (const branch of this.options.layers) branch.becomePart()
  }

  override get branches(): readonly Container[] {
    return this.options.layers
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
      branch.buildFirst()
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

  #concatAxis(shapes: readonly Shape[]): number | null {
    return this.options.mode === 'concat'
      ? this.#axis('concatAxis', this.options.concatAxis, shapes[0]!)
      : null
  }

  #dotAxes([a, b]: readonly Shape[]): readonly [number, number] | null {
    const { mode, dotAxes } = this.options
    if (mode !== 'dot' && mode !== 'cos') return null
    const pair: readonly unknown[] = Array.isArray(dotAxes) ? dotAxes : [dotAxes, dotAxes]
    if (pair.length !== 2) this.#fail('dotAxes', 'an axis or a list of two', `${pair.length} axes`)
    return [this.#axis('dotAxes', pair[0], a!), this.#axis('dotAxes', pair[1], b!)]
  }

  #checkShapes(shapes: readonly Shape[]): void {
    const { mode } = this.options
    const { concat, dot } = this.#axes
    const refuse = (expected: string, hint?: string): never =>
      fail(ShapeError, 'ERR_SHAPE', {
        where: this.where,
        layer: this.where,
        what: 'outputs of the branches',
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

  // ---- only ever the first layer ----

  /** @internal */
  override build(): void {
    this.emit()
  }

  /** @internal */
  override buildFirst(): void {
    this.built = true
  }

  /** @internal */
  override inputSlots(): ReturnType<Layer['inputSlots']> {
    return this.branches.flatMap((branch) => branch.inputSlots())
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return inputShape
  }

  /** The output shape as Keras infers it: without the axis that its 'cos' adds. */
  override get outputShape(): Shape {
    return this.#outputShape(this.branches.map((branch) => branch.outputShape!))
  }

  #outputShape(shapes: readonly Shape[]): Shape {
    const { concat, dot } = this.#axes
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

  /** The shape of the output array. */
  #arrayShape(shapes: readonly Shape[]): Shape {
    const [batch = null, ...rest] = this.#outputShape(shapes)
    return this.options.mode === 'cos' ? [batch, 1, ...rest] : [batch, ...rest]
  }

  /** @internal */
  override computeFirstOutputShape(inputs: readonly Shape[]): Shape {
    let at = 0
    const shapes = this.branches.map((branch) => {
      const from = at
      at += branch.inputSlots().length
      return branch.computeFirstOutputShape(inputs.slice(from, at))
    })
    return this.#arrayShape(shapes)
  }

  /** @internal */
  override computeFirstMask(): boolean {
    return false
  }

  /** @internal */
  override lowerFirst(graph: Graph): Value {
    return graph.within({ scope: '', trains: this.trainable }, () => this.#merge(graph))
  }

  #merge(graph: Graph): Value {
    const values = this.branches.map((branch) => branch.lowerFirst(graph))
    const shape = this.#arrayShape(values.map((value) => [null, ...value.shape])).slice(1)
    const { concat, dot } = this.#axes
    const { mode } = this.options
    if (dot) {
      const options = { axes: dot.map((axis) => axis - 1), cosine: mode === 'cos' }
      return graph.op('dot', values, shape, { ...this.opName(), options })
    }
    const options = { mode, axis: concat === null ? -1 : concat - 1 }
    return graph.op('merge', values, shape, { ...this.opName(), options })
  }

  protected emit(): never {
    this.#fail('layer', 'the first of its model', 'one that follows another')
  }

  override getConfig(): Record<string, unknown> {
    const { mode, concatAxis, dotAxes } = this.options
    const { node_indices: _nodes, tensor_indices: _tensors, ...ofFunctions } = OF_FUNCTIONS
    return {
      name: this.name,
      mode,
      ...ofFunctions,
      arguments: {},
      concat_axis: concatAxis,
      dot_axes: this.#axes.dot
        ? [...this.#axes.dot]
        : Array.isArray(dotAxes)
          ? [...dotAxes]
          : dotAxes,
      layers: this.branches.map((branch) => ({
        class_name: branch.layerClass.className,
        config: branch.getConfig(),
      })),
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
