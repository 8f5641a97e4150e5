/** Settings of the whole process: precision, threads, what is loaded. */
import { ConfigError, fail, nearest } from './errors.js'
import { loadNative, type NativeInfo } from './native.js'
import { describe } from './ndarray.js'

/** Precision of weights and arithmetic. */
export type Floatx = 'float32' | 'float64'

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
 * @param name 'float32' (default of the package) or 'float64'
 * @throws ConfigError ERR_UNKNOWN_NAME for another name
 * @see keras.backend.set_floatx
 * @example
 * import { setFloatx, floatx } from 'hiddenstate'
 * setFloatx('float64')
 * console.log(floatx()) // float64
 * setFloatx('float32')
 */
export function setFloatx(name: Floatx): void {
  if (name !== 'float32' && name !== 'float64') {
    const guess = typeof name === 'string' ? nearest(name, ['float32', 'float64']) : undefined
    fail(ConfigError, 'ERR_UNKNOWN_NAME', {
      where: 'setFloatx',
      what: 'name',
      expected: "'float32' or 'float64'",
      actual: describe(name),
      hint: guess && `Did you mean '${guess}'?`,
    })
  }
  current = name
}

/**
 * Number of threads that compute, for the whole process. Default: what `HIDDENSTATE_THREADS` says, else the processors
 * this process may use. The results do not depend on it.
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
