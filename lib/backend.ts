/** Settings of the whole process: precision, device, threads, what is loaded. */
import { type DeviceChoice, lastChoice } from './device-choice.js'
import { ConfigError, fail, nearest } from './errors.js'
import { loadNative, type NativeCards, type NativeInfo } from './native.js'
import { describe } from './ndarray.js'

const NAMES = ['float32', 'float64', 'mixed_bfloat16'] as const

/**
 * Precision of arithmetic. `'mixed_bfloat16'` keeps and computes everything in float32 but the
 * operands of matrix products, which are rounded to bfloat16 (8 significant bits).
 */
export type Floatx = (typeof NAMES)[number]

/**
 * Precision of a model: one of those, or `'mixed_int8'` of models that `model.quantize('int8')`
 * gives, which rounds the operands to integers of 8 bits with a scale.
 */
export type Precision = Floatx | 'mixed_int8'

/**
 * @internal Precision that a model of `floatx` keeps numbers in: weights, states, what optimizers
 *   round to, files.
 */
export const keptIn = (floatx: Precision): 'float32' | 'float64' =>
  floatx === 'float64' ? 'float64' : 'float32'

let current: Precision = 'float32'

/** Keras' fuzz factor: 1e-7. */
export const epsilon = 1e-7

/**
 * Precision that models made from now on compute in.
 *
 * @see keras.backend.floatx
 */
export function floatx(): Floatx {
  return current as Floatx
}

/**
 * Sets the precision of models whose first layer is added from now on; existing ones keep theirs.
 *
 * `'mixed_bfloat16'` rounds the operands of all matrix products, [B, K] · [K, N], to bfloat16, to
 * nearest even, and sums the products in float32; weights, states, gate arithmetic, optimizers and
 * files stay float32. It is faster where the processor has VDPBF16PS (`info().isa` is
 * `'avx512bf16'`) and correct but not faster on others; cards need compute capability 8.0.
 *
 * @param name 'float32' (default of the package), 'float64' or 'mixed_bfloat16'
 * @throws ConfigError ERR_UNKNOWN_NAME for another name
 * @see keras.backend.set_floatx, which knows 'float16', 'float32' and 'float64'
 * @example
 * import { setFloatx, floatx } from 'hiddenstate'
 * setFloatx('float64')
 * console.log(floatx()) // float64
 * setFloatx('float32')
 */
export function setFloatx(name: Floatx): void {
  if (!NAMES.includes(name)) {
    const given: unknown = name
    const guess = typeof given === 'string' ? nearest(given, NAMES) : undefined
    fail(ConfigError, 'ERR_UNKNOWN_NAME', {
      where: 'setFloatx',
      what: 'name',
      expected: "'float32', 'float64' or 'mixed_bfloat16'",
      actual: describe(name),
      hint:
        given === 'mixed_int8'
          ? "model.quantize('int8') gives a model of that precision."
          : guess && `Did you mean '${guess}'?`,
    })
  }
  current = name
}

/** @internal What `make` gives, while models that are made have this precision. */
export function withFloatx<T>(name: Precision, make: () => T): T {
  const before = current
  current = name
  try {
    return make()
  } finally {
    current = before
  }
}

/**
 * What computes: the processor, the first NVIDIA card, card N, counted from 0, or what of the first
 * two should be faster.
 */
export type DeviceName = 'cpu' | 'cuda' | `cuda:${number}` | 'auto'

/**
 * Checks the name of a device. Whether there is such a card is known when a model is compiled for
 * it.
 *
 * @throws ConfigError ERR_UNKNOWN_NAME
 * @internal
 */
export function checkedDevice(where: string, what: string, name: unknown): DeviceName {
  if (typeof name === 'string' && /^(cpu|cuda(:\d{1,2})?|auto)$/.test(name))
    return name as DeviceName
  const guess = typeof name === 'string' ? nearest(name, ['cpu', 'cuda', 'auto']) : undefined
  fail(ConfigError, 'ERR_UNKNOWN_NAME', {
    where,
    what,
    expected: "'cpu', 'cuda', 'cuda:N' or 'auto'",
    actual: describe(name),
    hint: guess && `Did you mean '${guess}'?`,
  })
}

let chosenDevice: DeviceName | undefined

/**
 * The device of models that are compiled from now on without one of their own: what
 * {@link setDevice} said last, else the environment's `HIDDENSTATE_DEVICE`, else `'cpu'`.
 *
 * @throws ConfigError ERR_UNKNOWN_NAME where `HIDDENSTATE_DEVICE` is no device
 */
export function device(): DeviceName {
  const { HIDDENSTATE_DEVICE: named } = process.env
  chosenDevice ??= named ? checkedDevice('the environment', 'HIDDENSTATE_DEVICE', named) : 'cpu'
  return chosenDevice
}

/**
 * Sets the device of models that are compiled from now on; `compile({ device })` chooses for one
 * model. Theano's `THEANO_FLAGS=device=gpu` is the environment's `HIDDENSTATE_DEVICE=cuda` here.
 *
 * A card needs NVIDIA's driver and cuBLAS 11, 12 or 13 on the machine; they are opened when a model
 * is compiled for it, and `info().devices` says what was found. The same seed draws the same
 * numbers on all devices. A layer that does not run on a card is an error of `compile`.
 *
 * `'auto'` takes the first card where a batch should take half of the processor's time there, by a
 * model of both; where there is no card, or it refuses a layer, the processor. `info().choice` and
 * `summary()` say why.
 *
 * @param name 'cpu' (default), 'cuda' (the first card), 'cuda:N' or 'auto'
 * @throws ConfigError ERR_UNKNOWN_NAME for another name
 * @example
 * import { device, setDevice } from 'hiddenstate'
 * setDevice('cpu')
 * console.log(device()) // cpu
 */
export function setDevice(name: DeviceName): void {
  chosenDevice = checkedDevice('setDevice', 'name', name)
}

/**
 * Number of threads that compute, for the whole process. Default: what `HIDDENSTATE_THREADS` says,
 * else the processors this process may use. The results do not depend on it.
 *
 * @throws ConfigError ERR_OPTION for anything but an integer from 1 to 1024
 */
export function setThreads(n: number): void {
  if (!Number.isInteger(n) || n < 1 || n > 1024) {
    fail(ConfigError, 'ERR_OPTION', {
      where: 'setThreads',
      what: 'n',
      expected: 'an integer from 1 to 1024',
      actual: describe(n),
    })
  }
  loadNative().setThreads(n)
}

/** An NVIDIA card. */
export interface CardInfo {
  /** What `compile` calls it: `'cuda:0'`. */
  name: `cuda:${number}`
  /** What its maker calls it. */
  card: string
  /** Bytes. */
  memory: number
  /** `'9.0'`. */
  computeCapability: string
  /** The newest CUDA that the driver knows: `'12.4'`. */
  driver: string
  /** The file of cuBLAS; absent: there is none, `problem` says what was looked for. */
  cublas?: string
  /** Why models cannot be compiled for it; absent: they can. */
  problem?: string
  /** What the code for cards of this version has run on. */
  tried: string
}

/** A device that models may be compiled for, or why there is no card. */
export type DeviceInfo = { name: 'cpu' } | { name: 'cuda'; problem: string } | CardInfo

/** What {@link info} tells. */
export interface Info extends NativeInfo {
  /**
   * The processor, then the cards that the driver finds, or why there is none. Read, it opens the
   * driver and cuBLAS if they are there.
   */
  readonly devices: readonly DeviceInfo[]
  /** What the device `'auto'` chose last, for a model that was compiled; null: nothing yet. */
  readonly choice: DeviceChoice | null
}

const version = (n: number): string => `${Math.floor(n / 1000)}.${Math.floor((n % 1000) / 10)}`

const TRIED = 'a stand-in driver, not yet a card'

const WITHOUT_CARDS: readonly DeviceInfo[] = [
  { name: 'cpu' },
  {
    name: 'cuda',
    problem:
      process.platform === 'darwin'
        ? 'there is no CUDA for macOS'
        : 'this binary has no code for cards; `npx hiddenstate build` makes one that has',
  },
]

function devicesOf({ cards, driver, blas, why, whyNoBlas }: NativeCards): readonly DeviceInfo[] {
  if (cards.length === 0) return [{ name: 'cpu' }, { name: 'cuda', problem: why }]
  return [
    { name: 'cpu' },
    ...cards.map(
      ({ name, memory, major, minor }, i): CardInfo => ({
        name: `cuda:${i}`,
        card: name,
        memory,
        computeCapability: `${major}.${minor}`,
        driver: version(driver),
        ...(blas ? { cublas: blas } : { problem: whyNoBlas }),
        tried: TRIED,
        ...(major < 7 ? { problem: 'compute capability 7.0 is needed' } : {}),
      }),
    ),
  ]
}

/**
 * Version, instruction set in use and those available, threads, devices.
 *
 * @example
 * import { info } from 'hiddenstate'
 * console.log(info().isa, info().threads)
 * for (const { name, ...rest } of info().devices) console.log(name, rest)
 */
export function info(): Info {
  const native = loadNative()
  return {
    ...native.info(),
    choice: lastChoice(),
    get devices() {
      return native.cards ? devicesOf(native.cards()) : WITHOUT_CARDS
    },
  }
}
