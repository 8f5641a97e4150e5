/** What callbacks that watch one value share: which way is better, and how to find the value. */
import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import type { Logs } from './callback.js'

/** Which way a monitored value gets better. */
export type MonitorMode = 'auto' | 'min' | 'max'

/**
 * Whether more is better. `'auto'`: yes for names with 'acc', and for fmeasure, fbeta_score,
 * precision and recall, with `val_` or without.
 * @throws ConfigError `ERR_OPTION` for another mode
 */
export function moreIsBetter(where: string, monitor: string, mode: MonitorMode): boolean {
  if (typeof monitor !== 'string') {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'monitor',
      expected: 'a key of the logs',
      actual: describe(monitor),
    })
  }
  if (mode !== 'auto' && mode !== 'min' && mode !== 'max') {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'mode',
      expected: "'auto', 'min' or 'max'",
      actual: describe(mode),
    })
  }
  if (mode !== 'auto') return mode === 'max'
  return monitor.includes('acc') || /^(val_)?(fmeasure|fbeta_score|precision|recall)/.test(monitor)
}

/** Says, as a process warning, that the value is not there. */
export function warnMissing(where: string, monitor: string, logs: Logs): void {
  process.emitWarning(
    `${where}: there is no '${monitor}' among ${Object.keys(logs).join(', ')}; this epoch does not count.`,
    {
      code: 'HIDDENSTATE_MONITOR',
    },
  )
}

/** @throws ConfigError `ERR_OPTION` for anything but finite numbers */
export function checkNumbers(where: string, values: Readonly<Record<string, unknown>>): void {
  for (const [what, value] of Object.entries(values)) {
    if (typeof value === 'number' && Number.isFinite(value)) continue
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what,
      expected: 'a finite number',
      actual: describe(value),
    })
  }
}
