/** Calls of many users as rows of few batches. */
import { checkSignal } from '../call-options.js'
import { lowerModel } from '../engine/lowering.js'
import type { PlanBeside } from '../engine/plan-beside.js'
import { ConfigError, errorOf, fail, type HiddenstateError, StateError } from '../errors.js'
import type { NativeArray, NativeOutputs } from '../native.js'
import { describe, NDArray } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { prepareInputs } from '../training/data.js'
import {
  asPredictions,
  type Inputs,
  type PredictionsOf,
  type Tensors,
} from '../training/results.js'
import { meetingOf } from '../world/shareable.js'
import { cut, joined, shapesText } from './batch-rows.js'
import {
  type BatcherOptions,
  checkedOptions,
  checkTimeout,
  type GatherOptions,
} from './batcher-options.js'
import { Model } from './model.js'
import { ModelSession } from './session.js'
import type { StepInputs } from './session-inputs.js'

/** A call that waits. */
interface Waiting {
  /** Calls of one key may share a batch: those of one plan (null: that of the model) and shape. */
  readonly plan: PlanBeside | null
  readonly shapes: string
  readonly rows: number
  /** How many of the plan's outputs are the caller's to keep. */
  readonly outputs: number
  /** Whose steps must not overtake one another; null: nobody's. */
  readonly session: ModelSession | null
  /** `performance.now()` */
  readonly since: number
  readonly until: number
  /** Still in time and of use. @throws why not */
  begin(): Promise<void> | void
  inputs(): readonly NativeArray[]
  /** At once, so that the next batch may have the next step of the session. */
  done(outputs: NativeOutputs): void
  failed(reason: unknown): void
  isSettled: boolean
}

/** What a call asks for. */
interface Work<R>
  extends Pick<Waiting, 'plan' | 'shapes' | 'rows' | 'outputs' | 'session' | 'begin' | 'inputs'> {
  take(outputs: NativeOutputs): R
}

/**
 * Gathers calls that come at the same time into batches: predictions of single samples, and steps
 * of many sessions, each of which is a row then. What a call gets has the very bits that it would
 * get alone, whoever shares its batch. Not in Keras.
 *
 * Calls with inputs of equal shapes share a batch; sequences of other lengths are in another one.
 * Nobody is overtaken for long: each batch begins with the call that has waited longest. A call
 * that waits can be given up (`signal`, `timeoutMs`) and is not computed then; once its batch runs
 * it is answered.
 *
 * @param model is not disposed of with the batcher; its layers must stay as they are
 * @throws ConfigError `ERR_OPTION` for a model whose samples meet in a batch (stateful layers,
 *   BatchNormalization with `mode: 2`, expressions over the batch), and for bad options
 * @example
 * import { Batcher, Dense, LSTM, Sequential } from 'hiddenstate'
 * const model = new Sequential([new LSTM(8, { inputShape: [null, 3] }), new Dense(1)])
 * const batcher = new Batcher(model, { maxBatch: 32 })
 * const [a, b] = await Promise.all([
 *   batcher.predict([[[1, 2, 3]]]),
 *   batcher.predict([[[4, 5, 6]]]),
 * ])
 * console.log(a.shape, b.shape) // [ 1, 1 ] [ 1, 1 ]
 * const users = [model.session(), model.session()]
 * const steps = await Promise.all(users.map((user) => batcher.step(user, [1, 2, 3])))
 * console.log(steps[0].shape) // [ 1 ]
 */
// biome-ignore lint/suspicious/noExplicitAny: a model whose outputs are not known
export class Batcher<O extends Tensors = any> {
  readonly #model: Model<O>
  readonly #options: Readonly<Required<BatcherOptions>>
  #queue: Waiting[] = []
  /** The next batch is on its way, or runs. */
  #isBusy = false
  /** Ends the wait for a fuller batch. */
  #hurry: (() => void) | null = null
  #isDisposed = false

  constructor(model: Model<O>, options?: BatcherOptions) {
    const where = 'Batcher'
    if (!(model instanceof Model))
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: 'model',
        expected: 'a Sequential or Model',
        actual: describe(model),
      })
    this.#model = model
    this.#options = checkedOptions(where, options)
    model.runner.checkAlive('Batcher')
    const { spec, shapes } = lowerModel(model, null)
    const meets = meetingOf(spec, shapes)
    if (meets !== null)
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: 'model',
        expected: 'one that computes each sample of a batch by itself',
        actual: meets,
      })
  }

  /** How many calls wait; those whose batch runs do not count. */
  get waiting(): number {
    return this.#queue.length
  }

  /**
   * The outputs for one sample or a few, as `model.predict` gives them.
   *
   * @param x `[n, …]` with n up to `maxBatch`; copied at once
   * @returns `[n, …]`
   * @throws StateError `ERR_QUEUE_FULL`, `ERR_TIMEOUT`, `ERR_DISPOSED`, `ERR_BUSY` in a callback of
   *   `fit`; ShapeError `ERR_SHAPE`; ConfigError `ERR_OPTION`; the signal's reason. Always as a
   *   rejection, and of this call alone
   */
  async predict(x: Inputs, options?: GatherOptions): Promise<PredictionsOf<O>> {
    const call = this.#checked('predict', options)
    const model = this.#model
    const arrays = prepareInputs(x, model.inputSlots()).map((array) => this.#copy(array))
    const rows = arrays[0]!.shape[0]!
    checkRows('predict', rows, this.#options.maxBatch)
    return this.#wait(call, {
      ...{ plan: null, rows, session: null, shapes: shapesText(arrays) },
      outputs: model.outputNames.length,
      begin: () => {},
      inputs: () => arrays,
      take: (outputs) => {
        const results = outputs.map(({ data, shape }) => new NDArray(data, shape))
        return asPredictions(results) as PredictionsOf<O>
      },
    })
  }

  /**
   * One step of a session, as `session.step` does it. Steps of one session that are not awaited run
   * in the order of the calls; meanwhile the session is busy for everybody else.
   *
   * @param session of this model
   * @param x as `session.step` takes it; copied at once
   * @throws as {@link Batcher.predict}; what `session.step` throws. The states stay as they were
   */
  async step(
    session: ModelSession<O>,
    x: StepInputs,
    options?: GatherOptions,
  ): Promise<PredictionsOf<O>> {
    return this.#steps('step', session, x, options)
  }

  /**
   * Several steps of a session at once, as `session.predict` does them.
   *
   * @param x as `session.predict` takes it, [T, D]; copied at once
   * @throws as {@link Batcher.step}
   */
  async steps(
    session: ModelSession<O>,
    x: StepInputs,
    options?: GatherOptions,
  ): Promise<PredictionsOf<O>> {
    return this.#steps('steps', session, x, options)
  }

  async #steps(
    name: 'step' | 'steps',
    session: ModelSession<O>,
    x: StepInputs,
    options: GatherOptions | undefined,
  ): Promise<PredictionsOf<O>> {
    const call = this.#checked(name, options)
    if (!(session instanceof ModelSession) || session.model !== this.#model)
      fail(ConfigError, 'ERR_OPTION', {
        where: `batcher.${name}`,
        what: 'session',
        expected: 'one that `session()` of the same model gave',
        actual: session instanceof ModelSession ? 'one of another model' : describe(session),
      })
    const steps = session.pending(name === 'step' ? 'step' : 'predict', x, name === 'steps', this)
    try {
      checkRows(name, steps.rows, this.#options.maxBatch)
      return await this.#wait(call, { ...steps, session })
    } finally {
      steps.end()
    }
  }

  /**
   * Calls that wait reject with `ERR_DISPOSED`, and so does every later one; a batch that runs is
   * answered. Twice does no harm.
   */
  dispose(): void {
    this.#isDisposed = true
    for (const call of this.#queue) call.failed(disposed('wait'))
    this.#queue = []
  }

  /** For `using batcher = …`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  // ---- what waits ----

  #checked(name: string, given: GatherOptions | undefined): Required<GatherOptions> {
    const where = `batcher.${name}`
    const { runner } = this.#model
    if (this.#isDisposed) throw disposed(name)
    runner.checkAlive(name)
    const nothing = { timeoutMs: null as unknown, signal: null as unknown }
    const options = resolveOptions<typeof nothing>(where, nothing, given)
    const { timeoutMs } = options
    const signal = checkSignal(where, options.signal)
    signal?.throwIfAborted()
    if (runner.isInCallback)
      fail(StateError, 'ERR_BUSY', {
        where,
        what: 'call',
        expected: 'outside of callbacks of a fit, which waits for them',
        actual: 'one within',
        hint: 'model.predict and session.step run there.',
      })
    return { timeoutMs: checkTimeout(where, timeoutMs), signal }
  }

  /** As a row of inputs lies in a batch: numbers of the model's precision. */
  #copy({ data, shape }: NativeArray): NativeArray {
    const isDouble = this.#model.floatx === 'float64'
    return { data: isDouble ? new Float64Array(data) : new Float32Array(data), shape }
  }

  #wait(
    { timeoutMs, signal }: Required<GatherOptions>,
    { take, ...work }: Work<PredictionsOf<O>>,
  ): Promise<PredictionsOf<O>> {
    const { maxQueue } = this.#options
    if (this.#queue.length >= maxQueue)
      fail(StateError, 'ERR_QUEUE_FULL', {
        where: 'Batcher',
        what: 'calls that wait',
        expected: `at most ${maxQueue}, as maxQueue says`,
        actual: 'one more',
        hint: 'Come again later.',
      })
    return new Promise((resolve, reject) => {
      const since = performance.now()
      const until = since + (timeoutMs ?? Number.POSITIVE_INFINITY)
      const settle = () => {
        call.isSettled = true
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
      const call: Waiting = {
        ...{ since, until, isSettled: false },
        ...work,
        done: (outputs) => {
          settle()
          try {
            resolve(take(outputs))
          } catch (error) {
            reject(error) // the session was disposed of meanwhile
          }
        },
        failed: (reason) => {
          settle()
          reject(reason)
        },
      }
      const giveUp = (reason: unknown) => {
        const at = this.#queue.indexOf(call)
        if (at < 0) return // its batch runs
        this.#queue.splice(at, 1)
        call.failed(reason)
      }
      const abort = () => giveUp(signal!.reason)
      const timer = timeoutMs === null ? undefined : setTimeout(() => giveUp(late(call)), timeoutMs)
      signal?.addEventListener('abort', abort, { once: true })
      this.#queue.push(call)
      if (this.#isBusy) this.#hurry?.()
      else void this.#work()
    })
  }

  // ---- batches ----

  /** Runs batches until nobody waits. */
  async #work(): Promise<void> {
    this.#isBusy = true
    await new Promise((resolve) => setImmediate(resolve)) // all calls of this turn of the loop
    while (this.#queue.length > 0) {
      await this.#fuller()
      await this.#batch()
    }
    this.#isBusy = false
  }

  /** Waits until a batch can be full, but not longer than the first call may. */
  async #fuller(): Promise<void> {
    const { maxBatch, maxDelayMs } = this.#options
    const rest = () => this.#queue[0]!.since + maxDelayMs - performance.now()
    const isFull = () => this.#queue.reduce((sum, { rows }) => sum + rows, 0) >= maxBatch
    if (maxDelayMs === 0 || isFull() || rest() <= 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, rest())
      this.#hurry = () => {
        if (!isFull()) return
        clearTimeout(timer)
        resolve()
      }
    })
    this.#hurry = null
  }

  /** Takes the next batch of the queue, and runs it; every call of it is settled then. */
  async #batch(): Promise<void> {
    const calls: Waiting[] = []
    const turn = await this.#model.runner.take()
    try {
      for (const call of this.#next()) {
        try {
          if (performance.now() > call.until) throw late(call)
          await call.begin()
          calls.push(call)
        } catch (error) {
          call.failed(error)
        }
      }
      if (calls.length > 0) await this.#run(calls)
    } catch (error) {
      for (const call of calls) if (!call.isSettled) call.failed(error)
    } finally {
      turn.release()
    }
  }

  /** The call that has waited longest, and those behind it that fit into its batch. */
  #next(): Waiting[] {
    const first = this.#queue[0]
    const calls: Waiting[] = []
    const left: Waiting[] = []
    const seen = new Set<ModelSession>()
    let room = this.#options.maxBatch
    for (const call of this.#queue) {
      const { plan, shapes, rows, session } = call
      const fits = plan === first!.plan && shapes === first!.shapes && rows <= room
      const isNext = session === null || !seen.has(session)
      if (session !== null) seen.add(session)
      if (!fits || !isNext) left.push(call)
      else {
        calls.push(call)
        room -= rows
      }
    }
    this.#queue = left
    return calls
  }

  /** Runs calls of one key as one batch; the caller holds the turn. */
  async #run(calls: readonly Waiting[]): Promise<void> {
    const began = performance.now()
    const { runner } = this.#model
    const { plan } = calls[0]!
    const parts = () => calls.map((call) => call.inputs())
    const inputs = () => joined(parts(), this.#model.floatx)
    const outputs = plan
      ? await plan.run(runner, 'session().step', inputs)
      : await this.#predict(inputs())
    let from = 0
    for (const call of calls) {
      const to = from + call.rows
      const own = (output: NativeOutputs[number], i: number) =>
        cut(output, from, to, i < call.outputs)
      call.done(calls.length === 1 ? outputs : outputs.map(own))
      from = to
    }
    const { onBatch } = this.#options
    if (!onBatch) return
    const counts = { rows: from, calls: calls.length, waiting: this.waiting }
    const milliseconds = performance.now() - began
    queueMicrotask(() => onBatch({ ...counts, milliseconds })) // what it throws is its own
  }

  async #predict(x: NativeArray[]): Promise<NativeOutputs> {
    const { runner } = this.#model
    const data = runner.load({ x })
    try {
      const batchSize = x[0]!.shape[0]!
      const request = { mode: 'predict', data: data.set, batchSize, maxBatches: 1 } as const
      return (await runner.run('predict', request)).outputs!
    } finally {
      data.dispose()
    }
  }
}

function checkRows(call: string, rows: number, maxBatch: number): void {
  if (rows <= maxBatch) return
  fail(ConfigError, 'ERR_OPTION', {
    where: `batcher.${call}`,
    what: 'samples',
    expected: `at most ${maxBatch}, as maxBatch says`,
    actual: String(rows),
    hint: 'model.predict takes any number.',
  })
}

const late = ({ since, until }: Waiting): HiddenstateError => {
  const expected = `at most ${Math.round(until - since)} ms, as timeoutMs says`
  const actual = 'a longer one'
  const message = `Batcher: wait of a call must be ${expected}, got ${actual}. It was not computed.`
  return errorOf('ERR_TIMEOUT', message, { expected, actual })
}

const disposed = (call: string): HiddenstateError => {
  const [expected, actual] = ['in use', 'one that was disposed']
  const message = `batcher.${call}: batcher must be ${expected}, got ${actual}.`
  return errorOf('ERR_DISPOSED', message, { expected, actual })
}
