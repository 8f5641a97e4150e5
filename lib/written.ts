/**
 * Functions that users write where a name of Keras stands: a loss, a metric, an activation, a
 * penalty, a constraint.
 */
import { fail, FormatError } from './errors.js'
import type { ExpressionData } from './expressions/data.js'
import type { Expr } from './expressions/expr.js'
import { describe } from './ndarray.js'
import type { Option } from './spec.js'

/** A function of expressions, as a program has it. */
export type ExpressionFunction = (...values: Expr[]) => unknown

/** How a configuration holds one. */
export interface WrittenConfig {
  readonly name: string
  readonly expression: ExpressionData
  /** What it computes of other shapes, where that is something else. */
  readonly others?: readonly ExpressionData[]
}

/** A function of expressions: of a program, or data of a file. */
export class Written {
  /**
   * @param name what messages, logs and files call it
   * @param source the function, or what it computes
   * @param others what it computes of inputs of other shapes, where it is data and that differs
   */
  constructor(
    readonly name: string,
    readonly source: ExpressionFunction | ExpressionData,
    readonly others: readonly ExpressionData[] = [],
  ) {}

  /** What a configuration holds of one that is data. */
  toJSON(): { name: string; [key: string]: Option } {
    const { name, source, others } = this
    const more = others.length > 0 ? { others: others as unknown as Option } : {}
    return { name, expression: source as unknown as Option, ...more }
  }
}

const isClass = (value: object): boolean => /^class\b/.test(Function.prototype.toString.call(value))

/**
 * A function, or one as a configuration holds it; null for anything else.
 *
 * @param unnamed the name of a function that has none
 * @throws FormatError ERR_FILE_FORMAT for a configuration without a name
 */
export function toWritten(value: unknown, where: string, unnamed: string): Written | null {
  if (value instanceof Written) return value
  if (typeof value === 'function' && !isClass(value))
    return new Written(value.name || unnamed, value as ExpressionFunction)
  const { name, expression, others } = (
    typeof value === 'object' && value !== null ? value : {}
  ) as Partial<WrittenConfig>
  if (typeof expression !== 'object' || expression === null) return null
  return fromConfig({ name, expression, others }, where)
}

/**
 * One of a file.
 *
 * @throws FormatError ERR_FILE_FORMAT
 */
export function fromConfig(
  { name, expression, others = [] }: { readonly [K in keyof WrittenConfig]?: unknown },
  where: string,
): Written {
  const wrong = (what: string, expected: string, actual: unknown) =>
    fail(FormatError, 'ERR_FILE_FORMAT', { where, what, expected, actual: describe(actual) })
  if (typeof name !== 'string' || name === '') wrong('the name of a function', 'a text', name)
  if (!Array.isArray(others)) wrong('what a function gives for others', 'a list', others)
  return new Written(name as string, expression as ExpressionData, others as ExpressionData[])
}
