/** Windows: what a frame is multiplied by before its spectrum. */
import { checkInteger, checkOneOf } from '../call-options.js'
import { ConfigError, fail, ShapeError } from '../errors.js'
import { describe, NDArray } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { checkFinite, type Numbers } from './checks.js'

const NAMES = ['hann', 'hamming', 'blackman', 'povey', 'rectangular'] as const
/** Windows that have a name, see {@link getWindow}. */
export type WindowName = (typeof NAMES)[number]
/** A window by its name, or its numbers, one for each sample of a frame. */
export type Window = WindowName | ArrayLike<number> | NDArray

/** Each at an angle from 0 to 2π. */
const FORMULAS: Readonly<Record<WindowName, (angle: number) => number>> = {
  hann: (a) => 0.5 - 0.5 * Math.cos(a),
  hamming: (a) => 0.54 - 0.46 * Math.cos(a),
  blackman: (a) => 0.42 - 0.5 * Math.cos(a) + 0.08 * Math.cos(2 * a),
  povey: (a) => (0.5 - 0.5 * Math.cos(a)) ** 0.85,
  rectangular: () => 1,
}

/** Options of {@link getWindow}. */
export interface WindowOptions {
  /**
   * Whether the window is one period of `length` samples, as spectra want it, or symmetric: its
   * last number equals its first, as filters want it, and Kaldi and `numpy.hamming` have it.
   * Default `true`, but for `'povey'`, which is always symmetric.
   */
  periodic?: boolean | undefined
}

/**
 * A window of `length` samples: with a = 2π·n/length (2π·n/(length - 1) where it is symmetric),
 * `'hann'` 0.5 - 0.5·cos a, `'hamming'` 0.54 - 0.46·cos a, `'blackman'` 0.42 - 0.5·cos a + 0.08·cos
 * 2a, `'povey'` (0.5 - 0.5·cos a)^0.85, `'rectangular'` 1.
 *
 * @param name of the window
 * @param length in samples, at least 1
 * @param options see {@link WindowOptions}
 * @returns shape [length], float64
 * @throws ConfigError ERR_OPTION for an unknown name or a bad length
 * @example
 * import { getWindow } from 'hiddenstate/audio'
 * console.log(getWindow('hann', 4).get(2), getWindow('povey', 400).shape) // 1 [ 400 ]
 * @see scipy.signal.get_window
 */
export function getWindow(name: WindowName, length: number, options?: WindowOptions): NDArray {
  const where = 'getWindow'
  const formula = FORMULAS[checkOneOf(where, 'name', name, NAMES)]
  checkInteger(where, 'length', length, 1)
  const { periodic } = resolveOptions(where, { periodic: name !== 'povey' }, options)
  const turn = 2 * Math.PI
  const n = periodic && name !== 'povey' ? length : length - 1
  return new NDArray(
    Float64Array.from({ length }, (_, i) => (n === 0 ? 1 : formula((turn * i) / n))),
  )
}

/** The window [frameLength] that an option says. @throws ConfigError ERR_OPTION, ShapeError */
export function windowOf(where: string, window: unknown, frameLength: number): Float64Array {
  if (typeof window === 'string')
    return getWindow(checkOneOf(where, 'window', window as WindowName, NAMES), frameLength)
      .data as Float64Array
  if (typeof window !== 'object' || window === null || !('length' in window || 'data' in window))
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'window',
      expected: `${NAMES.map((name) => `'${name}'`).join(', ')} or a list of numbers`,
      actual: describe(window),
    })
  const { data } = NDArray.from(window as number[], undefined, 'float64')
  if (data.length !== frameLength)
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'window',
      expected: `[${frameLength}], as the frames are`,
      actual: `[${data.length}]`,
    })
  checkFinite(`${where}: window`, data as Numbers)
  return data as Float64Array
}
