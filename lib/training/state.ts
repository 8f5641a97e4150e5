/**
 * All that a training needs to go on exactly where it stopped,
 * beside weights and moments: plain data.
 */
import { createHash } from 'node:crypto'
import { fail, StateError } from '../errors.js'
import type { NativeState } from '../engine/native-state.js'
import type { NativeArray, NativeArrays } from '../native.js'
import { shapeText } from '../ndarray.js'
import type { Plain } from './plain-data.js'

/**
 * The state of a training. The weights and the optimizer's moments lie beside it,
 * in a file of Keras.
 */
export interface TrainingState {
  /** What must be the same for a training to go on from it. */
  readonly identity: Identity
  /** Batches trained so far, over all epochs. */
  readonly batches: number
  readonly position: Position
  /** Hyper-parameters as they are: callbacks may have changed them. */
  readonly hyper: Readonly<Record<string, number | boolean | null>>
  readonly native: NativeState
  /** State of the stream that initial weights and seeds are drawn from. */
  readonly random: readonly number[]
  /** What {@link BatchSource.state} gave: order, shuffling, place in a generator. */
  readonly source: Plain
  readonly validation: Plain
  /** What `getState` of each callback gave, then the history's. */
  readonly callbacks: readonly Plain[]
  readonly stopTraining: boolean
}

/** Where a training stands. */
export interface Position {
  /** The epoch under way, from 0; `nbEpoch` when all are done. */
  epoch: number
  /** Whether its first hooks have been called and its order been made. */
  isBegun: boolean
  /** Samples and batches of it so far. */
  seen: number
  batch: number
  /** Samples of its last batch. */
  size: number
  /** Its sums of loss and metrics, weighted by samples. */
  sums: number[]
  /** The samples that its means are over, where that is not `seen`. */
  counted: number[]
}

/**
 * Describes a training, topic by topic:
 * one training can go on from another only if all topics are the same.
 */
export type Identity = Readonly<Record<string, string>>

/** @throws StateError ERR_RESUME naming what differs */
export function requireSame(where: string, path: string, kept: Identity, now: Identity): void {
  for (const topic of new Set([...Object.keys(kept), ...Object.keys(now)])) {
    const [expected = 'nothing', actual = 'nothing'] = [kept[topic], now[topic]]
    if (expected === actual) continue
    const [from, to] = difference(expected, actual)
    fail(StateError, 'ERR_RESUME', {
      where,
      what: `${topic} of a training that goes on from ${path}`,
      expected: from,
      actual: to,
      hint: 'To begin another training with those weights, load model.h5 of the checkpoint.',
    })
  }
}

/** Two texts from just before the place where they begin to differ. */
export function difference(a: string, b: string): [string, string] {
  if (a.length < 100 && b.length < 100) return [a, b]
  let at = 0
  while (a[at] === b[at]) at++
  const part = (text: string) => `…${text.slice(Math.max(0, at - 40), at + 40)}…`
  return [part(a), part(b)]
}

/** All arrays of a data set, for {@link identityOf}. */
export const arraysOf = ({ x, y, weights }: NativeArrays): NativeArray[] => [
  ...x,
  ...(y ?? []),
  ...(weights ?? []).flatMap((each) => each ?? []),
]

/** Most bytes of data that are hashed. */
const MOST_BYTES = 64 << 20
const BLOCK = 1 << 16

/**
 * Describes data for {@link Identity}: shapes, and a hash of the numbers.
 * @param mostBytes that are hashed: of more, only blocks from the first to the last
 */
export function identityOf(
  arrays: readonly { data: ArrayBufferView; shape: readonly number[] }[],
  mostBytes = MOST_BYTES,
): string {
  const hash = createHash('sha256')
  for (const { data, shape } of arrays) {
    hash.update(shapeText(shape))
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
    const most = Math.max(2 * BLOCK, Math.floor(mostBytes / arrays.length))
    if (bytes.length <= most) {
      hash.update(bytes)
      continue
    }
    const blocks = Math.floor(most / BLOCK)
    for (let i = 0; i < blocks; i++) {
      const at = Math.floor(((bytes.length - BLOCK) * i) / (blocks - 1))
      hash.update(bytes.subarray(at, at + BLOCK))
    }
  }
  return `${arrays.map(({ shape }) => shapeText(shape)).join(', ')} with hash ${hash.digest('hex').slice(0, 12)}`
}
