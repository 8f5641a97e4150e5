/**
 * Where a layer comes from: errors about one that a configuration describes name it and its options
 * as the file spells them.
 */
import { camelToSnake, snakeToCamel } from '../../options.js'

export interface Origin {
  /** The layer: 'lstm_1 (LSTM)'. */
  readonly where: string
  /** How the file spells an option: 'returnSequences' is 'return_sequences'. */
  readonly spelled: (option: string) => string
}

/** How a configuration spells an option; one that it does not have: as Keras would. */
export function spelling(config: object): (option: string) => string {
  const keys = new Map(Object.keys(config).map((key) => [snakeToCamel(key), key]))
  return (option) => keys.get(option) ?? camelToSnake(option)
}

/** The origin of the layer that is being made; null: it is made by a program. */
let current: Origin | null = null

export const origin = (): Origin | null => current

/** Runs `make`, which makes a layer of that origin. */
export function from<T>(there: Origin, make: () => T): T {
  const before = current
  current = there
  try {
    return make()
  } finally {
    current = before
  }
}
