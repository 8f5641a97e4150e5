/**
 * The native side of one model: its plan, whose turn it is, and what must be told before a chunk runs.
 *
 * Everything that runs takes a turn first, first come, first served; a fit keeps its turn while it calls synchronous
 * callbacks (the plan is idle then, so they may read and write weights), lends it while it awaits one that returned a
 * promise, and passes it between chunks, so that a predict runs between two of its batches.
 */
import { ConfigError, fail, StateError } from './errors.js'
import type { Layer } from './layers/layer.js'
import {
  loadNative,
  type NativeArray,
  type NativeData,
  type NativePlan,
  type RunRequest,
  type RunResult,
} from './native.js'
import { describe } from './ndarray.js'
import { nextSeed, type RandomStream, seedingCount } from './random.js'
import type { Spec } from './spec.js'

/** The right to use the plan until released. */
export interface Turn {
  /** Lets the others go first, if any wait. */
  pass(): Promise<void>
  /** Awaits something while others may go. */
  lend<T>(wait: PromiseLike<T>): Promise<T>
  release(): void
}

/** What a model tells its session: read anew before each chunk. */
export interface Owner {
  readonly layers: readonly Layer[]
  /** The Spec that the next run needs. */
  spec(): Spec
  /** Hyper-parameters as they are now; null when not compiled. */
  hyper(): Readonly<Record<string, unknown>> | null
}

/** The longest time a chunk keeps the engine and its plan from others. */
const CHUNK_MS = 100

/** Where a fit stands: with weights, optimizer state and {@link Session.dropoutState} all that going on from here needs. */
export interface Position {
  epoch: number
  /** Samples of the epoch so far. */
  seen: number
  /** The order of this epoch's samples. */
  readonly order: Int32Array
  /** What shuffles. */
  readonly stream: RandomStream
}

export class Session {
  readonly #owner: Owner
  #plan: NativePlan | null = null
  #spec: Spec | null = null // what #plan was made from
  #pushed = new Map<string, unknown>()
  #taken = false
  #waiting: (() => void)[] = []
  #seed: number | null = null
  #seedings = -1
  #isSeedPushed = false
  /** Training batches so far: dropout counts from it; kept across recompiles. */
  #steps = 0
  #disposed = false
  /** The call that trains now ('fit'), or null. */
  training: string | null = null
  /** Of the fit under way, or of the last one. */
  position: Position | null = null
  /** Whether the optimizer of the present plan has state worth keeping. */
  hasTrained = false
  /** Callbacks being called or awaited. */
  callbackDepth = 0

  constructor(owner: Owner) {
    this.#owner = owner
  }

  get isDisposed(): boolean {
    return this.#disposed
  }

  /** Seed and batch counter of dropout and noise: with the weights and the optimizer's state, all a resumed run needs. */
  get dropoutState(): { seed: number; step: number } {
    return { seed: (this.#seed ??= nextSeed()), step: this.#steps }
  }

  set dropoutState({ seed, step }: { seed: number; step: number }) {
    this.#seed = seed
    this.#steps = step
    this.#seedings = seedingCount()
    this.#isSeedPushed = false
  }

  /** @throws StateError ERR_DISPOSED */
  checkAlive(call: string): void {
    if (!this.#disposed) return
    fail(StateError, 'ERR_DISPOSED', {
      where: `model.${call}`,
      what: 'model',
      expected: 'in use',
      actual: 'one that was disposed',
    })
  }

  /** @throws StateError ERR_BUSY while a fit runs, except from within its callbacks when `inCallbacks` */
  checkIdle(call: string, inCallbacks = false): void {
    this.checkAlive(call)
    if (this.training === null || (inCallbacks && this.callbackDepth > 0)) return
    fail(StateError, 'ERR_BUSY', {
      where: `model.${call}`,
      what: 'model',
      expected: 'idle',
      actual: `one in the middle of ${this.training}`,
      hint: 'Await it first.',
    })
  }

  /** For what changes the layers. @throws StateError ERR_BUSY while any call works on the model */
  checkUnused(call: string): void {
    this.checkIdle(call)
    if (!this.#taken) return
    fail(StateError, 'ERR_BUSY', {
      where: `model.${call}`,
      what: 'model',
      expected: 'idle',
      actual: 'one that another call works on',
      hint: 'Await it first.',
    })
  }

  // ---- turns ----

  async take(): Promise<Turn> {
    if (this.#taken) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#taken = true
    let isHeld = true
    const give = () => {
      const next = this.#waiting.shift()
      if (next)
        next() // stays taken: handed on
      else this.#taken = false
    }
    return {
      pass: async () => {
        if (this.#waiting.length === 0) return
        const back = new Promise<void>((resolve) => this.#waiting.push(resolve))
        give()
        await back
      },
      lend: async (wait) => {
        give()
        try {
          return await wait
        } finally {
          if (this.#taken) await new Promise<void>((resolve) => this.#waiting.push(resolve))
          this.#taken = true
        }
      },
      release: () => {
        if (!isHeld) return
        isHeld = false
        give()
        if (this.#disposed && !this.#taken) this.#free()
      },
    }
  }

  // ---- the plan ----

  /**
   * The plan for the model as it is now, made when needed; the weights move into it.
   *
   * @throws what native compile throws; then the old plan stays
   */
  plan(): NativePlan {
    const spec = this.#owner.spec()
    if (this.#plan && this.#spec === spec) return this.#plan
    const plan = loadNative().compile(spec)
    const old = this.#plan
    try {
      for (const layer of this.#owner.layers) layer.attach(plan)
    } catch (error) {
      for (const layer of this.#owner.layers) layer.attach(old)
      plan.dispose()
      throw error
    }
    old?.dispose()
    this.#plan = plan
    this.#spec = spec
    this.#pushed = new Map(Object.entries(spec.optimizer ?? {}))
    this.#isSeedPushed = false
    this.hasTrained = false
    return plan
  }

  /**
   * Copies data into native memory now, so that the caller may reuse its buffers at once.
   *
   * @returns gives the data set; call it while holding a turn
   */
  load(arrays: { x: NativeArray[]; y?: NativeArray; weights?: NativeArray }): () => NativeData {
    const isCurrent = this.#plan !== null && this.#spec === this.#owner.spec()
    if (isCurrent || !this.#taken) {
      const data = this.plan().load(pick(arrays))
      return () => data
    }
    // another call runs on a plan that must be replaced first
    const copy = (array: NativeArray): NativeArray => ({ data: array.data.slice(), shape: array.shape })
    const { x, y, weights } = arrays
    const kept = { x: x.map(copy), ...(y ? { y: copy(y) } : {}), ...(weights ? { weights: copy(weights) } : {}) }
    return () => this.plan().load(kept)
  }

  /** The plan if there is one. */
  get currentPlan(): NativePlan | null {
    return this.#plan
  }

  /**
   * Runs one chunk; the caller holds a turn.
   *
   * @param request without a limit of its own it stops after 100 ms, to let others go
   * @throws the signal's reason when aborted before or during the chunk
   */
  async run(request: RunRequest, signal?: AbortSignal | null): Promise<RunResult> {
    this.checkAlive(request.mode)
    signal?.throwIfAborted()
    const plan = this.plan()
    if (request.mode === 'train') this.#prepare(plan)
    const cancel = () => plan.cancel()
    const running = plan.run(
      request.maxBatches === undefined && request.maxMs === undefined ? { ...request, maxMs: CHUNK_MS } : request,
    )
    signal?.addEventListener('abort', cancel, { once: true })
    this.#cancel = cancel
    let result: RunResult
    try {
      result = await running
    } finally {
      this.#cancel = null
      signal?.removeEventListener('abort', cancel)
    }
    if (request.mode === 'train') {
      this.#steps += result.batches
      this.hasTrained = true
    }
    signal?.throwIfAborted()
    this.checkAlive(request.mode)
    return result
  }

  #cancel: (() => void) | null = null

  /** Runs inline, without a turn: native code refuses with ERR_BUSY while the engine works on the plan. */
  runSync(request: RunRequest): RunResult {
    return this.plan().runSync(request)
  }

  /** Draws the seed of dropout, unless there is one since the last setSeed. Called when training is asked for, before any wait. */
  drawSeed(): void {
    if (this.#seedings === seedingCount()) return
    if (this.#seed === null || this.#seedings >= 0) {
      this.#seed = nextSeed()
      this.#steps = 0
    }
    this.#seedings = seedingCount()
    this.#isSeedPushed = false
  }

  /** Before training: seed and step of dropout, and every hyper-parameter that has changed. */
  #prepare(plan: NativePlan): void {
    if (!this.#isSeedPushed) {
      plan.set('seed', this.dropoutState.seed)
      plan.set('step', this.#steps)
      this.#isSeedPushed = true
    }
    for (const [key, value] of Object.entries(this.#owner.hyper() ?? {})) {
      if (key === 'name' || Object.is(this.#pushed.get(key), value)) continue
      plan.set(key, hyperNumber(key, value))
      this.#pushed.set(key, value)
    }
  }

  /** Zeroes the states of stateful layers. */
  resetStates(): void {
    this.#plan?.resetStates()
  }

  /** Takes a layer's weights back from the plan. */
  detach(layer: Layer): void {
    layer.attach(null)
  }

  /** Frees the native memory, at once or when the run under way has stopped. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#cancel?.()
    if (!this.#taken) this.#free()
  }

  #free(): void {
    for (const layer of this.#owner.layers) layer.attach(null)
    this.#plan?.dispose()
    this.#plan = null
    this.#spec = null
  }
}

/** Only what `NativePlan.load` knows. */
function pick(arrays: { x: NativeArray[]; y?: NativeArray; weights?: NativeArray }): {
  x: NativeArray[]
  y?: NativeArray
  weights?: NativeArray
} {
  const { x, y, weights } = arrays
  return { x, ...(y ? { y } : {}), ...(weights ? { weights } : {}) }
}

function hyperNumber(key: string, value: unknown): number {
  if (value === null || value === undefined) return 0 // a clipping that is off
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'number' && Number.isFinite(value)) return value
  fail(ConfigError, 'ERR_OPTION', {
    where: 'optimizer',
    what: key,
    expected: 'a finite number',
    actual: describe(value),
  })
}
