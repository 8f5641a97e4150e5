/**
 * The native side of one model: its plan, whose turn it is,
 * and what must be told before a chunk runs.
 *
 * Everything that runs takes a turn first (turns.ts); a fit passes it between chunks, so that a
 * predict runs between two of its batches.
 */
import { setImmediate } from 'node:timers/promises'
import { carriesLeft, readCarries, writeCarries } from './carry.js'
import { DropoutSeed, type DropoutState } from './dropout-seed.js'
import { fail, HiddenstateError, StateError } from '../errors.js'
import { pushHyper } from './hyper.js'
import type { Variable } from '../layers/base/variable.js'
import type { LayerNames } from '../layers/base/weights.js'
import { type GuardedPlan, guardedPlan } from './guarded-plan.js'
import { copied, LoadedData, onlyArrays } from './loaded-data.js'
import { type Owner, ownerNames, type WeightHolder } from './owner.js'
import {
  type CallRequest,
  type CallResult,
  loadNative,
  type NativeArrays,
  type NativePlan,
  type RunRequest,
  type RunResult,
} from '../native.js'
import {
  type Counts,
  readCounts,
  readMoments,
  writeCounts,
  writeMoments,
} from './optimizer-state.js'
import type { NativeState } from './native-state.js'
import type { Spec } from '../spec.js'
import { runAtOnce, runInSlices, type SlicedWork } from '../sliced-work.js'
import { SharedTurns } from './shared-turns.js'
import type { Turn, Turns } from './turns.js'
import { abortable } from '../waiting.js'

/** The longest time a chunk keeps the engine and its plan from others. */
const CHUNK_MS = 100

export class Runner {
  readonly #owner: Owner
  #plan: NativePlan | null = null
  /** #plan as layers get it, see {@link Runner.#guarded}. */
  #layerPlan: GuardedPlan | null = null
  /** Whether weights are on their way into a plan. */
  #isMoving = false
  /** Whether all weights are in #plan. */
  #isFilled = false
  /** What #plan was made from. */
  #spec: Spec | null = null
  /** The names of layers in #plan. */
  #names: LayerNames = new Map()
  /** The hyper-parameters that #plan has got. */
  #pushed = new Map<string, unknown>()
  #sharedTurns = new SharedTurns()
  /** How many turns this runner has. */
  #holding = 0
  readonly #dropoutSeed = new DropoutSeed()
  #disposed = false
  /** Whether the optimizer of the present plan has state worth keeping. */
  hasTrained = false

  constructor(owner: Owner) {
    this.#owner = owner
  }

  get #common(): SharedTurns {
    while (this.#sharedTurns.joined) this.#sharedTurns = this.#sharedTurns.joined
    return this.#sharedTurns
  }

  get #turns(): Turns {
    return this.#common.turns
  }

  /** The call that trains now ('fit'), this model or one that shares layers with it; or null. */
  get training(): string | null {
    return this.#common.training
  }

  set training(call: string | null) {
    this.#common.training = call
  }

  /** Whether other models have some of the layers: the weights may be in a plan of theirs. */
  get isShared(): boolean {
    return this.#common.isShared
  }

  /**
   * From now on takes turns with the runner of a model that has some of the same layers. No call
   * may work on either.
   */
  join(other: Runner): void {
    const [own, theirs] = [this.#common, other.#common]
    own.isShared = true
    if (own === theirs) return
    theirs.joined = own
    own.changes += theirs.changes + 1
  }

  /** Whether the caller is a callback of the fit under way, for which the fit waits. */
  get isInCallback(): boolean {
    return this.#turns.isInCallback
  }

  /**
   * Seed and batch counter of dropout and noise: with the weights and the optimizer's state, all a
   * resumed run needs.
   */
  get dropoutState(): DropoutState {
    return this.#dropoutSeed.state
  }

  set dropoutState(state: DropoutState) {
    this.#common.changes++
    this.#dropoutSeed.state = state
  }

  /** @throws StateError ERR_DISPOSED */
  checkAlive(call: string): void {
    if (!this.#disposed) return
    const { owner, place } = ownerNames(this.#owner, call)
    fail(StateError, 'ERR_DISPOSED', {
      where: place,
      what: owner,
      expected: 'in use',
      actual: 'one that was disposed',
    })
  }

  /**
   * @throws StateError ERR_BUSY while a fit runs,
   *   except for its callbacks when `inCallbacks`; ERR_DISPOSED
   */
  checkIdle(call: string, inCallbacks = false): void {
    this.checkAlive(call)
    if (this.training === null || (inCallbacks && this.#turns.isInCallback)) return
    this.#busy(ownerNames(this.#owner, call).place)
  }

  /**
   * Checks before the layers change.
   * @throws StateError ERR_BUSY while any call works on the model
   */
  checkUnused(call: string): void {
    this.checkIdle(call)
    if (this.#turns.isUsed) this.#busy(ownerNames(this.#owner, call).place)
  }

  /**
   * Checks before the plan is read or written at once.
   * @throws StateError ERR_BUSY while a batch runs
   */
  checkStill(where: string): void {
    if (this.#cancel) this.#busy(where)
  }

  #busy(where: string): never {
    fail(StateError, 'ERR_BUSY', {
      where,
      what: `the ${ownerNames(this.#owner, '').owner}`,
      expected: 'idle',
      actual:
        this.training === null ? 'one that another call works on' : 'one that is being fitted',
      hint: 'Await the call under way.',
    })
  }

  // ---- turns ----

  /** Waits for the right to use the plan. @throws the signal's reason when aborted meanwhile */
  async take(signal: AbortSignal | null = null): Promise<Turn> {
    const coming = this.#turns.take()
    let turn: Turn
    try {
      turn = await abortable(coming, signal)
    } catch (error) {
      void coming.then((late) => late.release())
      throw error
    }
    this.#holding++
    let isHeld = true
    const release = () => {
      turn.release()
      if (isHeld) this.#holding--
      isHeld = false
      if (this.#disposed && this.#holding === 0) this.#free()
    }
    return { ...turn, release }
  }

  /** Calls a callback of the fit that has the turn. @see Turns.callback */
  callback(call: () => unknown, signal: AbortSignal | null): Promise<void> {
    return this.#turns.callback(call, signal)
  }

  // ---- the plan ----

  /**
   * What the optimizer has counted since it was compiled, or what was set; null when no training
   * has begun. @throws StateError ERR_BUSY
   */
  get counts(): Counts | null {
    const optimizer = this.#spec?.optimizer
    if (!optimizer || optimizer !== this.#owner.spec().optimizer || !this.hasTrained) return null
    this.checkStill('optimizer.iterations')
    return readCounts(this.#plan!)
  }

  set counts(counts: Counts) {
    this.checkIdle('optimizer.iterations', true)
    this.checkStill('optimizer.iterations')
    writeCounts(this.plan(), counts)
    this.hasTrained = true
    this.#common.changes++
  }

  /** What the plan of a model that trains keeps; the caller holds a turn. */
  get nativeState(): NativeState {
    const plan = this.plan()
    return { counts: readCounts(plan), dropout: this.dropoutState, carries: readCarries(plan) }
  }

  set nativeState({ counts, dropout, carries }: NativeState) {
    const plan = this.plan()
    writeCounts(plan, counts)
    this.dropoutState = dropout
    writeCarries(plan, carries)
    this.hasTrained = true
  }

  /** How often this process alone, not with others, has changed weights, counts or seeds. */
  get changes(): number {
    return this.#common.changes
  }

  /** Batches that the optimizer has counted. */
  get iterations(): number {
    return this.counts?.iterations ?? 0
  }

  set iterations(iterations: number) {
    this.counts = { m_schedule: 1, ...this.counts, iterations }
  }

  /**
   * The plan for the model as it is now, made when needed. The weights are to move into it by
   * {@link fill}, also from the plan of another model that has some of the layers.
   *
   * @throws what native compile throws; then the old plan stays. StateError ERR_BUSY when a plan
   *   that has weights runs
   */
  plan(): NativePlan {
    const spec = this.#owner.spec()
    if (this.#plan && this.#spec === spec) {
      if (this.isShared) this.#fetch(this.#layerPlan!)
      return this.#plan
    }
    const names = this.#owner.names()
    const plan = loadNative().compile(spec)
    const layerPlan = this.#guarded(plan, spec)
    const old = this.#plan
    const goesOn = spec.optimizer !== null && spec.optimizer === this.#spec?.optimizer
    const optimizer = old && goesOn ? readMoments(old, this.variables) : null
    this.#isMoving = true
    try {
      if (old) writeCarries(plan, carriesLeft(old))
      for (const layer of this.#owner.layers()) layer.attach(layerPlan, '', names)
      if (optimizer) writeMoments(plan, optimizer)
    } catch (error) {
      for (const layer of this.#owner.layers()) layer.detach(layerPlan)
      if (this.#layerPlan && !this.isShared)
        for (const layer of this.#owner.layers()) layer.attach(this.#layerPlan, '', this.#names)
      this.#isFilled = false
      plan.dispose()
      throw error
    } finally {
      this.#isMoving = false
    }
    old?.dispose()
    this.#plan = plan
    this.#layerPlan = layerPlan
    this.#spec = spec
    this.#names = names
    this.#pushed = new Map(Object.entries(spec.optimizer ?? {}))
    this.#dropoutSeed.isIn = null
    this.hasTrained &&= goesOn
    this.#isFilled = false
    this.#common.changes++
    return plan
  }

  get variables(): readonly Variable[] {
    return this.#owner.layers().flatMap((layer) => layer.variables)
  }

  /** The plan with all weights, for those who cannot wait. @throws as {@link plan} */
  filledPlan(): NativePlan {
    const plan = this.plan()
    runAtOnce(this.#filling())
    return plan
  }

  /**
   * Makes the initial values that are due and moves the weights into the plan, in slices with
   * pauses between. Meanwhile the model counts as one that runs a batch. The caller holds the turn.
   *
   * @throws the signal's reason; StateError ERR_DISPOSED; InternalError ERR_OUT_OF_MEMORY
   */
  async fill(call: string, signal?: AbortSignal | null): Promise<void> {
    this.checkAlive(call)
    await runInSlices(this.#filling(), async () => {
      this.#cancel = () => {}
      try {
        await setImmediate()
      } finally {
        this.#cancel = null
      }
      signal?.throwIfAborted()
      this.checkAlive(call)
    })
  }

  *#filling(): SlicedWork<void> {
    if (this.#isFilled) return
    const variables = this.variables
    const fillStep = () => {
      this.#isMoving = true
      try {
        return variables.every((variable) => variable.fillStep())
      } finally {
        this.#isMoving = false
      }
    }
    while (!fillStep()) yield
    this.#isFilled = this.#plan !== null
    this.keepWeights()
  }

  /** Copies weights that lie on a card to the host. @throws InternalError ERR_DEVICE */
  keepWeights(): void {
    if (this.#isFilled) this.#layerPlan?.keep(this.#owner.layers())
  }

  /** Fetches the weights that another model with the same layers has taken meanwhile. */
  #fetch(layerPlan: NativePlan): void {
    this.#isMoving = true
    try {
      for (const layer of this.#owner.layers()) {
        if (layer.isIn(layerPlan)) continue
        layer.attach(layerPlan, '', this.#names)
        this.#isFilled = false
      }
    } finally {
      this.#isMoving = false
    }
  }

  /** Takes back the weights of layers that are leaving this model. */
  release(layers: readonly WeightHolder[]): void {
    if (this.#layerPlan) for (const layer of layers) layer.detach(this.#layerPlan)
  }

  /** The plan for layers, which must not get between the batches of a fit. */
  #guarded(plan: NativePlan, { device }: Spec): GuardedPlan {
    return guardedPlan(plan, device, (name, writes) => {
      const isForeign = writes && !this.#isMoving
      if (isForeign && !this.#turns.isInCallback && this.training !== null) this.#busy(name)
      this.checkStill(name)
      if (isForeign) this.#common.changes++
    })
  }

  /** Copies data into native memory now; to be disposed of when the call ends. */
  load(arrays: NativeArrays): LoadedData {
    const isCurrent = this.#plan !== null && this.#spec === this.#owner.spec()
    if (isCurrent || !this.#turns.isTaken) {
      const plan = isCurrent ? this.#plan! : this.plan()
      return new LoadedData(plan.load(onlyArrays(arrays)))
    }
    // loaded later: another call runs on a plan that must be replaced first
    const kept = copied(arrays)
    return new LoadedData(() => this.plan().load(kept))
  }

  /**
   * Runs one chunk; the caller holds a turn.
   *
   * @param call the public call, for errors: 'fit'
   * @param request without a limit of its own it stops after 100 ms, to let others go
   * @throws the signal's reason when aborted before or during the chunk
   */
  async run(call: string, request: RunRequest, signal?: AbortSignal | null): Promise<RunResult> {
    const plan = await this.whole(call, signal)
    const { mode, training } = request
    if ((mode === 'train' || mode === 'call') && !request.team) this.#common.changes++
    if (mode === 'train' || mode === 'gradient' || training) this.#prepare(plan)
    try {
      return await this.running(call, plan, request, signal)
    } finally {
      const hasCounted = (mode === 'train' || training) && this.#dropoutSeed.recount(plan)
      if (hasCounted) this.hasTrained = true
    }
  }

  /** The plan with all weights; the caller holds a turn. @throws as {@link fill} */
  async whole(call: string, signal?: AbortSignal | null): Promise<NativePlan> {
    this.checkAlive(call)
    signal?.throwIfAborted()
    let plan = this.plan()
    while (!this.#isFilled) {
      await this.fill(call, signal)
      plan = this.plan() // a model that shares layers may have taken them in a pause
    }
    return plan
  }

  /** One chunk of a plan; the caller holds a turn. @throws as {@link run} */
  async running(
    call: string,
    plan: NativePlan,
    request: RunRequest,
    signal?: AbortSignal | null,
  ): Promise<RunResult> {
    const cancel = () => plan.cancel()
    const running = plan.run(
      request.maxBatches === undefined && request.maxMs === undefined
        ? { ...request, maxMs: CHUNK_MS }
        : request,
    )
    signal?.addEventListener('abort', cancel, { once: true })
    this.#cancel = cancel
    let result: RunResult
    try {
      result = await running
    } catch (error) {
      // a native error has no JavaScript stack: this gives it the caller's
      if (error instanceof HiddenstateError) Error.captureStackTrace?.(error)
      throw error
    } finally {
      this.#cancel = null
      signal?.removeEventListener('abort', cancel)
    }
    signal?.throwIfAborted()
    this.checkAlive(call)
    return result
  }

  /** One call of a function at once, on this thread; the caller has checked that it may. */
  callAtOnce(request: CallRequest): CallResult {
    const plan = this.filledPlan()
    this.#common.changes++
    if (request.training) this.#prepare(plan)
    try {
      return plan.call(request)
    } finally {
      if (request.training) this.#dropoutSeed.recount(plan)
    }
  }

  #cancel: (() => void) | null = null

  /** Draws the seed of dropout where one is due: when training is asked for, before any wait. */
  drawSeed(): void {
    if (this.#dropoutSeed.draw()) this.#common.changes++
  }

  /** Before training: seed and step of dropout, and every hyper-parameter that has changed. */
  #prepare(plan: NativePlan): void {
    this.#dropoutSeed.push(plan)
    pushHyper(plan, this.#owner.hyper() ?? {}, this.#pushed)
  }

  /** Zeroes all states. */
  resetStates(): void {
    this.#plan?.resetStates()
  }

  /** Frees the native memory, at once or when the run under way has stopped. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#cancel?.()
    if (this.#holding === 0) this.#free()
  }

  #free(): void {
    this.release(this.#owner.layers())
    this.#plan?.dispose()
    this.#plan = null
    this.#layerPlan = null
    this.#spec = null
    this.#dropoutSeed.isIn = null
  }
}
