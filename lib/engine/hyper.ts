/** Hyper-parameters on their way into a plan. */
import { ConfigError, fail } from '../errors.js'
import type { NativePlan } from '../native.js'
import { describe } from '../ndarray.js'

/**
 * Tells a plan every hyper-parameter that has changed.
 *
 * @param pushed what the plan was told so far; brought up to date
 * @throws ConfigError ERR_OPTION for what is no finite number
 */
export function pushHyper(
  plan: NativePlan,
  hyper: Readonly<Record<string, unknown>>,
  pushed: Map<string, unknown>,
): void {
  for (const [key, value] of Object.entries(hyper)) {
    if (key === 'name' || Object.is(pushed.get(key), value)) continue
    plan.set(key, hyperNumber(key, value))
    pushed.set(key, value)
  }
}

function hyperNumber(key: string, value: unknown): number {
  if (value === null || value === undefined) return 0 // a clipping that is off
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'number' && Number.isFinite(value)) return value
  fail(ConfigError, 'ERR_OPTION', {
    where: 'optimizer',
    what: key,
    expected: 'a finite number',
    actual: describe(value),
  })
}
