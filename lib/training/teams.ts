/** How ranks share out the batches of a call. */
import { createHash } from 'node:crypto'
import { ConfigError, fail } from '../errors.js'
import type { Model } from '../model/model.js'
import type { NativeArrays } from '../native.js'
import { shapeText } from '../ndarray.js'
import type { NativeTeam } from '../world/native-world.js'
import { arraysOf, identityOf } from './state.js'

/** How much of a batch is hashed: what ranks have drawn alike is alike in a part of it, too. */
const MOST_BYTES = 1 << 20

/** Samples that all ranks have of a batch, and those of them that lower ranks have. */
export interface Share {
  whole: number
  before: number
}

/** What ranks must have alike of a batch; '' where none share it out. */
export function batchIdentity({ world }: Model, prepared: NativeArrays): string {
  if (!world || world.size === 1) return ''
  if (world.data === 'full') return identityOf(arraysOf(prepared), MOST_BYTES)
  // the loss is a mean over samples and steps: as many steps for each
  return (prepared.y ?? []).map(({ shape }) => shapeText(shape.slice(1))).join(', ')
}

/**
 * Of a batch of which each rank has rows of its own, how many those of the others are; null where
 * each has all of it.
 *
 * @param batch its own samples, and what {@link batchIdentity} says of them
 * @throws ConfigError ERR_OPTION, on all ranks, for rows that make no batch together; StateError
 *   ERR_RANK
 */
export async function shareOf(
  { world }: Model,
  call: string,
  batch: { samples: number; identity: string },
): Promise<Share | null> {
  if (world?.data !== 'sharded') return null
  const { samples, identity } = batch
  const all = (await world.gather(call, `${samples} ${identity}`)).map((text) => text.split(' '))
  const shapes = all.map(([, ...shape]) => shape.join(' '))
  const other = shapes.findIndex((shape) => shape !== shapes[0])
  if (other > 0) {
    fail(ConfigError, 'ERR_OPTION', {
      where: call,
      what: `targets of a sample of rank ${other} of ${world.size}`,
      expected: `of the shapes that rank 0 has, ${shapes[0]}`,
      actual: shapes[other]!,
    })
  }
  const counts = all.map(([count]) => Number(count))
  const sum = (of: readonly number[]) => of.reduce((a, b) => a + b, 0)
  return { whole: sum(counts), before: sum(counts.slice(0, world.rank)) }
}

/**
 * The ranks that share out the batches of a run; nothing where a model is trained by this process
 * alone. A rank with other data, or with other settings of its optimizer, is an ERR_RANK of all.
 *
 * @param call what ranks must be at, too
 * @param data what they must have alike of the data, where they have not compared it before
 */
export function teamOf(
  model: Model,
  call: string,
  data = '',
  share: Share | null = null,
): { team?: NativeTeam } {
  const { world } = model
  if (!world) return {}
  const { optimizer, floatx } = model.requireCompiled(call)
  const mark = createHash('sha256')
    .update(`${data} ${world.compression} ${JSON.stringify(optimizer.hyper(floatx))}`)
    .digest()
    .readUInt32LE()
  const rounds = world.compression === 'bf16'
  return {
    team: { world: world.native, shards: world.virtualShards, call, rounds, mark, ...share },
  }
}

/**
 * For arrays of which every rank must have all.
 * @throws ConfigError ERR_OPTION where each brings rows of its own
 */
export function requireFull({ world }: Model, where: string): void {
  if (world?.data !== 'sharded') return
  fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'data',
    expected: "a generator, where ranks bring rows of their own (distribute({ data: 'sharded' }))",
    actual: 'arrays',
    hint: 'fitGenerator and evaluateGenerator take batches of them from each rank.',
  })
}
