/** Options are data: merged with the defaults, unknown keys rejected, the result frozen. */
import { ConfigError, fail, nearest } from './errors.js'
import { describe } from './ndarray.js'

/** Names of options in later versions of Keras, in camelCase: used only to say what was meant. */
const LATER_NAMES: ReadonlyMap<string, string> = new Map([
  ['epochs', 'nbEpoch'],
  ['initialepoch', 'initialEpoch'],
  ['stepsperepoch', 'samplesPerEpoch'],
  ['units', 'outputDim'],
  ['usebias', 'bias'],
  ['rate', 'p'],
  ['learningrate', 'lr'],
  ['mindelta', 'epsilon'],
  ['kernelinitializer', 'init'],
  ['recurrentinitializer', 'innerInit'],
  ['recurrentactivation', 'innerActivation'],
  ['dropout', 'dropoutW'],
  ['recurrentdropout', 'dropoutU'],
  ['kernelregularizer', 'WRegularizer'],
  ['recurrentregularizer', 'URegularizer'],
  ['biasregularizer', 'bRegularizer'],
  ['kernelconstraint', 'WConstraint'],
  ['biasconstraint', 'bConstraint'],
])

/**
 * The name in `valid` that someone who wrote `key` most probably meant; undefined: none is like it.
 */
export function probableName(key: string, valid: readonly string[]): string | undefined {
  const later = LATER_NAMES.get(key.toLowerCase().replaceAll('_', ''))
  return later !== undefined && valid.includes(later) ? later : nearest(key, valid)
}

/**
 * Merges `given` into `defaults`; a key that is undefined counts as not given.
 *
 * @param owner whose options they are, for the message: 'LSTM', 'fit'
 * @returns a frozen object with exactly the keys of `defaults`
 * @throws ConfigError ERR_OPTION for an unknown key (names the nearest valid one) or a `given` that
 *   is no object
 */
export function resolveOptions<D extends object>(
  owner: string,
  defaults: D,
  given: unknown,
): Readonly<D> {
  const merged: Record<string, unknown> = { ...(defaults as Record<string, unknown>) }
  if (given !== undefined) {
    if (
      given === null ||
      typeof given !== 'object' ||
      Array.isArray(given) ||
      ArrayBuffer.isView(given)
    ) {
      const actual = Array.isArray(given) ? 'an array' : given === null ? 'null' : typeof given
      throw new ConfigError('ERR_OPTION', `${owner}: options must be an object, got ${actual}.`, {
        expected: 'an object',
        actual,
      })
    }
    const valid = Object.keys(defaults)
    for (const [key, value] of Object.entries(given)) {
      if (!Object.hasOwn(merged, key)) {
        const guess = probableName(key, valid)
        const hint = guess
          ? `Did you mean \`${guess}\`?`
          : `It has ${valid.map((k) => `\`${k}\``).join(', ') || 'none'}.`
        throw new ConfigError('ERR_OPTION', `${owner}: unknown option \`${key}\`. ${hint}`, {
          expected: guess ?? valid.join(', '),
          actual: key,
        })
      }
      if (value !== undefined) merged[key] = value
    }
  }
  return Object.freeze(merged) as Readonly<D>
}

/**
 * Makes an assignment to a property of models an error that says how it is changed;
 * reading it is as before.
 *
 * @param expected what the property must be
 */
export function refusesAssignment(
  { prototype }: { readonly prototype: object },
  key: string,
  expected: string,
  hint: string,
): void {
  const set = (value: unknown) =>
    fail(ConfigError, 'ERR_OPTION', {
      where: `model.${key}`,
      what: key,
      expected,
      actual: describe(value),
      hint,
    })
  Object.defineProperty(prototype, key, {
    configurable: true,
    ...Object.getOwnPropertyDescriptor(prototype, key),
    set,
  })
}

/**
 * A Keras keyword as this package spells it: `return_sequences` → `returnSequences`,
 * `W_regularizer` → `WRegularizer`, `dropout_W` → `dropoutW`, `beta_1` → `beta1`.
 */
export function snakeToCamel(snake: string): string {
  return snake
    .split('_')
    .map((part, i) => (i === 0 || part === '' ? part : part[0]!.toUpperCase() + part.slice(1)))
    .join('')
}

/**
 * The inverse of {@link snakeToCamel}: `returnSequences` → `return_sequences`, `WRegularizer` →
 * `W_regularizer`, `dropoutW` → `dropout_W`, `beta1` → `beta_1`; `l1`, `l2` stay.
 */
export function camelToSnake(camel: string): string {
  const words = camel.replace(/([a-zA-Z0-9])(?=[A-Z])/g, '$1_').split('_')
  return words
    .map((word, i) => {
      const isLetter = word.length === 1 && (i === 0 || i === words.length - 1) // W_, dropout_W
      return isLetter ? word : word.slice(0, 1).toLowerCase() + word.slice(1)
    })
    .join('_')
    .replace(/([a-z]{2})([0-9]+)$/, '$1_$2')
}
