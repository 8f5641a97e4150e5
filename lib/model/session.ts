/** Steps of a model, from states to states: what `model.session()` gives. */
import { checkInteger } from '../call-options.js'
import type { StepInput, SteppedModel } from '../engine/stepping.js'
import { ConfigError, fail, ShapeError, StateError } from '../errors.js'
import type { Tensor } from '../layers/base/tensor.js'
import type { Floats, NativeArray, NativeOutputs } from '../native.js'
import { describe, NDArray, shapeText, sizeOf, type TensorLike } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { isRecord, perName } from '../per-name.js'
import { type InputSlot, listFor, toNative } from '../training/data.js'
import {
  asPredictions,
  type Inputs,
  type PredictionsOf,
  type Tensors,
} from '../training/results.js'
import type { CompiledModel } from './compiled-model.js'
import {
  checkedInput,
  fixedValues,
  type PendingSteps,
  stepInputs,
  type StepInputs,
} from './session-inputs.js'

/**
 * States by the names of layers, and by their own: `{ lstm_1: { h, c } }`, each [B, H] in one row
 * of numbers. A layer in its second place is `lstm_1:2`, one inside a model `model_1/lstm_1`.
 */
export type SessionState = {
  readonly [layer: string]: { readonly [state: string]: Float32Array | Float64Array }
}

/** The same as JSON has it. */
export type SavedSession = {
  readonly [layer: string]: { readonly [state: string]: readonly number[] }
}

/** Options of {@link Model.session}. */
export interface SessionOptions {
  /**
   * B: so many sequences side by side, of which each array then has an axis in front. Default
   * `null`: one sequence, and arrays without that axis.
   */
  batchSize?: number | null
  /**
   * Inputs that stay the same from the first step on, by their names: what a decoder attends to.
   * What the model makes of them alone is computed once. Default: none.
   */
  fixed?: Readonly<Record<string, TensorLike>> | null
  /** States to begin with: those of `session.state` or `session.save()`. Default: the model's. */
  state?: SessionState | SavedSession | null
}

/** What a session has been given at the beginning. */
interface Base {
  readonly model: CompiledModel
  readonly stepped: SteppedModel
  /** What each step gets: the inputs that are not fixed, and what they are. */
  readonly slots: readonly InputSlot[]
  readonly inputs: readonly StepInput[]
  readonly batchSize: number | null
  /** By the places of the model's inputs. */
  readonly fixed: ReadonlyMap<number, NativeArray>
}

const place = (call: string): string => `model.session().${call}`

/**
 * A model on its way through a sequence: {@link Model.session} makes it. It holds states alone;
 * weights and plan are the model's, so that any number of sessions may go side by side, each in its
 * own sequence.
 *
 * A step sees the weights of that moment. During a `fit` of the model it runs between two batches,
 * as `predict` does. Steps of a session that are not awaited run in the order of the calls. A step
 * that fails leaves the states as they were.
 *
 * @example
 * import { GRU, Sequential, setSeed } from 'hiddenstate'
 * setSeed(1)
 * const model = new Sequential([new GRU(2, { inputShape: [null, 1], returnSequences: true })])
 * const session = model.session()
 * const first = await session.step([0.5])
 * const rest = await session.predict([[0.1], [0.2]])
 * console.log(first.shape, rest.shape) // [ 2 ] [ 2, 2 ]
 * const whole = await model.predict([[[0.5], [0.1], [0.2]]])
 * console.log(whole.get(0, 2, 0) === rest.get(1, 0)) // true
 */
// biome-ignore lint/suspicious/noExplicitAny: a model whose outputs are not known
export class ModelSession<O extends Tensors = any> {
  readonly #base: Base
  /** Memory of its own, in the order of the plan; null: as the model begins. */
  #states: readonly Floats[] | null
  /** What the model has made of fixed inputs; null: nothing yet. */
  #made: readonly NativeArray[] | null = null
  /** How many steps are asked for and not done. */
  #waiting = 0
  /** Who computes them: the session itself, or a Batcher. */
  #by: object = this
  #isDisposed = false

  /** @internal */
  constructor(base: Base, states: readonly Floats[] | null = null) {
    this.#base = base
    this.#states = states
  }

  // ---- steps ----

  /**
   * One step of the sequence.
   *
   * @param x [D], or a number for a model that begins with an Embedding (or has one feature); with
   *   `batchSize` [B, D], or [B]. Of several inputs that are not fixed a list, or an object with
   *   their names; an input that is no sequence is given whole, as one sample
   * @returns the output at this step, [K], or [B, K]; a list of several
   * @throws ShapeError `ERR_SHAPE`; ConfigError `ERR_OPTION` for word indices out of range;
   *   StateError `ERR_DISPOSED`, `ERR_NOT_BUILT` when layers of the model have changed
   * @example
   * import { Dense, Embedding, LSTM, Sequential } from 'hiddenstate'
   * const model = new Sequential([new Embedding(10, 4), new LSTM(8), new Dense(10)])
   * const session = model.session()
   * console.log((await session.step(3)).shape) // [ 10 ]
   */
  async step(x: StepInputs): Promise<PredictionsOf<O>> {
    return this.#run('step', x, false)
  }

  /**
   * {@link ModelSession.step} at once, on this thread: the shortest way for small models.
   *
   * @throws StateError `ERR_BUSY` while the model is fitted (callbacks may call it) or runs a batch
   *   and while a step of this session is under way; as {@link ModelSession.step}
   */
  stepSync(x: StepInputs): PredictionsOf<O> {
    const { model, stepped } = this.#base
    const { runner } = model
    this.#require('stepSync')
    runner.checkIdle('session().stepSync', true)
    runner.checkStill(place('stepSync'))
    this.#requireIdle('stepSync')
    const given = this.#given('stepSync', x, false)
    if (stepped.once && !this.#made)
      this.#made = stepped.once.runAtOnce(runner, () => this.#fixedInputs())
    const outputs = stepped.step.runAtOnce(runner, () => this.#inputs(given))
    return this.#taken(outputs, false)
  }

  /**
   * Several steps at once.
   *
   * @param x [T, D], or [T] for a model that begins with an Embedding; with `batchSize` [B, T, D],
   *   or [B, T]
   * @returns what `model.predict` gives for such a sequence, going on from the states: [T, K], or,
   *   where the last recurrent layer gives no sequence, the output at the last step, [K]; with
   *   `batchSize` [B, T, K] or [B, K]
   * @throws as {@link ModelSession.step}
   */
  async predict(x: StepInputs): Promise<PredictionsOf<O>> {
    return this.#run('predict', x, true)
  }

  async #run(call: string, x: StepInputs, isMany: boolean): Promise<PredictionsOf<O>> {
    const { runner } = this.#base.model
    const steps = this.pending(call, x, isMany)
    try {
      const turn = await runner.take()
      try {
        await steps.begin()
        return steps.take(await steps.plan.run(runner, `session().${call}`, () => steps.inputs()))
      } finally {
        turn.release()
      }
    } finally {
      steps.end()
    }
  }

  /**
   * @internal Steps that somebody computes later; until then the session is not idle.
   *
   * @param by who does: while steps wait, no other may
   * @throws as {@link ModelSession.step}; StateError ERR_BUSY
   */
  pending(call: string, x: StepInputs, isMany: boolean, by: object = this): PendingSteps<O> {
    const { stepped, model, batchSize, fixed } = this.#base
    this.#require(call)
    if (by !== this.#by) this.#requireIdle(call)
    const given = this.#given(call, x, isMany).map(({ data, shape }) => ({
      data: data.slice(),
      shape,
    }))
    this.#by = by
    this.#waiting++
    return {
      plan: stepped.step,
      rows: batchSize ?? 1,
      outputs: stepped.outputs.length,
      shapes: [...given, ...fixed.values()].map(({ shape }) => shape.slice(1).join()).join(' '),
      begin: async () => {
        this.#require(call)
        if (stepped.once && !this.#made) {
          const made = () => this.#fixedInputs()
          this.#made = await stepped.once.run(model.runner, `session().${call}`, made)
        }
      },
      inputs: () => this.#inputs(given),
      take: (outputs) => {
        this.#require(call)
        return this.#taken(outputs, isMany)
      },
      end: () => this.#waiting--,
    }
  }

  /** @internal */
  get model(): CompiledModel {
    return this.#base.model
  }

  #fixedInputs(): NativeArray[] {
    const { inputs } = this.#base.stepped
    return inputs.flatMap((input, i) => (input === 'fixed' ? this.#base.fixed.get(i)! : []))
  }

  /** What the plan of steps reads. */
  #inputs(given: readonly NativeArray[]): NativeArray[] {
    const { stepped, fixed } = this.#base
    const kept = stepped.kept.map((one) =>
      'made' in one ? this.#made![one.made]! : fixed.get(one.input)!,
    )
    const states = this.#states ?? this.#beginning()
    return [...given, ...kept, ...states.map((data, i) => ({ data, shape: this.#stateShape(i) }))]
  }

  /** The outputs for the caller; the states are those after the steps from now on. */
  #taken(all: NativeOutputs, isMany: boolean): PredictionsOf<O> {
    const { stepped, batchSize } = this.#base
    const { outputs } = stepped
    this.#states ??= this.#beginning()
    for (const [i, data] of this.#states.entries()) data.set(all[outputs.length + i]!.data)
    const results = outputs.map((isSequence, i) => {
      const { data, shape } = all[i]!
      const [batch, ...dims] = shape as [number, ...number[]]
      const own = isSequence && !isMany ? dims.slice(1) : dims
      return new NDArray(data, batchSize === null ? own : [batch, ...own])
    })
    return asPredictions(results) as PredictionsOf<O>
  }

  // ---- what it is given ----

  #given(call: string, x: unknown, isMany: boolean): NativeArray[] {
    const { slots, inputs, batchSize } = this.#base
    const values = listFor(x as Inputs, slots, { name: 'x', each: 'input' })
    const given = values.map((value, i) => {
      const what = slots.length > 1 ? `x of ${slots[i]!.name}` : 'x'
      const how = { where: place(call), what, batchSize, isMany }
      return checkedInput(how, inputs[i]!, slots[i]!, value)
    })
    const steps = given.filter((_, i) => inputs[i] === 'sequence').map(({ shape }) => shape[1]!)
    if (steps.every((n) => n === steps[0])) return given
    return fail(ShapeError, 'ERR_SHAPE', {
      where: place(call),
      what: 'steps of the inputs',
      expected: 'as many in each',
      actual: steps.join(' and '),
    })
  }

  // ---- states ----

  #stateShape(i: number): number[] {
    const { stepped, batchSize } = this.#base
    return [batchSize ?? 1, ...stepped.states[i]!.shape]
  }

  /** The states as the model begins: zeros, or the rows that it has learned. */
  #beginning(): Floats[] {
    const { stepped, model } = this.#base
    return stepped.states.map(({ begins }, i) => {
      const size = sizeOf(this.#stateShape(i))
      const data = model.floatx === 'float64' ? new Float64Array(size) : new Float32Array(size)
      const row = begins?.read()
      if (row) for (let at = 0; at < size; at += row.length) data.set(row, at)
      return data
    })
  }

  /** The states now, by the names of layers; copies. Set, it goes on from there: all or none. */
  get state(): SessionState {
    this.#require('state')
    this.#requireIdle('state')
    return this.#named((data) => data.slice())
  }

  /**
   * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` and ShapeError `ERR_SHAPE` for states of
   *   another model or batch size
   */
  set state(state: SessionState | SavedSession) {
    this.#require('state')
    this.#requireIdle('state')
    this.#states = this.#read('state', state)
  }

  #named<T>(use: (data: Floats) => T): { [layer: string]: { [state: string]: T } } {
    const states = this.#states ?? this.#beginning()
    const all: { [layer: string]: { [state: string]: T } } = {}
    for (const [i, { layer, name }] of this.#base.stepped.states.entries())
      (all[layer] ??= {})[name] = use(states[i]!)
    return all
  }

  #read(call: string, given: unknown): Floats[] {
    const where = call === 'session' ? 'model.session' : place(call)
    const { states } = this.#base.stepped
    const refuse = (what: string, actual: unknown): never =>
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what,
        expected: 'an object, as session.state and session.save() give it',
        actual: describe(actual),
      })
    const layers = [...new Set(states.map(({ layer }) => layer))]
    const byLayer = isRecord(given)
      ? perName({ where, what: 'state', each: 'layer' }, given, layers)!
      : refuse('state', given)
    const read = layers.flatMap((layer, i) => {
      const own = states.filter((state) => state.layer === layer).map(({ name }) => name)
      const what = `state of ${layer}`
      return isRecord(byLayer[i])
        ? perName({ where, what, each: 'state' }, byLayer[i], own)!
        : refuse(what, byLayer[i])
    })
    return states.map(({ layer, name }, i) => {
      const what = `state ${layer}/${name}`
      const { data } = toNative(read[i] as TensorLike, what)
      const shape = this.#stateShape(i)
      if (data.length !== sizeOf(shape))
        fail(ShapeError, 'ERR_SHAPE', {
          where,
          what,
          expected: `${sizeOf(shape)} numbers for ${shapeText(shape)}`,
          actual: `${data.length}`,
        })
      return this.#base.model.floatx === 'float64' ? new Float64Array(data) : new Float32Array(data)
    })
  }

  /** @internal States given to `model.session`. */
  begin(state: unknown): this {
    this.#states = this.#read('session', state)
    return this
  }

  /**
   * The states as plain lists of numbers, which JSON holds exactly (if all are finite):
   * `model.session({ state })` goes on from there, also in another process. Inputs that are fixed
   * are not among them.
   *
   * @throws as {@link ModelSession.step}; StateError `ERR_BUSY` while a step is under way
   * @example
   * import { LSTM, Sequential } from 'hiddenstate'
   * const model = new Sequential([new LSTM(3, { inputShape: [null, 2] })])
   * const session = model.session()
   * await session.step([1, 2])
   * const text = JSON.stringify(session.save())
   * const again = model.session({ state: JSON.parse(text) })
   * const [a, b] = [await session.step([3, 4]), await again.step([3, 4])]
   * console.log(a.get(0) === b.get(0)) // true
   */
  save(): SavedSession {
    this.#require('save')
    this.#requireIdle('save')
    return this.#named((data) => Array.from(data))
  }

  /**
   * Another session at the same place of the same sequence; from there the two go on without one
   * another, as the hypotheses of a beam search do.
   *
   * @throws as {@link ModelSession.save}
   */
  fork(): ModelSession<O> {
    this.#require('fork')
    this.#requireIdle('fork')
    const made = new ModelSession<O>(
      this.#base,
      this.#states?.map((data) => data.slice()),
    )
    made.#made = this.#made
    return made
  }

  /**
   * Back to the beginning: states as the model begins, and what it makes of fixed inputs anew, with
   * the weights of the next step.
   *
   * @throws as {@link ModelSession.save}
   */
  reset(): void {
    this.#require('reset')
    this.#requireIdle('reset')
    this.#states = null
    this.#made = null
  }

  /**
   * Lets go of states and fixed inputs; the model stays. A step under way rejects, every later call
   * throws ERR_DISPOSED. Twice does no harm. A session that is not disposed of costs its states
   * alone, and those until the garbage collector comes.
   */
  dispose(): void {
    this.#isDisposed = true
    this.#states = null
    this.#made = null
  }

  /** For `using session = …`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @throws StateError ERR_DISPOSED, ERR_NOT_BUILT */
  #require(call: string): void {
    const { model, stepped } = this.#base
    model.runner.checkAlive(`session().${call}`)
    if (this.#isDisposed)
      fail(StateError, 'ERR_DISPOSED', {
        where: place(call),
        what: 'session',
        expected: 'in use',
        actual: 'one that was disposed',
      })
    if (!stepped.isCurrent)
      fail(StateError, 'ERR_NOT_BUILT', {
        where: place(call),
        what: 'session',
        expected: 'one of the layers that the model has',
        actual: 'one from before they changed',
        hint: 'model.session() makes a new one.',
      })
  }

  #requireIdle(call: string): void {
    if (this.#waiting === 0) return
    fail(StateError, 'ERR_BUSY', {
      where: place(call),
      what: 'session',
      expected: 'idle',
      actual: 'one whose step is under way',
      hint: 'Await the step.',
    })
  }
}

/** @throws ConfigError ERR_OPTION, ERR_UNKNOWN_NAME; ShapeError ERR_SHAPE */
export function sessionOf<O extends Tensors = Tensor>(
  model: CompiledModel,
  given?: SessionOptions,
): ModelSession<O> {
  const where = 'model.session'
  model.runner.checkAlive('session')
  const slots = model.inputSlots()
  const nothing = { batchSize: null as unknown, fixed: null as unknown, state: null as unknown }
  const options = resolveOptions<typeof nothing>(where, nothing, given)
  const batchSize =
    options.batchSize === null ? null : checkInteger(where, 'batchSize', options.batchSize, 1)
  const values = fixedValues(where, slots, options.fixed)
  const inputs = stepInputs(where, model, slots, values)
  const stepped = model.stepped(inputs)
  const fixed = new Map<number, NativeArray>()
  for (const [i, value] of values.entries()) {
    if (value === undefined) continue
    const what = `fixed.${slots[i]!.name}`
    const array = checkedInput({ where, what, batchSize, isMany: true }, 'fixed', slots[i]!, value)
    fixed.set(i, { data: array.data.slice(), shape: array.shape })
  }
  const isGiven = (_: unknown, i: number) => inputs[i] !== 'fixed'
  const session = new ModelSession<O>({
    model,
    stepped,
    slots: slots.filter(isGiven),
    inputs: inputs.filter(isGiven),
    batchSize,
    fixed,
  })
  return options.state === null ? session : session.begin(options.state)
}
