/** Cells of one's own as layers, written as expressions of a step. */
import { setClassName } from '../console-text.js'
import { ConfigError, fail } from '../errors.js'
import type { ExpressionData } from '../expressions/data.js'
import type { Expr } from '../expressions/expr.js'
import { ordered } from '../expressions/order.js'
import type { Init } from '../initializations.js'
import { describe } from '../ndarray.js'
import { isRecord } from '../per-name.js'
import type { Shape } from '../spec.js'
import { requireClassName } from './base/class-names.js'
import {
  applyStep,
  type CellSize,
  type SizedCell,
  stepFromData,
  stepToData,
} from './base/cell-step.js'
import type { LayerClass } from './base/layer.js'
import { type Part, partsOf, requireRead } from './base/parts.js'
import { Recurrent } from './base/recurrent.js'
import type { RecurrentOptions } from './base/recurrent-options.js'
import type { LayerState } from './base/states.js'
import type { KerasArray } from './base/variable.js'

/** A weight of a cell: its extents, and how it begins; null: a cell without it. */
export type CellWeight =
  | readonly CellSize[]
  | {
      readonly shape: readonly CellSize[]
      /**
       * Default: the layer's `init` for a matrix `['D', …]`, its `innerInit` for any other matrix,
       * zeros for vectors.
       */
      readonly init?: Init
    }
  | null

/** A state of a cell. */
export interface CellState {
  /** Extents without the batch. Default `['H']`. */
  readonly shape?: readonly CellSize[]
  /** `'learned'`: a parameter, `h0` for a state h; zeros at first. Default `'zero'`. */
  readonly initial?: 'zero' | 'learned'
}

/** What a step gives: each state after it, and what the layer gives where that is no state. */
export type StepResult<S> = { readonly [K in keyof S]: Expr } & { readonly y?: Expr }

/** Something that may depend on the options of a cell. */
type OfOptions<T, O> = T | ((options: Readonly<O>) => T)

/** A cell as {@link defineCell} takes it. */
export interface CellDefinition<
  W extends Readonly<Record<string, CellWeight>>,
  S extends Readonly<Record<string, CellState>>,
  O extends object,
> {
  /** Options of its own, with their defaults: data that a file can hold. Default: none. */
  readonly options?: O
  readonly weights: OfOptions<W, O>
  /** The first one is what the layer gives, unless the step gives a y. */
  readonly states: OfOptions<S, O>
  step(
    values: { readonly x: Expr } & { readonly [K in keyof W]: Expr } & {
      readonly [K in keyof S]: Expr
    },
    options: Readonly<O>,
  ): StepResult<S>
}

/** Options of layers that {@link defineCell} makes: those of recurrent layers. */
export type CellOptions = Omit<RecurrentOptions, 'activation' | 'bias' | 'unroll'>

/**
 * A class of layers: `new Vanilla(20, { returnSequences: true })`; O are the options of its own.
 */
export type CellClass<O extends object = object> = new (
  outputDim: number,
  options?: CellOptions & Partial<O>,
) => Recurrent<CellOptions & Partial<O>>

/** A cell whose options are known. */
interface Definition {
  readonly weights: Readonly<Record<string, NonNullable<CellWeight>>>
  readonly states: Readonly<Record<string, CellState>>
  step(values: Readonly<Record<string, Expr>>): unknown
}

const { activation, bias, unroll, ...defaults } = Recurrent.defaults
void [activation, bias, unroll]

/** Base of the layers of cells that are expressions. */
abstract class ExpressionCell extends Recurrent<CellOptions> {
  static override readonly defaults: Readonly<Record<string, unknown>> = { ...defaults, cell: null }
  /** What the class was defined with, for the options of a layer. */
  static define(_options: object): Definition {
    return { weights: {}, states: {}, step: () => ({}) }
  }
  /** Whether a file need not describe the step. */
  static readonly isKnown: boolean = false

  protected override readonly cell = ''
  protected override readonly gates = ['']
  protected override readonly kerasGates = []
  #defined: Definition | undefined

  get #definition(): Definition {
    const Class = this.layerClass as unknown as typeof ExpressionCell
    this.#defined ??= Class.define(this.options)
    return this.#defined
  }

  protected override get stateNames(): readonly string[] {
    return Object.keys(this.#definition.states)
  }

  protected override asExpressions(D: number): SizedCell {
    const H = this.given.outputDim
    const { weights, states, step } = this.#definition
    const { className: name } = this.layerClass
    const extents = (sizes: readonly CellSize[]) => sizes.map((size) => extentOf(name, size, D, H))
    const each = <T>(entries: Readonly<Record<string, T>>, of: (entry: T) => readonly CellSize[]) =>
      Object.fromEntries(Object.entries(entries).map(([key, one]) => [key, extents(of(one))]))
    return {
      name,
      features: D,
      weights: each(weights, shapeOfWeight),
      states: each(states, ({ shape = UNITS }) => shape),
      step,
    }
  }

  #cellFor(inputShape: Shape): SizedCell {
    return this.asExpressions(this.known(inputShape, -1, 'D'))
  }

  protected override get learnedStates(): readonly string[] {
    const all = this.given.initialState === 'learned'
    const { states } = this.#definition
    return this.stateNames.filter((name) => all || states[name]!.initial === 'learned')
  }

  protected override step(): never {
    throw new Error('a cell of defineCell is an expression as a whole')
  }

  protected override ownStates(): readonly LayerState[] {
    if (!this.stateful || !this.built) return []
    const [batch] = this.inputShape!
    return Object.entries(this.#cellFor(this.inputShape!).states).map(([name, dims]) => ({
      name,
      shape: [batch!, ...dims],
    }))
  }

  /** @internal */
  override computeOutputShape(inputShape: Shape): Shape {
    const [batch = null, steps = null] = inputShape
    const out = applyStep(this.#cellFor(inputShape)).y.shape.slice(1) as number[]
    return this.returnSequences ? [batch, steps, ...out] : [batch, ...out]
  }

  protected override createVariables(inputShape: Shape): void {
    const { init, innerInit, WRegularizer, URegularizer, bRegularizer } = this.given
    const cell = this.#cellFor(inputShape)
    this.#requireAllRead(cell)
    for (const [name, weight] of Object.entries(this.#definition.weights)) {
      const dims = cell.weights[name]!
      const [first] = shapeOfWeight(weight)
      const isVector = dims.length < 2
      const byDefault = isVector ? 'zero' : first === 'D' ? init : innerInit
      const chosen = 'shape' in weight ? weight.init : undefined
      const ofMatrix = first === 'D' ? WRegularizer : URegularizer
      const regularizer = isVector ? bRegularizer : ofMatrix
      this.addVariable(name, dims, chosen ?? byDefault, { regularizer })
    }
    const learned = this.learnedStates
    if (this.stateful && learned.length > 0)
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: 'stateful',
        expected: 'false for a cell whose states begin with parameters',
        actual: 'true',
      })
    for (const name of learned) this.addVariable(`${name}0`, cell.states[name]!, 'zero')
  }

  /** @throws ConfigError ERR_OPTION for a parameter that the step does not read */
  #requireAllRead(cell: SizedCell): void {
    const { weights, befores, nexts, y } = applyStep(cell)
    const all = new Set(ordered([...nexts.values(), y]))
    const begins = this.learnedStates.map((state): [string, Expr] => [
      `learned state ${state}`,
      befores.get(state)!,
    ])
    const params = [...weights].map(([name, expr]): [string, Expr] => [`weight ${name}`, expr])
    requireRead(
      { where: `${cell.name}: step`, layer: this.where },
      { name: 'the step', all },
      [...params, ...begins],
      'A cell with options may have weights by them: weights: (options) => ({ … }).',
    )
  }

  /** @internal */
  override kerasArrays(): KerasArray[] {
    return this.ownWeights.map((variable) => this.slice(variable, variable.param))
  }

  /** @internal */
  override builtConfig(): Record<string, unknown> {
    const { own, isKnown } = this.layerClass as unknown as typeof ExpressionCell
    if (!this.inputShape || isKnown) return {}
    const all = this.options as unknown as Readonly<Record<string, unknown>>
    const options = Object.fromEntries(own.map((key) => [key, all[key]]))
    return {
      cell: {
        ...dataOf(this.#cellFor(this.inputShape), this.#definition),
        ...(own.length > 0 ? { options } : {}),
      },
    }
  }

  protected override savedOptions(): Record<string, unknown> {
    const { own, isKnown } = this.layerClass as unknown as typeof ExpressionCell
    const unsaved = isKnown ? ['cell'] : own
    const options = Object.entries(super.savedOptions()).filter(
      ([key, value]) => value !== undefined && !unsaved.includes(key),
    )
    return { ...Object.fromEntries(options), ...this.builtConfig() }
  }
}

const UNITS: readonly CellSize[] = ['H']

const shapeOfWeight = (weight: NonNullable<CellWeight>): readonly CellSize[] =>
  'shape' in weight ? weight.shape : weight

/**
 * An extent as a number.
 *
 * @param size 'D', 'H', '4H' or a number
 * @throws ConfigError ERR_OPTION
 */
function extentOf(cell: string, size: CellSize, D: number, H: number): number {
  if (Number.isSafeInteger(size) && Number(size) > 0) return size as number
  if (size === 'D') return D
  if (typeof size === 'string' && /^([1-9]\d{0,5})?H$/.test(size))
    return H * Number(size.slice(0, -1) || 1)
  return refuse(cell, 'an extent', "'D', 'H', '4H' or a positive integer", size)
}

/**
 * A recurrent layer whose step you write: a class to be used wherever `GRU` is, in Bidirectional
 * and TimeDistributed, with masks, dropoutW and dropoutU, `stateful`, `goBackwards`,
 * `returnSequences`, `truncate`, `checkpoint` and files.
 *
 * [B, T, D] → [B, T, H] with `returnSequences`, else [B, H]; H is the first argument of the class,
 * unless the first state, or a y of the step, has another width. The step is called when the layer
 * gets its place in a model, to learn what it computes; no JavaScript runs in a batch. A masked
 * step leaves states and output as they were. A file holds the step as data: `loadModel` needs
 * neither the class nor code.
 * @param name of the class, in files too
 * @param definition weights, states, and the step: x [B, D], weights and states in, new states out
 * @throws ConfigError `ERR_OPTION`, ShapeError `ERR_SHAPE` when a layer gets its place: for a step
 *   that gives something else than its states
 * @example
 * import { defineCell, Sequential } from 'hiddenstate'
 * import { add, dot, tanh } from 'hiddenstate/backend'
 * const Vanilla = defineCell('Vanilla', {
 *   weights: { Wxh: ['D', 'H'], Whh: ['H', 'H'], bh: ['H'] },
 *   states: { h: {} },
 *   step: ({ x, h, Wxh, Whh, bh }) => ({ h: tanh(add(dot(x, Wxh), dot(h, Whh), bh)) }),
 * })
 * const model = new Sequential([new Vanilla(20, { inputShape: [12, 1] })])
 * console.log(model.outputShape) // [ null, 20 ]
 */
export function defineCell<
  const W extends Readonly<Record<string, CellWeight>>,
  const S extends Readonly<Record<string, CellState>>,
  O extends object = Record<never, never>,
>(name: string, definition: CellDefinition<W, S, O>): CellClass<O> {
  return cellClass(name, definition as unknown as Given) as unknown as CellClass<O>
}

/**
 * A cell of this package: files hold its name and options alone, since every reader of them has the
 * class.
 *
 * @see defineCell
 */
export function ownCell<
  const W extends Readonly<Record<string, CellWeight>>,
  const S extends Readonly<Record<string, CellState>>,
  O extends object = Record<never, never>,
>(name: string, definition: CellDefinition<W, S, O>): CellClass<O> {
  const Class = cellClass(name, definition as unknown as Given)
  class Known extends Class {
    static override readonly isKnown = true
  }
  setClassName(Known, name)
  return Known as unknown as CellClass<O>
}

function cellClass(name: string, given: Given): typeof ExpressionCell {
  const { options = {}, weights, states } = given
  requireClassName(`defineCell '${name}'`, name)
  if (typeof given.step !== 'function') refuse(name, 'step', 'a function', given.step)
  const taken = Object.keys(options).find((key) => Object.hasOwn(ExpressionCell.defaults, key))
  if (taken !== undefined)
    refuse(name, 'options', 'named otherwise than those of all cells', `'${taken}'`)
  if (typeof weights !== 'function' && typeof states !== 'function') defined(name, given, options)
  class Own extends ExpressionCell {
    static override readonly className = name
    static override readonly defaults = { ...ExpressionCell.defaults, ...options }
    static override readonly own = Object.keys(options)
    static override define(chosen: object): Definition {
      return defined(name, given, chosen)
    }
  }
  setClassName(Own, name)
  return Own
}

/** A definition as it is given. */
interface Given {
  readonly options?: object
  readonly weights: OfOptions<Readonly<Record<string, CellWeight>>, object>
  readonly states: OfOptions<Definition['states'], object>
  step(values: Readonly<Record<string, Expr>>, options: object): unknown
}

function refuse(cell: string, what: string, expected: string, actual: unknown): never {
  return fail(ConfigError, 'ERR_OPTION', {
    where: `defineCell '${cell}'`,
    what,
    expected,
    actual: typeof actual === 'string' ? actual : describe(actual),
  })
}

function defined(name: string, given: Given, options: object): Definition {
  const of = <T>(part: OfOptions<T, object>): T =>
    typeof part === 'function' ? (part as (options: object) => T)(options) : part
  const states = of(given.states)
  if (!isRecord(states) || Object.keys(states).length === 0)
    refuse(name, 'states', 'one or more', 'none')
  const all = Object.entries(of(given.weights) ?? {})
  const weights = Object.fromEntries(all.filter(([, weight]) => weight !== null)) as {
    [name: string]: NonNullable<CellWeight>
  }
  for (const [weight, of] of Object.entries(weights))
    if (!Array.isArray(of) && !Array.isArray((of as { shape?: unknown } | undefined)?.shape))
      refuse(name, `weight ${weight}`, "a list of extents, such as ['D', 'H']", of)
  const begins = Object.keys(states).map((state) => `${state}0`)
  const names = ['x', 'y', ...begins, ...Object.keys(weights), ...Object.keys(states)]
  const twice = names.find((one, i) => names.indexOf(one) !== i)
  if (twice !== undefined)
    refuse(
      name,
      'names of weights and states',
      `different, and other than x, y (what the layer gives) and ${begins.join(', ')}`,
      `'${twice}'`,
    )
  return { weights, states, step: (values) => given.step(values, options) }
}

// ---- files ----

/** What a file holds of a cell; lists, since their order is that of `getWeights`. */
interface CellData {
  readonly weights: readonly {
    readonly name: string
    readonly shape: readonly number[]
    /** Whether it is one of the input, ['D', …], which `init` and `WRegularizer` are for. */
    readonly ofInput: boolean
  }[]
  readonly states: readonly {
    readonly name: string
    readonly shape: readonly number[]
    readonly initial: string
  }[]
  readonly step: ExpressionData
  /** Of its own. */
  readonly options?: Readonly<Record<string, unknown>>
}

const dataOf = (cell: SizedCell, { weights, states }: Definition): CellData => ({
  weights: Object.entries(cell.weights).map(([name, shape]) => {
    const [first] = shapeOfWeight(weights[name]!)
    return { name, shape, ofInput: first === 'D' }
  }),
  states: Object.entries(cell.states).map(([name, shape]) => {
    const { initial = 'zero' } = states[name]!
    return { name, shape, initial }
  }),
  step: stepToData(cell),
})

interface StatePart extends Part {
  readonly initial?: unknown
}

/**
 * The class of a layer that a file describes with its step; undefined for one that is described
 * without.
 *
 * @throws FormatError ERR_FILE_FORMAT
 */
export function cellClassOf(name: unknown, config: unknown): LayerClass | undefined {
  const data = (config as { cell?: Partial<CellData> | null } | null)?.cell
  // Keras 2 calls the cell of an RNN `cell`, too, and describes it by a class.
  const hasStep = typeof data === 'object' && data !== null && data.step !== undefined
  if (typeof name !== 'string' || !hasStep) return undefined
  const called = name.slice(0, 80)
  const weights = partsOf(called, 'weights of the cell', data.weights)
  const states: readonly StatePart[] = partsOf(called, 'states of the cell', data.states)
  const shapes = (parts: readonly Part[]) =>
    Object.fromEntries(parts.map((part) => [part.name, part.shape]))
  const sized = { name: called, features: 0, weights: shapes(weights), states: shapes(states) }
  const isOfInput = new Set(
    weights.filter((part) => (part as { ofInput?: unknown }).ofInput === true),
  )
  const definition = {
    weights: Object.fromEntries(
      weights.map((part) => {
        const [, ...columns] = part.shape
        return [part.name, isOfInput.has(part) ? ['D', ...columns] : part.shape]
      }),
    ),
    states: Object.fromEntries(
      states.map(({ name, shape, initial }) => [
        name,
        { shape, initial: initial === 'learned' ? 'learned' : 'zero' },
      ]),
    ),
    step: stepFromData(data.step, sized),
    options: isRecord(data.options) ? data.options : {},
  }
  return defineCell(called, definition as never) as unknown as LayerClass
}
