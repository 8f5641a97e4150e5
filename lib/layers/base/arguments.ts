/** What a constructor was given, merged with the defaults and checked. */
import { ConfigError, fail } from '../../errors.js'
import { describe } from '../../ndarray.js'
import { probableName, resolveOptions } from '../../options.js'
import { isRecord } from '../../per-name.js'
import { Written } from '../../written.js'
import type { LayerClass } from './layer.js'
import { normalizeOption } from './option-rules.js'
import { type Origin, origin } from './origin.js'

function checkedOptions(
  className: string,
  positional: readonly string[],
  options: object | null | undefined,
): object {
  if (options === undefined || options === null) return {}
  if (typeof options !== 'object' || Array.isArray(options)) {
    fail(ConfigError, 'ERR_OPTION', {
      where: className,
      what: 'options',
      expected: 'one object after the arguments',
      actual: describe(options),
    })
  }
  const twice = positional.find((key) => key in options)
  if (twice) {
    fail(ConfigError, 'ERR_OPTION', {
      where: className,
      what: twice,
      expected: `an argument: new ${className}(${positional.join(', ')}, { … })`,
      actual: 'an option',
    })
  }
  return options
}

const TYPES: Readonly<Record<string, string>> = {
  number: 'a finite number',
  string: 'a text',
  boolean: 'true or false',
}

/** An option that a program has defined: data, of the type that its default has. */
function checkedData(where: string, key: string, value: unknown, byDefault: unknown): unknown {
  const isScalar = (one: unknown) =>
    one === null || ['boolean', 'string'].includes(typeof one) || Number.isFinite(one)
  const isData = (one: unknown): boolean =>
    isScalar(one) ||
    (Array.isArray(one) && one.every(isData)) ||
    (isRecord(one) && Object.values(one).every(isData))
  const isOfType =
    byDefault === null || typeof byDefault === 'object' || typeof byDefault === typeof value
  if (isData(value) && isOfType) return value
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what: key,
    expected: isOfType
      ? 'data: finite numbers, texts, lists and objects of them'
      : TYPES[typeof byDefault]!,
    actual: describe(value),
  })
}

/**
 * Every option of a layer, none missing, in the form in which layers keep them.
 * @param args the positional arguments, in the order of `positional`
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME`
 */
export function resolveArguments(
  {
    className,
    positional,
    defaults,
    written,
    own,
  }: Pick<LayerClass, 'className' | 'positional' | 'defaults' | 'written' | 'own'>,
  args: readonly unknown[],
  options: object | null | undefined,
): Record<string, unknown> {
  const given: Record<string, unknown> = { ...checkedOptions(className, positional, options) }
  const from = origin()
  const where = from?.where ?? className
  const spelled = (key: string): string => from?.spelled(key) ?? key
  for (const [i, key] of positional.entries()) {
    if (args[i] === undefined || args[i] === null) {
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: spelled(key),
        expected: from ? 'given' : `argument ${i + 1}`,
        actual: describe(args[i]),
      })
    }
    given[key] = args[i]
  }
  const merged = resolveOptions(
    className,
    { ...Object.fromEntries(positional.map((k) => [k, null])), ...defaults },
    given,
  ) as Record<string, unknown>
  const kept: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(merged)) {
    kept[key] = own.includes(key)
      ? checkedData(where, key, value, defaults[key])
      : normalizeOption(where, key, value, defaults[key], spelled(key))
    const isActivation = /^activation$|Activation$/.test(key)
    if (isActivation && kept[key] instanceof Written && !written.options.includes(key))
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: spelled(key),
        expected: 'the name of an activation',
        actual: 'a function',
        hint: written.instead,
      })
  }
  return kept
}

/**
 * Every key of a configuration must be an option of the layer.
 *
 * @param given the options by the names that this package has for them
 * @throws ConfigError `ERR_OPTION` naming the key as the file spells it
 */
export function checkKeys(
  { className, positional, defaults }: Pick<LayerClass, 'className' | 'positional' | 'defaults'>,
  given: Readonly<Record<string, unknown>>,
  { where, spelled }: Pick<Origin, 'where' | 'spelled'>,
): void {
  const options = [...positional, ...Object.keys(defaults)]
  const unknown = Object.keys(given).find(
    (key) => given[key] !== undefined && !options.includes(key),
  )
  if (unknown === undefined) return
  const near = probableName(unknown, options)
  fail(ConfigError, 'ERR_OPTION', {
    where,
    layer: where,
    what: `key ${spelled(unknown)}`,
    expected: `an option of ${className}`,
    actual: describe(given[unknown]),
    hint: near && `Did you mean '${spelled(near)}'?`,
  })
}
