/** Ops on plain numbers, which lowering computes itself. */
import type { Attributes } from '../attributes.js'

const sign = (x: number) => (x > 0 ? 1 : x < 0 ? -1 : x)

const formulas: Readonly<Record<string, (x: readonly number[], a: Attributes) => number>> = {
  add: ([x, y]) => x! + y!,
  sub: ([x, y]) => x! - y!,
  mul: ([x, y]) => x! * y!,
  div: ([x, y]) => x! / y!,
  max: ([x, y]) => Math.max(x!, y!),
  min: ([x, y]) => Math.min(x!, y!),
  equal: ([x, y]) => Number(x === y),
  less: ([x, y]) => Number(x! < y!),
  less_equal: ([x, y]) => Number(x! <= y!),
  where: ([condition, x, y]) => (condition !== 0 ? x! : y!),
  exp: ([x]) => Math.exp(x!),
  log: ([x]) => Math.log(x!),
  sqrt: ([x]) => Math.sqrt(x!),
  square: ([x]) => x! * x!,
  abs: ([x]) => Math.abs(x!),
  sign: ([x]) => sign(x!),
  reciprocal: ([x]) => 1 / x!,
  power: ([x], { exponent }) => x! ** (exponent as number),
  clip: ([x], { min, max }) => Math.min(max as number, Math.max(min as number, x!)),
  stop_gradient: ([x]) => x!,
}

/** The value of an op of numbers; undefined where native code alone knows it, or not finite. */
export function folded(
  op: string,
  args: readonly number[],
  attributes: Attributes,
): number | undefined {
  const formula = Object.hasOwn(formulas, op) ? formulas[op] : undefined
  const value = formula?.(args, attributes)
  return value !== undefined && Number.isFinite(value) ? value : undefined
}
