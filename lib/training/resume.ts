/** The checkpoints of one training: the one it goes on from, and those it writes. */
import { join } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import type { Callback } from '../callbacks/index.js'
import { ConfigError, fail, StateError } from '../errors.js'
import type { Hooks } from './hooks.js'
import { describe } from '../ndarray.js'
import { packageVersion } from '../package-root.js'
import { randomState, setRandomState } from '../random.js'
import { modelContent } from '../saving/keras1.js'
import { readTrained } from '../saving/model-files.js'
import type { Model } from '../model/model.js'
import {
  Checkpointer,
  type CheckpointOptions,
  checkpointOptions,
  newest,
  requireEmpty,
  tidy,
} from './checkpoint.js'
import { encode, type Plain } from './plain-data.js'
import type { BatchSource, Validation } from './source.js'
import { type Identity, type Position, requireSame, type TrainingState } from './state.js'

/** The options of `fit` and `fitGenerator` for checkpoints. */
export interface ResumeOptions {
  /** Writes checkpoints from which `resume` goes on to the same bits. Default `null`: none. */
  checkpoint?: CheckpointOptions | null
  /**
   * Goes on from the newest whole checkpoint of a directory: weights, optimizer, History,
   * callbacks, order of samples, to the bit. `'auto'`: that of `checkpoint.dir`, or from the
   * beginning where there is none. Default `null`.
   */
  resume?: string | null
}

export const RESUME_DEFAULTS = { checkpoint: null, resume: null }

/** The data of a training. */
interface Sources {
  source: BatchSource
  validation: Validation | null
}

/** What a validation changes: carried states, and the place in its data. */
export type Changed = Pick<TrainingState, 'native' | 'validation'>

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
const STATUS = { SIGINT: 130, SIGTERM: 143 }
/**
 * Milliseconds that another rank leaves rank 0 for its checkpoint: less than the 30 s after which
 * Slurm and Kubernetes kill.
 */
const PATIENCE = 20_000

const modelIdentity = (model: Model, callbacks: readonly Callback[]): Identity => {
  const { loss, lossWeights, metrics, sampleWeightMode, floatx, optimizer } =
    model.requireCompiled('fit')
  return {
    model: model.toJson(),
    callbacks: callbacks.map((callback) => callback.constructor.name).join(', ') || 'none',
    compile: JSON.stringify({
      loss,
      ...(lossWeights ? { lossWeights } : {}),
      metrics,
      sampleWeightMode,
      optimizer: optimizer.constructor.name,
      floatx,
    }),
  }
}

/** Trainings that write a checkpoint before a signal ends the process: it waits for all of them. */
const listening = new Set<Resumption>()

/**
 * The checkpoints of one training. The constructor checks the options, {@link open} reads the
 * checkpoint to go on from, {@link restore} puts back what is in it, {@link write} writes others
 * between two batches, and {@link close} waits for the last of them.
 */
export class Resumption {
  /** Batches trained so far, over all epochs. */
  batches = 0
  readonly #call: string
  readonly #model: Model
  readonly #options: Required<CheckpointOptions> | null
  readonly #directory: string | null
  readonly #isAuto: boolean
  readonly #ownIdentity: Identity
  #found: { path: string; state: TrainingState; weights: () => void } | null = null
  #checkpointer: Checkpointer | null = null
  /** The position at the newest checkpoint, as text: nothing is written twice. */
  #keptAt = ''
  #signal: (typeof SIGNALS)[number] | null = null
  /** Whether a signal does not end the process at once. */
  readonly #listens: boolean
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    const own = signal as (typeof SIGNALS)[number]
    this.#signal = own
    this.#unlisten() // the next one ends the process at once
    if (!this.#options) setTimeout(() => process.exit(STATUS[own]), PATIENCE).unref()
  }

  /**
   * @param where the public call
   * @param given those of `fit`; of ranks, 0 alone reads and writes checkpoints
   * @param identity describes its data; called only where there are checkpoints
   * @throws ConfigError ERR_OPTION
   */
  constructor(
    where: string,
    given: Readonly<Record<string, unknown>>,
    model: Model,
    callbacks: readonly Callback[],
    identity: () => Identity,
  ) {
    const isOther = model.world !== null && !model.world.isMain
    this.#call = where
    this.#model = model
    const checkpoints = checkpointOptions(where, given.checkpoint)
    this.#options = isOther ? null : checkpoints
    this.#listens = checkpoints?.signals === true && isMainThread
    const resume = isOther ? null : given.resume
    if (resume !== null && resume !== undefined && (typeof resume !== 'string' || resume === '')) {
      const [what, actual] = ['resume', describe(resume)]
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what,
        expected: "a directory, 'auto' or null",
        actual,
      })
    }
    this.#isAuto = resume === 'auto'
    if (this.#isAuto && !this.#options) {
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: 'resume',
        expected: "the directory of checkpoints, or 'auto' beside checkpoint: { dir }",
        actual: "'auto' without checkpoint",
      })
    }
    this.#directory = this.#isAuto
      ? this.#options!.dir
      : ((resume as string | null | undefined) ?? null)
    this.#ownIdentity =
      this.#options || this.#directory
        ? { version: packageVersion(), ...modelIdentity(model, callbacks), ...identity() }
        : {}
  }

  /** Reads the checkpoint to go on from. @throws FormatError, StateError ERR_RESUME, ConfigError */
  async open(): Promise<void> {
    const dir = this.#options?.dir
    if (dir) await tidy(dir)
    if (dir && dir !== this.#directory) await requireEmpty(this.#call, dir)
    if (this.#directory !== null) {
      const found = await newest(this.#directory)
      if (found) {
        requireSame(this.#call, found.path, found.state.identity, this.#ownIdentity)
        this.#found = {
          ...found,
          weights: await readTrained(this.#model, join(found.path, 'model.h5')),
        }
        this.batches = found.state.batches
      } else if (!this.#isAuto) {
        fail(ConfigError, 'ERR_OPTION', {
          where: this.#call,
          what: 'resume',
          expected: 'a directory with checkpoints',
          actual: `${this.#directory}, which has none`,
          hint: "resume: 'auto' begins anew where there is none.",
        })
      }
    }
    if (this.#options) this.#checkpointer = new Checkpointer(this.#options, this.batches)
    if (!this.#listens) return
    listening.add(this)
    for (const signal of SIGNALS) process.on(signal, this.#onSignal)
  }

  #unlisten(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
  }

  /**
   * After `onTrainBegin`: all is as it was.
   *
   * @returns where the training stands; null: at its beginning
   */
  async restore({ source, validation }: Sources, hooks: Hooks): Promise<Position | null> {
    if (!this.#found) return null
    const { state, weights } = this.#found
    const model = this.#model
    // as a callback does: nobody else may write weights during a fit
    await model.runner.callback(() => {
      weights()
      Object.assign(model.optimizer, state.hyper)
      model.runner.nativeState = state.native
    }, null)
    setRandomState(state.random)
    await source.restore(state.source)
    await validation?.restore(state.validation)
    await hooks.restore(state.callbacks)
    model.stopTraining = state.stopTraining
    this.#found = null
    this.#keptAt = JSON.stringify(state.position)
    return state.position
  }

  /** Whether there is a checkpoint to go on from. */
  get resumes(): boolean {
    return this.#found !== null
  }

  /** Whether there will be checkpoints. */
  get writes(): boolean {
    return this.#options !== null
  }

  /** Batches until the next checkpoint, where those are counted. */
  left(): number {
    return this.#checkpointer?.left(this.batches) ?? Number.POSITIVE_INFINITY
  }

  /** @param always at the beginning and at the end, whatever the interval is */
  isDue(always: boolean): boolean {
    return (
      this.#checkpointer !== null &&
      (always || this.#signal !== null || this.#checkpointer.isDue(this.batches))
    )
  }

  /** What a validation changes, as it is now. */
  async changed({ validation }: Sources): Promise<Changed> {
    return {
      native: this.#model.runner.nativeState,
      validation: (await validation?.state()) ?? null,
    }
  }

  /**
   * Takes a snapshot, and begins to write it.
   *
   * @param changed default: as it is now
   * @throws the error of the checkpoint before; StateError when a signal has come
   */
  async write(
    sources: Sources,
    hooks: Hooks,
    position: Position,
    changed?: Changed,
  ): Promise<void> {
    const place = JSON.stringify(position)
    if (place !== this.#keptAt)
      await this.#write(sources, hooks, position, changed ?? (await this.changed(sources)))
    this.#keptAt = place
    if (this.#signal === null) return
    await this.#checkpointer!.settle()
    fail(StateError, 'ERR_CANCELLED', {
      where: this.#call,
      what: 'training',
      expected: 'left alone',
      actual: `${this.#signal}; its checkpoint is written`,
    })
  }

  async #write(
    { source }: Sources,
    hooks: Hooks,
    position: Position,
    changed: Changed,
  ): Promise<void> {
    const model = this.#model
    await model.runner.fill(this.#call)
    const state: TrainingState = {
      identity: this.#ownIdentity,
      batches: this.batches,
      position,
      hyper: { ...model.optimizer } as unknown as TrainingState['hyper'],
      ...changed,
      random: randomState(),
      source: await source.state(),
      callbacks: await hooks.states(),
      stopTraining: model.stopTraining,
    }
    // encoded at once: what the state refers to changes
    const bytes = encode(state as unknown as Plain, 'training state')
    await this.#checkpointer!.write({
      model: modelContent(model),
      state: bytes,
      batches: this.batches,
    })
  }

  /**
   * Waits until the checkpoint that is being written is there.
   *
   * @throws FormatError ERR_FILE_SYSTEM when it could not be written
   */
  async settle(): Promise<void> {
    await this.#checkpointer?.settle()
  }

  /**
   * Waits for the last checkpoint. Ends the process where a signal has come,
   * and no other training waits.
   */
  async close(): Promise<void> {
    this.#unlisten()
    try {
      await this.settle()
    } finally {
      listening.delete(this)
      if (this.#signal !== null) {
        if (listening.size > 0) await new Promise(() => {}) // the last one ends the process
        process.exit(STATUS[this.#signal])
      }
    }
  }
}
