/** Cells of one's own as layers, written as expressions of a step. */
import { ConfigError, fail, FormatError } from '../errors.js'
import type { ExpressionData } from '../expressions/data.js'
import { Expr } from '../expressions/expr.js'
import type { Init } from '../initializations.js'
import { describe } from '../ndarray.js'
import type { Graph, ParamUse, Shape, Value } from '../spec.js'
import {
  applyStep,
  cellLoop,
  type CellSize,
  type SizedCell,
  stepFromData,
  stepToData,
} from './base/cell-step.js'
import { addExpression } from './base/expression-ops.js'
import type { LayerClass } from './base/layer.js'
import { Recurrent, type RecurrentOptions } from './base/recurrent.js'
import type { LayerState } from './base/states.js'
import type { KerasArray } from './base/variable.js'

/** A weight of a cell: its extents, and how it begins. */
export type CellWeight =
  | readonly CellSize[]
  | {
      readonly shape: readonly CellSize[]
      /**
       * Default: the layer's `init` for what x is multiplied with, `['D', …]`; its `innerInit` for
       * what a state is, `['H', …]`; zeros for vectors.
       */
      readonly init?: Init
    }

/** A state of a cell. */
export interface CellState {
  /** Extents without the batch. Default `['H']`. */
  readonly shape?: readonly CellSize[]
  /** `'learned'`: a parameter, `h0` for a state h; zeros at first. Default `'zero'`. */
  readonly initial?: 'zero' | 'learned'
}

/** What a step gives: each state after it, and what the layer gives where that is no state. */
export type StepResult<S> = { readonly [K in keyof S]: Expr } & { readonly y?: Expr }

/** A cell as {@link defineCell} takes it. */
export interface CellDefinition<
  W extends Readonly<Record<string, CellWeight>>,
  S extends Readonly<Record<string, CellState>>,
> {
  readonly weights: W
  /** The first one is what the layer gives, unless the step gives a y. */
  readonly states: S
  step(
    values: { readonly x: Expr } & { readonly [K in keyof W]: Expr } & {
      readonly [K in keyof S]: Expr
    },
  ): StepResult<S>
}

/** Options of layers that {@link defineCell} makes: those of recurrent layers. */
export type CellOptions = Omit<RecurrentOptions, 'activation' | 'bias' | 'checkpoint' | 'unroll'>

/** A class of layers: `new Vanilla(20, { returnSequences: true })`. */
export type CellClass = new (outputDim: number, options?: CellOptions) => Recurrent<CellOptions>

interface Definition {
  readonly weights: Readonly<Record<string, CellWeight>>
  readonly states: Readonly<Record<string, CellState>>
  step(values: Readonly<Record<string, Expr>>): unknown
}

const { activation, bias, checkpoint, unroll, ...defaults } = Recurrent.defaults
void [activation, bias, checkpoint, unroll]

/** Base of the layers of cells that are expressions. */
abstract class ExpressionCell extends Recurrent<CellOptions> {
  static override readonly defaults: Readonly<Record<string, unknown>> = { ...defaults, cell: null }
  /** What the class was defined with; of a layer from a file, the option `cell` says it. */
  static readonly definition: Definition = { weights: {}, states: {}, step: () => ({}) }

  protected override readonly cell = ''
  protected override readonly gates = ['']
  protected override readonly kerasGates = []

  get #definition(): Definition {
    return (this.layerClass as unknown as typeof ExpressionCell).definition
  }

  #sized(D: number): SizedCell {
    const H = this.given.outputDim
    const { weights, states, step } = this.#definition
    const extents = (sizes: readonly CellSize[]) =>
      sizes.map((size) => (size === 'D' ? D : size === 'H' ? H : size))
    const each = <T>(entries: Readonly<Record<string, T>>, of: (entry: T) => readonly CellSize[]) =>
      Object.fromEntries(Object.entries(entries).map(([key, one]) => [key, extents(of(one))]))
    return {
      name: this.layerClass.className,
      features: D,
      weights: each(weights, shapeOfWeight),
      states: each(states, ({ shape = UNITS }) => shape),
      step,
    }
  }

  #cellFor(inputShape: Shape): SizedCell {
    return this.#sized(this.known(inputShape, -1, 'D'))
  }

  /** Parameters that states begin with: of state h, h0. */
  #learned(): string[] {
    const all = this.given.initialState === 'learned'
    const isLearned = ([, { initial }]: [string, CellState]) => all || initial === 'learned'
    return Object.entries(this.#definition.states)
      .filter(isLearned)
      .map(([name]) => name)
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
    const learned = this.#learned()
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

  /** @internal */
  override kerasArrays(): KerasArray[] {
    return this.ownWeights.map((variable) => this.slice(variable, variable.param))
  }

  protected override emit(graph: Graph, x: Value): Value {
    const { dropoutW, dropoutU, consumeLess, goBackwards, stateful, truncate } = this.given
    const uses = new Map(this.paramUses().map((use) => [use.name, use]))
    const params = new Map<Expr, ParamUse>()
    const initial = new Map(
      this.#learned().map((name) => [name, learnedState(uses.get(`${name}0`)!, params)]),
    )
    const made = cellLoop(this.#sized(x.shape.at(-1)!), {
      isMasked: x.mask !== null,
      dropoutW,
      dropoutU,
      sharedDropout: consumeLess === 'gpu',
      goBackwards,
      stateful,
      truncate,
      returnSequences: this.returnSequences,
      initial,
    })
    for (const [name, expr] of made.weights) params.set(expr, uses.get(name)!)
    const y = addExpression(graph, made.root, {
      ...this.opName(),
      where: this.where,
      inputs: new Map([[made.x, x]]),
      params,
      reads: x.mask,
      mask: { name: this.returnSequences ? x.mask : null },
    })
    const isReversed = this.returnSequences && goBackwards !== (x.isReversed ?? false)
    return { ...y, isReversed }
  }

  /** @internal */
  override builtConfig(): Record<string, unknown> {
    if (!this.inputShape) return {}
    return { cell: dataOf(this.#cellFor(this.inputShape), this.#definition) }
  }

  protected override savedOptions(): Record<string, unknown> {
    const options = Object.entries(super.savedOptions()).filter(([, value]) => value !== undefined)
    return { ...Object.fromEntries(options), ...this.builtConfig() }
  }
}

const UNITS: readonly CellSize[] = ['H']

const shapeOfWeight = (weight: CellWeight): readonly CellSize[] =>
  'shape' in weight ? weight.shape : weight

function learnedState(use: ParamUse, params: Map<Expr, ParamUse>): Expr {
  const expr = new Expr('weight', [], use.dims, {}, use.name)
  params.set(expr, use)
  return expr
}

/**
 * A recurrent layer whose step you write: a class to be used wherever `GRU` is, in Bidirectional
 * and TimeDistributed, with masks, dropoutW and dropoutU, `stateful`, `goBackwards`,
 * `returnSequences`, `truncate` and files.
 *
 * [B, T, D] → [B, T, H] with `returnSequences`, else [B, H]; H is the first argument of the class,
 * unless the step gives a y of another width. The step is called when the layer gets its place in a
 * model, to learn what it computes; no JavaScript runs in a batch. A masked step leaves states and
 * output as they were. A file holds the step as data: `loadModel` needs neither the class nor code.
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
>(name: string, definition: CellDefinition<W, S>): CellClass {
  const { weights, states, step } = definition as unknown as Definition
  const wrong = (what: string, expected: string, actual: unknown) =>
    fail(ConfigError, 'ERR_OPTION', {
      where: `defineCell '${name}'`,
      what,
      expected,
      actual: typeof actual === 'string' ? actual : describe(actual),
    })
  if (typeof name !== 'string' || !/^\w+$/.test(name)) wrong('name', 'letters and digits', name)
  if (typeof step !== 'function') wrong('step', 'a function', step)
  if (Object.keys(states ?? {}).length === 0) wrong('states', 'one or more', 'none')
  const names = ['x', 'y', ...Object.keys(weights), ...Object.keys(states)]
  const twice = names.find((one, i) => names.indexOf(one) !== i)
  if (twice !== undefined) wrong('names', 'different, and other than x and y', `'${twice}' twice`)
  return class extends ExpressionCell {
    static override readonly className = name
    static override readonly definition: Definition = { weights, states, step }
  }
}

// ---- files ----

/** What a file holds of a cell; lists, since their order is that of `getWeights`. */
interface CellData {
  readonly weights: readonly { readonly name: string; readonly shape: readonly number[] }[]
  readonly states: readonly {
    readonly name: string
    readonly shape: readonly number[]
    readonly initial: string
  }[]
  readonly step: ExpressionData
}

const dataOf = (cell: SizedCell, { states }: Definition): CellData => ({
  weights: Object.entries(cell.weights).map(([name, shape]) => ({ name, shape })),
  states: Object.entries(cell.states).map(([name, shape]) => {
    const { initial = 'zero' } = states[name]!
    return { name, shape, initial }
  }),
  step: stepToData(cell),
})

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
  const weights = partsOf(called, 'weights', data.weights)
  const states = partsOf(called, 'states', data.states)
  const shapes = (parts: readonly Part[]) =>
    Object.fromEntries(parts.map((part) => [part.name, part.shape]))
  const sized = { name: called, features: 0, weights: shapes(weights), states: shapes(states) }
  const definition = {
    weights: sized.weights,
    states: Object.fromEntries(
      states.map(({ name, shape, initial }) => [
        name,
        { shape, initial: initial === 'learned' ? 'learned' : 'zero' },
      ]),
    ),
    step: stepFromData(data.step, sized),
  }
  return defineCell(called, definition as never) as unknown as LayerClass
}

/** A weight or a state. */
interface Part {
  readonly name: string
  readonly shape: readonly number[]
  readonly initial?: unknown
}

/** @throws FormatError ERR_FILE_FORMAT for anything but names with extents */
function partsOf(where: string, what: string, data: unknown): readonly Part[] {
  const isExtent = (n: unknown) => Number.isSafeInteger(n) && Number(n) > 0
  const isPart = (one: unknown) => {
    if (typeof one !== 'object' || one === null) return false
    const { name, shape } = one as Partial<Part>
    const isName = typeof name === 'string' && /^[A-Za-z]\w{0,60}$/.test(name)
    return isName && Array.isArray(shape) && shape.length <= 32 && shape.every(isExtent)
  }
  if (Array.isArray(data) && data.length <= 1000 && data.every(isPart)) return data
  return fail(FormatError, 'ERR_FILE_FORMAT', {
    where,
    what: `${what} of the cell`,
    expected: 'a list of names with positive integers as shapes',
    actual: describe(data),
  })
}
