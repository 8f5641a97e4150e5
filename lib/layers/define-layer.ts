/** Layers of one's own, written as an expression of their input and weights. */
import type { ConstraintLike } from '../constraints.js'
import { setClassName } from '../console-text.js'
import { ConfigError, fail, FormatError, ShapeError } from '../errors.js'
import { applied, asData } from '../expressions/applied.js'
import type { ExpressionData } from '../expressions/data.js'
import { showDims } from '../expressions/dims.js'
import { Expr, Placeholder } from '../expressions/expr.js'
import { ordered } from '../expressions/order.js'
import { refuseShape } from '../expressions/place.js'
import { describe, type TensorLike } from '../ndarray.js'
import { isRecord } from '../per-name.js'
import type { Regularizer, RegularizerLike } from '../regularizers.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Written } from '../written.js'
import { requireClassName } from './base/class-names.js'
import { addValue, BATCH, dimsOf, shapeOf } from './base/expression-ops.js'
import { type Decode, Layer, type LayerClass, type LayerOptions } from './base/layer.js'
import type { LayerDefinition, LayerWeight } from './base/layer-definition.js'
import { showShape } from './base/names.js'
import { partsOf, requireRead } from './base/parts.js'
import { opActivity, savedOption } from './base/written-activation.js'

/** Options of a layer that {@link defineLayer} makes. */
export type DefinedOptions<O, W extends string> = LayerOptions &
  Partial<O> & { readonly [K in W as `${K}Regularizer`]?: RegularizerLike } & {
    readonly [K in W as `${K}Constraint`]?: ConstraintLike
  } & {
    /** Penalty on the output, summed over the batch. Default none. */
    readonly activityRegularizer?: RegularizerLike
    /** Initial values, in the order of the definition. */
    readonly weights?: readonly TensorLike[] | null
  }

/** A class of layers: `new Scale({ inputShape: [3] })`. */
export type DefinedClass<O, W extends string> = new (
  options?: DefinedOptions<O, W>,
) => Layer<DefinedOptions<O, W>>

/** What a class was defined with. */
interface Definition {
  readonly options: Readonly<Record<string, unknown>>
  readonly weights: Readonly<Record<string, LayerWeight<Record<string, unknown>>>>
  readonly mask: 'pass' | 'none'
  readonly steps: 'each' | 'all'
  readonly call: ((values: Readonly<Record<string, unknown>>) => unknown) | ExpressionData
}

/** What a configuration holds of it. */
interface DefinitionData {
  readonly options: Readonly<Record<string, unknown>>
  readonly weights: readonly { name: string; shape: readonly number[] }[]
  readonly mask: 'pass' | 'none'
  readonly steps?: 'each'
  /** By the names of weights. */
  readonly regularizers?: Readonly<Record<string, unknown>>
  readonly constraints?: Readonly<Record<string, unknown>>
  readonly expression: ExpressionData
}

type Options = LayerOptions & {
  readonly activityRegularizer: Regularizer | Written | null
  readonly [own: string]: unknown
}

/** Base of the layers that are expressions. */
abstract class ExpressionLayer extends Layer<Options> {
  static override readonly defaults: Readonly<Record<string, unknown>> = {
    ...Layer.defaults,
    activityRegularizer: null,
    weights: null,
  }
  static readonly definition: Definition = {
    options: {},
    weights: {},
    mask: 'pass',
    steps: 'all',
    call: () => 0,
  }
  /** Whether it is a layer of this package, which a file need not describe. */
  static readonly isKnown: boolean = false
  override readonly supportsMasking = true
  /** In the first place, with the batch. */
  #inputShapes: readonly Shape[] | null = null
  /** Of the place at hand, where there are several. */
  #shapes: readonly Shape[] | null = null
  #values: readonly Value[] | null = null

  constructor(options?: object) {
    super([], options)
  }

  get #definition(): Definition {
    return (this.layerClass as unknown as typeof ExpressionLayer).definition
  }

  get #ownOptions(): Readonly<Record<string, unknown>> {
    const names = Object.keys(this.#definition.options)
    return Object.fromEntries(names.map((name) => [name, this.options[name]]))
  }

  // ---- several inputs ----

  #at<T>(shapes: readonly Shape[], use: () => T): T {
    this.#shapes = shapes
    try {
      return use()
    } finally {
      this.#shapes = null
    }
  }

  /** @internal */
  override buildAt(shapes: readonly Shape[]): void {
    this.#at(shapes, () => this.build(shapes[0]!))
  }

  /** @internal */
  override build(inputShape: Shape): void {
    super.build(inputShape)
    const shapes = this.#shapes ?? [inputShape]
    this.#inputShapes ??= shapes
    if (shapes === this.#inputShapes) return
    const made = JSON.stringify(this.#weightShapes(this.#inputShapes))
    if (JSON.stringify(this.#weightShapes(shapes)) === made) return
    fail(ShapeError, 'ERR_SHAPE', {
      where: this.where,
      layer: this.where,
      what: 'inputs',
      expected: `${this.#inputShapes.map(showShape).join(', ')}, for which its weights were made`,
      actual: shapes.map(showShape).join(', '),
    })
  }

  /** @internal */
  override outputShapesAt(shapes: readonly Shape[]): readonly Shape[] {
    return this.#at(shapes, () => super.outputShapesAt(shapes))
  }

  /** @internal */
  override masksAt(masked: readonly boolean[]): readonly boolean[] {
    return [this.computeMask(masked[0]!)]
  }

  /** @internal */
  override lowerAt(graph: Graph, inputs: readonly Value[]): readonly Value[] {
    this.#values = inputs
    try {
      return super.lowerAt(graph, inputs)
    } finally {
      this.#values = null
    }
  }

  /** @internal */
  override computeMask(masked: boolean): boolean {
    return super.computeMask(masked) && this.#definition.mask === 'pass'
  }

  /** @internal */
  override stepsAt(stepped: readonly boolean[]): readonly boolean[] {
    const isEach = this.#definition.steps === 'each' && !stepped.slice(1).includes(true)
    return isEach ? [stepped[0]!] : super.stepsAt(stepped)
  }

  // ---- shapes and weights ----

  #weightShapes(inputShapes: readonly Shape[]): [name: string, dims: readonly number[]][] {
    const given = { ...this.#ownOptions, inputShape: inputShapes[0]!, inputShapes }
    return Object.entries(this.#definition.weights).flatMap(([name, { shape }]) => {
      const dims: unknown = typeof shape === 'function' ? shape(given) : shape
      if (dims === null) return []
      const isExtent = (n: unknown) => Number.isSafeInteger(n) && Number(n) > 0
      if (Array.isArray(dims) && dims.length > 0 && dims.every(isExtent)) return [[name, dims]]
      return fail(ShapeError, 'ERR_SHAPE', {
        where: this.where,
        layer: this.where,
        what: `shape of ${name}`,
        expected: 'a list of positive integers',
        actual: Array.isArray(dims) ? `[${dims.map(String).join(', ')}]` : describe(dims),
        hint: `The input is ${showShape(inputShapes[0]!)}.`,
      })
    })
  }

  /** The value for inputs of these shapes, and what it reads. */
  #applied(inputShapes: readonly Shape[]) {
    const inputs = inputShapes.map(
      (shape, i) => new Placeholder(dimsOf(shape), i === 0 ? 'x' : `inputs[${i}]`),
    )
    const { className } = this.layerClass
    const weights = new Map(
      this.#weightShapes(inputShapes).map(([name, dims]) => [
        name,
        new Expr('weight', [], dims, {}, `${className}/${name}`),
      ]),
    )
    const masks = inputs.map(({ shape: [, steps, ...rest] }, i) =>
      rest.length > 0 ? new Placeholder([BATCH, steps!, 1], `masks[${i}]`) : null,
    )
    const { call } = this.#definition
    const options = this.#ownOptions
    const source =
      typeof call === 'function'
        ? () => call({ ...Object.fromEntries(weights), x: inputs[0]!, inputs, masks, options })
        : call
    const written = new Written(className, source)
    const read = [...inputs, ...weights.values(), ...masks.filter((mask) => mask !== null)]
    const y = applied(written, read, this.where)
    if (y.shape[0] !== BATCH)
      refuseShape({
        where: this.where,
        what: 'what call gives',
        expected: `[${BATCH}, …]`,
        actual: showDims(y.shape),
      })
    const all = new Set(ordered([y]))
    requireRead(
      { where: this.where, layer: this.where },
      { name: 'call', all },
      [...weights].map(([name, weight]) => [`weight ${name}`, weight]),
      'A shape of null leaves a weight out.',
    )
    return { inputs, weights, masks, read, y, written, all }
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const { y } = this.#applied(this.#shapes ?? [inputShape])
    const [batch = null] = inputShape
    return [batch, ...shapeOf(y.shape).slice(1)]
  }

  protected override createVariables(inputShape: Shape): void {
    const { weights } = this.#definition
    for (const [name, dims] of this.#weightShapes(this.#shapes ?? [inputShape])) {
      const init = weights[name]!.init ?? (dims.length < 2 ? 'zero' : 'glorot_uniform')
      this.addVariable(name, dims, init, {
        regularizer: this.options[`${name}Regularizer`] as never,
        constraint: this.options[`${name}Constraint`] as never,
      })
    }
  }

  protected emit(graph: Graph, first: Value): Value {
    const values = [first, ...(this.#values?.slice(1) ?? [])]
    const shapes = values.map(({ shape }): Shape => [null, ...shape])
    const { inputs, weights, masks, y, all } = this.#applied(shapes)
    const given = new Map(inputs.map((x, i) => [x, values[i]!]))
    for (const [i, mask] of masks.entries())
      if (mask && all.has(mask)) given.set(mask, this.#maskValue(graph, values[i]!, i))
    const uses = this.paramUses()
    const mask = this.#definition.mask === 'pass' ? first.mask : null
    if (mask !== null && (y.ndim < 3 || y.shape[1] !== inputs[0]!.shape[1]))
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: 'what call gives of an input with a mask',
        expected: `[${BATCH}, ${inputs[0]!.shape[1]}, …], with the steps of the mask`,
        actual: showDims(y.shape),
        hint: "defineLayer(name, { mask: 'none', … }) lets the mask end here.",
      })
    return addValue(graph, y, given, {
      ...this.opName(),
      where: this.where,
      params: new Map([...weights.values()].map((weight, i) => [weight, uses[i]!])),
      activity: opActivity(this),
      mask: { name: mask },
    })
  }

  /** The mask of an input as a value, [B, T, 1]: ones where it has none. */
  #maskValue(graph: Graph, value: Value, index: number): Value {
    return graph.op('mask_value', [value], [value.shape[0] ?? null, 1], {
      layer: `${this.name}/mask_${index}`,
      className: this.layerClass.className,
      reads: value.mask,
    })
  }

  // ---- configuration ----

  override getConfig(): Record<string, unknown> {
    if ((this.layerClass as unknown as typeof ExpressionLayer).isKnown) return super.getConfig()
    if (!this.#inputShapes)
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: 'layer',
        expected: 'part of a model, which gives its function an input',
        actual: 'one of no model',
      })
    const { read, weights, y, written } = this.#applied(this.#inputShapes)
    const data = asData(written, read, y, this.where)
    const { mask, steps } = this.#definition
    const saved = (kind: 'Regularizer' | 'Constraint') =>
      Object.fromEntries(
        [...weights.keys()]
          .filter((name) => this.options[`${name}${kind}`])
          .map((name) => [name, savedOption(this, `${name}${kind}`)]),
      )
    const definition: DefinitionData = {
      options: this.#ownOptions,
      weights: [...weights].map(([name, { shape }]) => ({
        name,
        shape: shape as readonly number[],
      })),
      mask,
      ...(steps === 'each' ? { steps } : {}),
      regularizers: saved('Regularizer'),
      constraints: saved('Constraint'),
      expression: data.source as ExpressionData,
    }
    return { ...super.getConfig(), definition }
  }

  protected override savedOptions(): Record<string, unknown> {
    if ((this.layerClass as unknown as typeof ExpressionLayer).isKnown) return super.savedOptions()
    const { activityRegularizer, acceptMask } = this.options
    return { activityRegularizer, acceptMask }
  }

  static override fromConfig(this: LayerClass, config: object, decode: Decode): Layer {
    // The class has been made of the definition.
    const { definition: _, ...rest } = config as { definition: DefinitionData }
    // biome-ignore lint/complexity/noThisInStatic: the class it is called on
    return Layer.fromConfig.call(this, rest, decode)
  }
}

/** @param given defaults of options about weights; default: none */
function layerClass(
  name: string,
  definition: Definition,
  given: Readonly<Record<string, unknown>> = {},
): LayerClass {
  const ofWeights = Object.keys(definition.weights).flatMap((weight) =>
    [`${weight}Regularizer`, `${weight}Constraint`].map((key) => [key, given[key] ?? null]),
  )
  class Own extends ExpressionLayer {
    static override readonly className = name
    static override readonly own = Object.keys(definition.options)
    static override readonly defaults = {
      ...ExpressionLayer.defaults,
      ...Object.fromEntries(ofWeights),
      ...definition.options,
    }
    static override readonly definition = definition
  }
  setClassName(Own, name)
  return Own as unknown as LayerClass
}

/** A name that an option or a weight has though something else has it already. */
function usedTwice(weights: readonly string[], options: readonly string[]): string | undefined {
  const names = [
    ...Object.keys(ExpressionLayer.defaults),
    ...['x', 'inputs', 'masks', 'options', 'inputShapes'],
    ...weights.flatMap((name) => [name, `${name}Regularizer`, `${name}Constraint`]),
    ...options,
  ]
  return names.find((one, i) => names.indexOf(one) !== i)
}

/**
 * A layer that you write: a class to be used wherever `Dense` is, with weights, options of its own,
 * one input or several, in TimeDistributed, in functional models and in files.
 *
 * `call` gets the input x [B, …] (or all `inputs`, where the layer is called on a list), weights by
 * their names and the layer's options, and gives an expression [B, …]. It is called when the layer
 * gets its place in a model, to learn what it computes; no JavaScript runs in a batch.
 * `inTrainPhase` and `dropout` know whether a batch trains. Further options of the class:
 * `gammaRegularizer` and `gammaConstraint` for a weight gamma, `activityRegularizer`, `weights`. A
 * file holds the expression and the options as data: `loadModel` needs neither the class nor code.
 * @param name of the class, in files too
 * @param definition options with their defaults, weights, what happens to masks, and `call`
 * @throws ConfigError `ERR_OPTION`; ShapeError `ERR_SHAPE` when a layer gets its place: for weights
 *   without a shape, and for what gives no expression with the batch as its first axis
 * @example
 * import { defineLayer, Sequential } from 'hiddenstate'
 * import { l2Normalize, mul } from 'hiddenstate/backend'
 * const Scale = defineLayer('Scale', {
 *   options: { factor: 1 },
 *   weights: { gamma: { shape: ({ inputShape }) => [inputShape.at(-1)], init: 'one' } },
 *   call: ({ x, gamma, options }) => mul(l2Normalize(x), gamma, options.factor),
 * })
 * const model = new Sequential([new Scale({ factor: 2, inputShape: [3], gammaRegularizer: 'l2' })])
 * console.log(model.outputShape, model.countParams()) // [ null, 3 ] 3
 */
export function defineLayer<
  O extends Readonly<Record<string, unknown>> = Record<never, never>,
  W extends string = never,
>(name: string, definition: LayerDefinition<O, W>): DefinedClass<O, W> {
  const {
    options = {},
    weights = {},
    mask = 'pass',
    steps = 'all',
    call,
  } = definition as unknown as Partial<Definition>
  const wrong = (what: string, expected: string, actual: unknown) =>
    fail(ConfigError, 'ERR_OPTION', {
      where: `defineLayer '${name}'`,
      what,
      expected,
      actual: typeof actual === 'string' ? actual : describe(actual),
    })
  requireClassName(`defineLayer '${name}'`, name)
  if (typeof call !== 'function') wrong('call', 'a function', call)
  if (mask !== 'pass' && mask !== 'none') wrong('mask', "'pass' or 'none'", mask)
  if (steps !== 'each' && steps !== 'all') wrong('steps', "'each' or 'all'", steps)
  for (const part of Object.keys(weights))
    if (!/^[A-Za-z]\w{0,60}$/.test(part)) wrong('a weight', 'called by letters and digits', part)
  const twice = usedTwice(Object.keys(weights), Object.keys(options))
  if (twice !== undefined) wrong('names of options and weights', 'new', `'${twice}'`)
  const made = layerClass(name, { options, weights, mask, steps, call: call! })
  return made as unknown as DefinedClass<O, W>
}

/**
 * A layer of this package: files hold its name and options alone, since every reader of them has
 * the class.
 *
 * @see defineLayer
 */
export function ownLayer<
  O extends Readonly<Record<string, unknown>> = Record<never, never>,
  W extends string = never,
>(name: string, definition: LayerDefinition<O, W>): DefinedClass<O, W> {
  const Class = defineLayer(name, definition) as unknown as typeof ExpressionLayer
  class Known extends Class {
    static override readonly isKnown = true
  }
  setClassName(Known, name)
  return Known as unknown as DefinedClass<O, W>
}

// ---- files ----

/**
 * The class of a layer that a file describes with its expression; undefined for one that is
 * described without.
 *
 * @throws FormatError ERR_FILE_FORMAT
 */
export function definedClassOf(name: unknown, config: unknown): LayerClass | undefined {
  const data = (config as { definition?: Partial<DefinitionData> | null } | null)?.definition
  if (typeof name !== 'string' || !isRecord(data) || data.expression === undefined) return undefined
  const called = name.slice(0, 80)
  const weights = partsOf(called, 'weights of the layer', data.weights)
  const { options, regularizers = {}, constraints = {}, mask, steps, expression } = data
  for (const [what, value] of Object.entries({ options, regularizers, constraints }))
    if (!isRecord(value))
      fail(FormatError, 'ERR_FILE_FORMAT', {
        where: called,
        what: `${what} of the layer`,
        expected: 'an object',
        actual: describe(value),
      })
  const twice = usedTwice(
    weights.map((part) => part.name),
    Object.keys(options as object),
  )
  if (twice !== undefined)
    fail(FormatError, 'ERR_FILE_FORMAT', {
      where: called,
      what: 'names of options and weights',
      expected: 'new',
      actual: describe(twice),
    })
  const given = weights.flatMap(({ name: weight }) => [
    [`${weight}Regularizer`, (regularizers as Record<string, unknown>)[weight]],
    [`${weight}Constraint`, (constraints as Record<string, unknown>)[weight]],
  ])
  const definition: Definition = {
    options: options as Readonly<Record<string, unknown>>,
    weights: Object.fromEntries(weights.map((part) => [part.name, { shape: part.shape }])),
    mask: mask === 'none' ? 'none' : 'pass',
    steps: steps === 'each' ? 'each' : 'all',
    call: expression as ExpressionData,
  }
  return layerClass(called, definition, Object.fromEntries(given))
}
