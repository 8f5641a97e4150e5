/** How ranks share out the batches of a call. */
import { createHash } from 'node:crypto'
import type { Model } from '../model/model.js'
import type { NativeArrays } from '../native.js'
import type { NativeTeam } from '../world/native-world.js'
import { arraysOf, identityOf } from './state.js'

/** How much of a batch is hashed: what ranks have drawn alike is alike in a part of it, too. */
const MOST_BYTES = 1 << 20

/** Describes a batch, for {@link teamOf}; '' where no ranks share it out. */
export const batchIdentity = (model: Model, prepared: NativeArrays): string =>
  model.world && model.world.size > 1 ? identityOf(arraysOf(prepared), MOST_BYTES) : ''

/**
 * The ranks that share out the batches of a run; nothing where a model is trained by this process
 * alone. A rank with other data, or with other settings of its optimizer, is an ERR_RANK of all.
 *
 * @param call what ranks must be at, too
 * @param data what the data are, where they have not been compared before
 */
export function teamOf(model: Model, call: string, data = ''): { team?: NativeTeam } {
  const { world } = model
  if (!world) return {}
  const { optimizer, floatx } = model.requireCompiled(call)
  const mark = createHash('sha256')
    .update(`${data} ${JSON.stringify(optimizer.hyper(floatx))}`)
    .digest()
    .readUInt32LE()
  return { team: { world: world.native, shards: world.virtualShards, call, mark } }
}
