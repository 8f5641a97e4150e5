/** Features of a whole sound, block by block: the work of a thread. */
import type { Numbers } from './checks.js'
import { type FeatureOptions, featureStages } from './features.js'
import { Collected } from './stage.js'
import { checkSamples, headerFor, readRegularFile } from './wav.js'
import { type Channels, wavBlocks } from './wav-samples.js'

/** Where the sound is. */
export type Sound =
  | { readonly path: string }
  | { readonly bytes: Uint8Array }
  | { readonly samples: Numbers; readonly sampleRate: number }

/** What a thread is asked for. */
export interface Task {
  readonly sound: Sound
  readonly options: FeatureOptions
  readonly channels: Channels
}

/** What it answers: once that it listens, then how far it is, then the end of it. */
export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly share: number }
  | { readonly kind: 'rows'; readonly rows: Float32Array; readonly width: number }
  | {
      readonly kind: 'error'
      readonly code: string
      readonly message: string
      readonly expected: string
      readonly actual: string
      readonly cause: unknown
    }

/** Samples that are handed on at a time. */
const BLOCK = 2 ** 15

/** The blocks of a sound, each with the share of all that is done after it. */
function* blocksOf(samples: Numbers): Generator<[Numbers, number], void> {
  for (let at = 0; at < samples.length; at += BLOCK) {
    const block = samples.subarray(at, at + BLOCK)
    yield [block, Math.min(1, (at + BLOCK) / samples.length)]
  }
}

async function open(
  sound: Sound,
  channels: Channels,
): Promise<{ rate: number; blocks: Iterable<[Numbers, number]> }> {
  if ('samples' in sound) return { rate: sound.sampleRate, blocks: blocksOf(sound.samples) }
  const bytes = 'path' in sound ? await readRegularFile(sound.path) : sound.bytes
  const where = 'path' in sound ? sound.path : 'extractFeatures'
  const header = headerFor(bytes, channels, where)
  function* blocks(): Generator<[Numbers, number], void> {
    let done = 0
    for (const block of wavBlocks(bytes, header, channels)) {
      if (header.encoding === 'float') checkSamples(where, block, done)
      done += block.length
      yield [block, done / header.length]
    }
  }
  return { rate: header.sampleRate, blocks: blocks() }
}

/**
 * Computes the features of a sound.
 *
 * @param told is told the share that is done
 * @throws as readWav and FeatureStream do
 */
export async function extract(
  { sound, options, channels }: Task,
  told: (share: number) => void,
): Promise<{ rows: Float32Array; width: number }> {
  const { rate, blocks } = await open(sound, channels)
  const stages = featureStages('extractFeatures', { ...options, inputRate: rate })
  const rows = new Collected()
  for (const [block, share] of blocks) {
    rows.add(stages.push(block))
    told(share)
  }
  rows.add(stages.end())
  return { rows: rows.take(), width: stages.width }
}
