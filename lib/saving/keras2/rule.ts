/** What a rule of the table says: how the configuration of one class of Keras 2 differs from that of Keras 1.2.2. */

/** A configuration as a file has it. */
export type Config = Readonly<Record<string, unknown>>

/** Refuses the value at hand. @param expected what it must be */
export type Refuse = (expected: string) => never

/** Makes Keras 1.2.2's value of Keras 2's. */
export type Translate = (value: unknown, refuse: Refuse) => unknown

/** How the configuration of one class differs. A key that no part of the rule names keeps its name and its value. */
export interface Rule {
  /** Keras 1.2.2's class. Default: it has the same name. */
  readonly as?: string
  /** Keras 2's key → Keras 1.2.2's, or that with what makes its value. */
  readonly keys?: Readonly<Record<string, string | readonly [key: string, value: Translate]>>
  /** Keys that Keras 1.2.2 has not, with the values at which they change nothing; `ANY`: none of them changes a result. */
  readonly ignored?: Readonly<Record<string, readonly unknown[]>>
  /** What every layer of this class has in Keras 1.2.2's words, without a key in Keras 2. */
  readonly implied?: Config
}

/** Of {@link Rule.ignored}: whatever the value, no result changes, since the weights come from the file. */
export const ANY: readonly unknown[] = []

export const isObject = (value: unknown): value is Config =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `{ class_name, config }`, or a name: a class and its settings. */
export function named(value: unknown): [name: string, config: Config] {
  if (typeof value === 'string') return [value, {}]
  const { class_name: name, config } = isObject(value) ? value : {}
  return [typeof name === 'string' ? name : '', isObject(config) ? config : {}]
}

/** Whether a value is one of those at which a key changes nothing. */
export const changesNothing = (value: unknown, values: readonly unknown[]): boolean =>
  values === ANY || values.some((one) => JSON.stringify(one ?? null) === JSON.stringify(value ?? null))
