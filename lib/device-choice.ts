/**
 * Which device a model is compiled for where that is left to the package: `'auto'` (decision 0051).
 * A card is expected to take so much time for each launch, each FLOP of a product and each byte of
 * its memory; the processor for each FLOP and each byte. How much of them there is in a batch is
 * counted by asking a plan of the card for it.
 */
import { HiddenstateError } from './errors.js'
import { type CardWork, loadNative, type NativeArrays, type NativeCards } from './native.js'
import type { Spec } from './spec.js'

/** What a batch asks of a card, and how long it is expected to take. */
export interface DeviceEstimate {
  /** Samples of the batch. */
  rows: number
  /** Kernels and matrix products. */
  launches: number
  /** Pieces of the card's memory that are copied or made 0. */
  moves: number
  /** Floating-point operations of the products. */
  flop: number
  /** Of the card's memory, that all of these read and write. */
  bytes: number
  /** Milliseconds on the card. */
  card: number
  /** Milliseconds on the processor. */
  cpu: number
}

/** What `'auto'` chose. */
export interface DeviceChoice {
  device: 'cpu' | 'cuda'
  /** A sentence. */
  reason: string
  /** By a model of both devices, not measured. Absent: the model does not run on the card. */
  estimate?: DeviceEstimate
}

/**
 * Seconds of a kernel or a product that has next to nothing to do, in a stream or a graph: a step
 * of FlashRNN's alternating kernels, which are as these, takes 26 µs for 4 of them on an H100.
 */
const LAUNCH = 6.5e-6
/** Of the arithmetic that a card could do at most, what products of a step's few rows reach. */
const OF_PEAK = 0.25
/** The same of its memory. */
const OF_BANDWIDTH = 0.5
/** The card must be expected to take no more than this part of the processor's time. */
const GAIN = 0.5

/** What a thread multiplies in float32 at its best, FLOP a second. @see docs/decisions/0051 */
const CPU_FLOPS: Readonly<Record<string, number>> = {
  avx512bf16: 200e9,
  avx512: 150e9,
  avx2: 90e9,
  neon: 60e9,
  sse: 25e9,
  scalar: 4e9,
}
/** Bytes a second of a thread: what a step reads again and again is in its caches. */
const CPU_BYTES = 200e9

type Card = NativeCards['cards'][number]

/** Multiply-adds in float32 that a processor of the card does at once, and the part in float64. */
function lanesOf({ major, minor }: Card): { float32: number; float64: number } {
  const isLarge = minor === 0 && major <= 10
  const float32 = major === 7 || (major === 8 && isLarge) ? 64 : 128
  return { float32, float64: float32 / (isLarge ? 2 : 64) }
}

/** Bytes and FLOP a second; null: the driver does not say what they follow from. */
function ratesOf(card: Card, floatx: Spec['floatx']): { flops: number; bytes: number } | null {
  const { processors, clock, memoryClock, bus } = card
  const lanes = lanesOf(card)[floatx === 'float64' ? 'float64' : 'float32']
  const flops = 2 * lanes * processors * clock * 1e3
  const bytes = 2 * memoryClock * 1e3 * (bus / 8) // two transfers a clock
  return flops > 0 && bytes > 0 ? { flops, bytes } : null
}

const number = (x: number): string => (x < 100 ? x.toPrecision(2) : x.toFixed())

/** What compiling and rehearsing throw where the card is not one for this model. */
const REFUSALS = ['ERR_DEVICE', 'ERR_OPTION', 'ERR_OUT_OF_MEMORY', 'ERR_SHAPE']

let last: DeviceChoice | null = null

/** What was chosen last in this process. */
export const lastChoice = (): DeviceChoice | null => last

/**
 * Chooses the device for batches as `batch`.
 *
 * @param spec of the model
 * @param batch makes zeros in the shapes of a batch; targets where the Spec has an optimizer
 */
export function chooseDevice(spec: Spec, batch: () => NativeArrays): DeviceChoice {
  last = Object.freeze(choiceFor(spec, batch))
  return last
}

function choiceFor(spec: Spec, batch: () => NativeArrays): DeviceChoice {
  const native = loadNative()
  let work: CardWork
  let rows = 0
  try {
    const plan = native.compile({ ...spec, device: 'cuda' })
    try {
      const data = plan.load(batch())
      rows = data.samples
      work = plan.work(data)
      data.dispose()
    } finally {
      plan.dispose()
    }
  } catch (error) {
    if (!(error instanceof HiddenstateError && REFUSALS.includes(error.code))) throw error
    return { device: 'cpu', reason: error.message.replace(/\.$/, '') }
  }
  const card = native.cards!().cards[0]!
  const rates = ratesOf(card, spec.floatx)
  if (!rates) return { device: 'cpu', reason: `the driver does not say how fast ${card.name} is` }
  const { launches, moves, flop, bytes } = work
  const { isa, threads } = native.info()
  const isPaired = spec.floatx === 'mixed_bfloat16' && isa === 'avx512bf16'
  const pace = spec.floatx === 'float64' ? 0.5 : isPaired ? 2 : 1
  const estimate: DeviceEstimate = {
    ...{ rows, launches, moves, flop, bytes },
    card:
      1e3 *
      ((launches + moves) * LAUNCH +
        flop / (OF_PEAK * rates.flops) +
        bytes / (OF_BANDWIDTH * rates.bytes)),
    cpu:
      (1e3 / threads) * (flop / (pace * (CPU_FLOPS[isa] ?? CPU_FLOPS.avx2!)) + bytes / CPU_BYTES),
  }
  const isGain = estimate.card <= GAIN * estimate.cpu
  return {
    device: isGain ? 'cuda' : 'cpu',
    reason:
      `a batch of ${rows} should take ${number(estimate.card)} ms on ${card.name} ` +
      `(${launches + moves} launches, ${number(flop / 1e9)} GFLOP, ${number(bytes / 1e9)} GB) and ` +
      `${number(estimate.cpu)} ms on the processor (${isa}, threads: ${threads}), by a model of both` +
      (isGain ? '' : '; the card is chosen where it should take half the time or less'),
    estimate: Object.freeze(estimate),
  }
}
