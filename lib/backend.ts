/** Settings of the whole process: precision, threads, what is loaded. */
import { ConfigError, fail, nearest } from './errors.js'
import { loadNative, type NativeInfo } from './native.js'
import { describe } from './ndarray.js'

const NAMES = ['float32', 'float64', 'mixed_bfloat16'] as const

/**
 * Precision of arithmetic. `'mixed_bfloat16'` keeps and computes everything in float32 but the
 * operands of matrix products, which are rounded to bfloat16 (8 significant bits).
 */
export type Floatx = (typeof NAMES)[number]

/**
 * @internal Precision that a model of `floatx` keeps numbers in: weights, states, what optimizers
 *   round to, files.
 */
export const keptIn = (floatx: Floatx): 'float32' | 'float64' =>
  floatx === 'float64' ? 'float64' : 'float32'

let current: Floatx = 'float32'

/** Keras' fuzz factor: 1e-7. */
export const epsilon = 1e-7

/**
 * Precision that models made from now on compute in.
 *
 * @see keras.backend.floatx
 */
export function floatx(): Floatx {
  return current
}

/**
 * Sets the precision of models whose first layer is added from now on; existing ones keep theirs.
 *
 * `'mixed_bfloat16'` rounds the operands of all matrix products, [B, K] · [K, N], to bfloat16, to
 * nearest even, and sums the products in float32; weights, states, gate arithmetic, optimizers and
 * files stay float32. It is faster where the processor has VDPBF16PS (`info().isa` is
 * `'avx512bf16'`), and correct but not faster elsewhere.
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
    const guess = typeof name === 'string' ? nearest(name, NAMES) : undefined
    fail(ConfigError, 'ERR_UNKNOWN_NAME', {
      where: 'setFloatx',
      what: 'name',
      expected: "'float32', 'float64' or 'mixed_bfloat16'",
      actual: describe(name),
      hint: guess && `Did you mean '${guess}'?`,
    })
  }
  current = name
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

/** What {@link info} tells. */
export interface Info extends NativeInfo {
  /** Name of the graphics processor in use; null: none. */
  gpu: string | null
}

/**
 * Version, instruction set in use and those available, threads, GPU.
 *
 * @example
 * import { info } from 'hiddenstate'
 * console.log(info().isa, info().threads)
 */
export function info(): Info {
  return { ...loadNative().info(), gpu: null }
}
