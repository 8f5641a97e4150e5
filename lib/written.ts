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
}

/** A function of expressions: of a program, or data of a file. */
export class Written {
  /**
   * @param name what messages, logs and files call it
   * @param source the function, or what it computes
   */
  constructor(
    readonly name: string,
    readonly source: ExpressionFunction | ExpressionData,
  ) {}

  /** What a configuration holds of one that is data. */
  toJSON(): { name: string; [key: string]: Option } {
    return { name: this.name, expression: this.source as unknown as Option }
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
  const { name, expression } = (
    typeof value === 'object' && value !== null ? value : {}
  ) as Partial<WrittenConfig>
  if (typeof expression !== 'object' || expression === null) return null
  return fromConfig(name, expression, where)
}

/**
 * One of a file.
 *
 * @throws FormatError ERR_FILE_FORMAT
 */
export function fromConfig(name: unknown, expression: unknown, where: string): Written {
  if (typeof name === 'string' && name !== '')
    return new Written(name, expression as ExpressionData)
  return fail(FormatError, 'ERR_FILE_FORMAT', {
    where,
    what: 'the name of a function',
    expected: 'a text',
    actual: describe(name),
  })
}
