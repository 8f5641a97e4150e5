/** Rules: how the configuration of one class of Keras 2 differs from that of Keras 1.2.2. */

import { fail, FormatError } from '../../errors.js'

/** A configuration as a file has it. */
export type Config = Readonly<Record<string, unknown>>

/** Refuses the value at hand. @param expected what it must be */
export type Refuse = (expected: string) => never

/**
 * Translates a value of Keras 2 into one of Keras 1.2.2, or back.
 *
 * @param config all of the configuration that it is of
 */
export type Translate = (value: unknown, refuse: Refuse, config: Config) => unknown

/**
 * How the configuration of one class differs. When a file is read, a key that no part of the rule
 * names keeps its name and its value; when one is written, it is refused.
 */
export interface Rule {
  /** Keras 1.2.2's class, by the configuration. Default: it has the same name. */
  readonly as?: string | ((config: Config) => string)
  /** Keras 1.2.2's classes that are written as this one. Default: that of `as`, if it is a name. */
  readonly from?: readonly string[]
  /**
   * Keras 2's key → Keras 1.2.2's, or that with what makes its value, and what makes Keras 2's
   * value again; without the last it is never written.
   */
  readonly keys?: Readonly<
    Record<string, string | readonly [key: string, value: Translate, back?: Translate]>
  >
  /** Keys that both have, with the same values. */
  readonly same?: readonly string[]
  /** What is written where Keras 1.2.2 says nothing and Keras 2 would take something else. */
  readonly otherwise?: Config
  /**
   * Keys of Keras 1.2.2 alone, and the values at which Keras 2 computes the same; `ANY`: at all.
   * Others are not written, but refused.
   */
  readonly dropped?: Readonly<Record<string, readonly unknown[]>>
  /**
   * The values at which a key changes nothing; `ANY`: none changes a result. Others are refused,
   * unless `keys` has the key, too.
   */
  readonly ignored?: Readonly<Record<string, readonly unknown[]>>
  /**
   * Settings in Keras 1.2.2's words that every layer of this class has, without a key in Keras 2.
   */
  readonly implied?: Config | ((config: Config) => Config)
}

/** For {@link Rule.ignored}: no value changes a result, since the weights come from the file. */
export const ANY: readonly unknown[] = []

export const isObject = (value: unknown): value is Config =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `{ class_name, config }`, or a name: a class and its settings. */
export function named(value: unknown): [name: string, config: Config] {
  if (typeof value === 'string') return [value, {}]
  const { class_name: name, config } = isObject(value) ? value : {}
  return [typeof name === 'string' ? name : '', isObject(config) ? config : {}]
}

/** A name without the package that it was registered in: 'Custom>Adam' is Adam. */
export const bare = (name: string): string => name.slice(name.lastIndexOf('>') + 1)

export const same = (a: unknown, b: unknown): boolean =>
  JSON.stringify(a ?? null) === JSON.stringify(b ?? null)

/**
 * One entry of a configuration in Keras 1.2.2's words; null for one that changes nothing.
 *
 * @param rules the first that names the key counts
 * @param where whose key it is, for errors
 * @throws FormatError ERR_FILE_FORMAT naming the key as the file spells it
 */
export function translated(
  key: string,
  value: unknown,
  rules: readonly Rule[],
  where: { where: string; layer?: string; what?: string },
  config: Config = {},
): [key: string, value: unknown] | null {
  const refuse: Refuse = (expected) =>
    fail(FormatError, 'ERR_FILE_FORMAT', {
      what: `${key} of Keras 2 and 3`,
      expected,
      actual: JSON.stringify(value)?.slice(0, 200) ?? 'nothing',
      ...where,
    })
  for (const { keys = {}, ignored = {} } of rules) {
    const values = Object.hasOwn(ignored, key) ? ignored[key] : undefined
    const changesNothing = values === ANY || values?.some((one) => same(one, value))
    if (changesNothing) return null
    const own = Object.hasOwn(keys, key) ? keys[key] : undefined
    if (typeof own === 'string') return [own, value]
    if (own) return [own[0], own[1](value, refuse, config)]
    if (values) return refuse(values.map((one) => JSON.stringify(one)).join(' or '))
  }
  return [key, value]
}
