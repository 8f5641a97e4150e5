/** The ranks that train one model together, over MPI. */
import { isMainThread } from 'node:worker_threads'
import { checkOneOf } from '../call-options.js'
import { setHidden } from '../console-text.js'
import { ConfigError, fail, HiddenstateError, StateError } from '../errors.js'
import { loadNative } from '../native.js'
import type { NativeWorld } from './native-world.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { hostname } from 'node:os'

/** Options of {@link distribute}. */
export interface DistributeOptions {
  /**
   * Into how many parts a batch is cut, whatever the number of ranks: weights have the same bits
   * for every number of ranks up to this one. Default: the number of ranks, which is fastest.
   */
  virtualShards?: number
  /**
   * 'full' (default): every rank brings the whole of every batch, and computes its part. 'sharded':
   * every rank brings rows of its own, and a batch is all of them, in the order of ranks; for
   * `fitGenerator`, `evaluateGenerator`, `trainOnBatch` and `testOnBatch`.
   */
  data?: 'full' | 'sharded'
  /**
   * 'none' (default): gradients go from rank to rank as they are. 'bf16': as bfloat16, half the
   * bytes, with 8 significant bits instead of 24, for a network that is slower than the arithmetic.
   * They are rounded before each hop and added as floats. All ranks have the same bits, and so has
   * the next run with as many ranks; another number of ranks gives others, whatever
   * `virtualShards`. Not for models that compute in float64.
   */
  compression?: 'none' | 'bf16'
}

const DEFAULTS: Record<string, unknown> = {
  virtualShards: undefined,
  data: 'full',
  compression: 'none',
}

/** The number of the last part of a world that this rank is in: no two ranks have two of one. */
let parts = 0

/**
 * Ranks: processes that run the same script and train the same model. {@link distribute} makes it.
 */
export class World {
  /** Number of this process, from 0. */
  readonly rank: number
  /** How many there are. */
  readonly size: number
  /** Number of this process among those of this machine, from 0. */
  readonly localRank: number
  /** Into how many parts a batch is cut. */
  readonly virtualShards: number
  /** Whether every rank brings whole batches, or rows of its own. */
  readonly data: 'full' | 'sharded'
  /** How gradients go from rank to rank. */
  readonly compression: 'none' | 'bf16'
  /** What MPI it is: `'Open MPI v4.1.4 (libmpi.so.40)'`; null without MPI. */
  readonly mpi: string | null
  /** @internal */
  declare readonly native: NativeWorld
  #isClosed = false

  /** @internal */
  constructor(native: NativeWorld, localRank: number, options: Required<DistributeOptions>) {
    setHidden(this, 'native', native)
    this.rank = native.rank
    this.size = native.size
    this.mpi = native.mpi
    this.localRank = localRank
    this.virtualShards = options.virtualShards
    this.data = options.data
    this.compression = options.compression
  }

  /** Whether this is rank 0: the one that prints, and writes files. */
  get isMain(): boolean {
    return this.rank === 0
  }

  /** @throws StateError ERR_RANK after {@link World.close} */
  #checkOpen(call: string): void {
    if (!this.#isClosed) return
    fail(StateError, 'ERR_RANK', {
      where: call,
      what: 'world',
      expected: 'open',
      actual: 'one that was closed',
    })
  }

  /**
   * @internal What every rank says, in the order of ranks.
   * @throws StateError ERR_RANK when another is at another call, or has failed
   */
  gather(call: string, text: string): Promise<string[]> {
    this.#checkOpen(call)
    return this.native.gather(call, text)
  }

  /** @internal Rank 0's bytes; all give as many. @throws as {@link World.gather} */
  spread(call: string, bytes: Uint8Array): Promise<Uint8Array> {
    this.#checkOpen(call)
    return this.size === 1 ? Promise.resolve(bytes) : this.native.spread(call, bytes)
  }

  /** @internal Tells the others at their next call why this rank is not at it. */
  tell(call: string, reason: unknown): void {
    if (this.size === 1 || this.#isClosed) return
    if (reason instanceof HiddenstateError && reason.code === 'ERR_RANK') return // they know
    const { name, message } = reason instanceof Error ? reason : new Error(String(reason))
    this.native.fail(call, `has failed: ${name === 'Error' ? '' : `${name}: `}${message}`)
  }

  /** Waits until every rank has come here. @throws StateError ERR_RANK when one has failed */
  async barrier(): Promise<void> {
    await this.gather('barrier', '')
  }

  /**
   * A world of those ranks that give the same colour, in the order of their ranks. Every rank must
   * call it.
   *
   * @param color any whole number from 0
   * @param options as of {@link distribute}; the ranks are those with that colour
   * @throws ConfigError ERR_OPTION; StateError ERR_RANK
   */
  async split(color: number, options?: DistributeOptions): Promise<World> {
    if (!Number.isSafeInteger(color) || color < 0) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'world.split',
        what: 'color',
        expected: 'a whole number from 0',
        actual: describe(color),
      })
    }
    const said = (await this.gather('world.split', `${color} ${parts} ${hostname()}`)).map(
      (text) => {
        const [of, before, host] = text.split(' ')
        return { color: Number(of), before: Number(before), host }
      },
    )
    const ranks = said.flatMap((each, rank) => (each.color === color ? [rank] : []))
    parts = Math.max(...said.map(({ before }) => before)) + 1
    const native = this.native.part(ranks, parts)
    const local = ranks.filter((rank) => rank < this.rank && said[rank]!.host === hostname()).length
    return new World(native, local, checked('world.split', options, native.size))
  }

  /**
   * A schedule for {@link LearningRateScheduler}: `lr` times the number of ranks, for those who let
   * the batch grow with it. It climbs from `lr` over the first epochs (Goyal et al. 2017,
   * arXiv:1706.02677). A batch that stays as it is needs no other rate.
   *
   * @param options.warmupEpochs default 5
   */
  scaleLr(lr: number, options: { warmupEpochs?: number } = {}): (epoch: number) => number {
    const { warmupEpochs = 5 } = options
    return (epoch) =>
      epoch >= warmupEpochs
        ? lr * this.size
        : lr * (1 + ((this.size - 1) * epoch) / Math.max(1, warmupEpochs))
  }

  /**
   * Leaves the world, when all ranks do. At the end of the process it happens by itself.
   * @throws StateError ERR_RANK when another rank is elsewhere
   */
  async close(): Promise<void> {
    if (this.#isClosed) return
    await this.gather('world.close', '')
    this.#isClosed = true
  }
}

function checked(
  where: string,
  given: DistributeOptions | undefined,
  size: number,
): Required<DistributeOptions> {
  const resolved = resolveOptions(where, DEFAULTS, given) as DistributeOptions
  const { virtualShards = size } = resolved
  const data = checkOneOf(where, 'data', resolved.data, ['full', 'sharded'] as const)
  const compression = checkOneOf(where, 'compression', resolved.compression, [
    'none',
    'bf16',
  ] as const)
  if (Number.isSafeInteger(virtualShards) && virtualShards >= size && virtualShards <= 4096)
    return { virtualShards, data, compression }
  fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'virtualShards',
    expected: `a whole number from ${size}, the number of ranks, to 4096`,
    actual: describe(virtualShards),
  })
}

let joining: Promise<NativeWorld> | undefined

/**
 * Joins the ranks that `mpirun` (or `srun`) has started with this one. Without such a launcher it
 * is a world of one, and no MPI library is opened: the same script runs by plain `node`.
 *
 * @throws ConfigError ERR_OPTION for a bad option, in a worker thread, or where no MPI library is
 *   found (with the names tried); StateError ERR_RANK
 * @example
 * import { Dense, distribute, Sequential } from 'hiddenstate'
 * const world = await distribute({ virtualShards: 8 })
 * const model = new Sequential([new Dense(1, { inputDim: 1 })])
 * model.compile({ loss: 'mse', optimizer: 'adam', distribute: world })
 * await model.fit([0, 1, 2, 3, 4, 5, 6, 7], [0, 2, 4, 6, 8, 10, 12, 14], { verbose: 0 })
 * console.log(world.rank, world.size) // 0 1
 */
export async function distribute(options?: DistributeOptions): Promise<World> {
  if (!isMainThread) {
    fail(ConfigError, 'ERR_OPTION', {
      where: 'distribute',
      what: 'thread',
      expected: 'the main thread of the process',
      actual: 'a worker thread',
    })
  }
  joining ??= join()
  const native = await joining
  const own = checked('distribute', options, native.size)
  const hosts = await native.gather('distribute', hostname())
  const local = hosts.slice(0, native.rank).filter((host) => host === hostname()).length
  return new World(native, local, own)
}

/**
 * To learn of freed memory, transports of MPI rewrite the code of `munmap` and `brk` while other
 * threads run it: in a process with threads, as Node's are, that ends it now and then (MPICH 4.0.2
 * with UCX: 2 of 80 jobs). Read when MPI starts; what the user has set stays.
 */
const MPI_SETTINGS = {
  UCX_MEM_MMAP_HOOK_MODE: 'none',
  UCX_MEM_EVENTS: 'n',
  UCX_MEM_MALLOC_HOOKS: 'n',
  UCX_HANDLE_ERRORS: 'none',
  OMPI_MCA_memory: '^patcher',
}

async function join(): Promise<NativeWorld> {
  const addon = loadNative()
  if (addon.launcher() !== null)
    for (const [name, value] of Object.entries(MPI_SETTINGS)) process.env[name] ??= value
  const native = await addon.joinWorld().done
  if (native.mpi !== null) endTogether(native)
  return native
}

/** A process that ends well waits for the others; one that fails ends the job, and says why. */
function endTogether(native: NativeWorld): void {
  let failure = ''
  process.on('uncaughtExceptionMonitor', (error: unknown) => {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    failure = `${name}: ${message.split('\n')[0]}`
  })
  const abort = (code: number, why: string) =>
    native.abort(code, `rank ${native.rank} of ${native.size} has ended the job: ${why}`)
  process.on('exit', (code) => {
    if (code !== 0) abort(code, failure || `exit code ${code}`)
    try {
      native.leave()
    } catch (error) {
      abort(1, (error as Error).message)
    }
  })
}
