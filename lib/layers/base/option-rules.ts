/**
 * Options are data: what an option may hold, how it is kept and how a configuration writes it
 * follow from its name and its default, for every layer alike.
 */
import { type ActivationName, toActivation } from '../../activations.js'
import { type Constraint, toConstraint } from '../../constraints.js'
import { ConfigError, fail } from '../../errors.js'
import { type Initializer, initNames, toInit } from '../../initializations.js'
import { describe } from '../../ndarray.js'
import { camelToSnake, snakeToCamel } from '../../options.js'
import { isRecord } from '../../per-name.js'
import { type Regularizer, toRegularizer } from '../../regularizers.js'
import type { Written } from '../../written.js'

/** The options of a layer after merging: none missing, names resolved to what they stand for. */
export type Resolved<O> = {
  readonly [K in keyof O]-?: K extends `${string}Regularizer`
    ? Regularizer | Written | null
    : K extends `${string}Constraint`
      ? Constraint | Written | null
      : K extends 'activation' | `${string}Activation`
        ? ActivationName | IfTaken<O[K], Written>
        : Exclude<O[K], undefined>
}

/** T where functions are among what an option takes. */
type IfTaken<O, T> = [Extract<O, (...values: never[]) => unknown>] extends [never] ? never : T

interface Rule {
  matches: RegExp
  /** Whether it holds for an option with this default. Default: always. */
  holds?(byDefault: unknown): boolean
  /** The value as kept; fails when it cannot be. */
  keep(value: unknown, where: string, key: string): unknown
  /** The value as a configuration holds it. Default: as it is. */
  save?(value: unknown, key: string, byDefault: unknown): unknown
}

const bad = (where: string, key: string, expected: string, value: unknown): never =>
  fail(ConfigError, 'ERR_OPTION', { where, what: key, expected, actual: describe(value) })

/** @throws ConfigError `ERR_OPTION` unless `value` is one of a few words */
export function oneOf(where: string, key: string, words: readonly string[], value: unknown): void {
  if (words.includes(value as string)) return
  bad(where, key, words.map((word) => `'${word}'`).join(' or '), value)
}

const isCount = (v: unknown): v is number =>
  typeof v === 'number' && Number.isSafeInteger(v) && v > 0

const pair = (value: unknown, where: string, key: string): unknown =>
  Array.isArray(value) && value.length === 2 && value.every(isCount)
    ? Object.freeze([...value])
    : bad(where, key, 'two positive integers', value)

const isLayer = (v: unknown): v is { readonly name: string } =>
  typeof v === 'object' && v !== null && 'layerClass' in v

const isShare = (v: unknown): v is number => typeof v === 'number' && v >= 0 && v <= 1

const isLength = (v: unknown): v is number =>
  typeof v === 'number' && Number.isSafeInteger(v) && v >= 0

/** Padding by side is an object: leftPad here, left_pad in Keras. */
const padding = (value: unknown, where: string, key: string): unknown => {
  if (isLength(value)) return value
  if (Array.isArray(value) && (value.length === 2 || value.length === 4) && value.every(isLength)) {
    return Object.freeze([...value])
  }
  const expected =
    'an integer from 0 on, a list of 2 or 4 of them, or an object of leftPad, rightPad, topPad, bottomPad'
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return bad(where, key, expected, value)
  const sides = Object.entries(value).map(([side, n]) => [snakeToCamel(side), n] as const)
  const known = sides.every(([side, n]) => /^(left|right|top|bottom)Pad$/.test(side) && isLength(n))
  return known
    ? Object.freeze(Object.fromEntries(sides))
    : bad(where, key, expected, JSON.stringify(value))
}

const shape = (value: unknown, where: string, key: string): unknown => {
  if (value === null) return null
  if (!Array.isArray(value) || !value.every((d) => d === null || isCount(d))) {
    return bad(where, key, 'a list of positive integers or null', value)
  }
  return Object.freeze([...value])
}

/**
 * Names that a file would not find again, where they are paths; and those with ':' in front, which
 * are for values of a graph.
 */
const UNUSABLE_NAME = /^[:\uFEFF]|\0|\p{Cs}|(^|\/)\.?(\/|$)/u
const NAME =
  "a non-empty string that can be a path in a file (no empty part or '.' between slashes, no NUL, well-formed, not beginning with ':' or U+FEFF)"

let hasWarned = false

/**
 * Files hold data, never code; values of a built layer are in its weights anyway. Scaled
 * initializers have Keras' names.
 */
function instead(init: Initializer, key: string, byDefault: unknown): unknown {
  if ((initNames as readonly string[]).includes(init.name)) return init.name
  if (!hasWarned) {
    hasWarned = true
    process.emitWarning(
      `A configuration cannot hold the function ${init.name || '(unnamed)'} given as ${key}; it says '${byDefault}', the default.`,
      { code: 'HIDDENSTATE_CONFIG' },
    )
  }
  return byDefault
}

const BORDERS: readonly unknown[] = ['valid', 'same', 'full', 'same_tf', 'causal']

/**
 * The first rule whose pattern matches holds;
 * an option without a rule is checked by the type of its default.
 */
const rules: readonly Rule[] = [
  {
    matches: /Regularizer$/,
    keep: (v, where, key) => toRegularizer(v, `${where}: ${key}`),
    save: (v) => (v as Regularizer | null)?.getConfig() ?? null,
  },
  {
    matches: /Constraint$/,
    keep: (v, where, key) => toConstraint(v, `${where}: ${key}`),
    save: (v) => (v as Constraint | null)?.getConfig() ?? null,
  },
  {
    matches: /^activation$|Activation$/,
    keep: (v, where, key) => toActivation(v, `${where}: ${key}`),
  },
  {
    matches: /^init$|Init$/,
    holds: (byDefault) => typeof byDefault !== 'number', // ParametricSoftplus: the number itself
    keep: (v, where, key) => toInit(v, `${where}: ${key}`),
    save: (v, key, byDefault) =>
      typeof v === 'function' ? instead(v as Initializer, key, byDefault) : v,
  },
  {
    matches: /^tiedTo$/,
    keep: (v, where, key) => {
      if (v === null || isLayer(v) || (typeof v === 'string' && v !== '')) return v
      return bad(where, key, 'a layer, its name, or null', v)
    },
    save: (v) => (isLayer(v) ? v.name : v),
  },
  {
    matches: /^layer$/,
    keep: (v, where, key) => (isLayer(v) ? v : bad(where, key, 'a layer', v)),
    save: (v) => {
      const layer = v as { layerClass: { className: string }; getConfig(): object }
      return { class_name: layer.layerClass.className, config: layer.getConfig() }
    },
  },
  {
    matches: /^function$/,
    keep: (v, where, key) =>
      typeof v === 'function' || (typeof v === 'object' && v !== null && 'nodes' in v)
        ? v
        : bad(
            where,
            key,
            'a function of an expression, or one as files of this package hold it',
            v,
          ),
  },
  { matches: /^(inputShape|batchInputShape)$/, keep: shape },
  { matches: /^(poolSize|size|subsample)$/, keep: pair },
  { matches: /^strides$/, keep: (v, where, key) => (v === null ? null : pair(v, where, key)) },
  {
    matches: /^cropping$/,
    keep: (v, where, key) =>
      Array.isArray(v) && v.length === 2 && v.every(isLength)
        ? Object.freeze([...v])
        : bad(where, key, 'two integers from 0 on', v),
  },
  {
    matches: /^padding$/,
    keep: padding,
    save: (v) => {
      if (typeof v !== 'object' || v === null) return v
      if (Array.isArray(v)) return [...v]
      return Object.fromEntries(Object.entries(v).map(([side, n]) => [camelToSnake(side), n]))
    },
  },
  {
    matches: /^borderMode$|BorderMode$/,
    keep: (v, where, key) =>
      BORDERS.includes(v)
        ? v
        : bad(where, key, "'valid', 'same', 'full', 'same_tf' or 'causal'", v),
  },
  {
    matches: /^dimOrdering$/,
    keep: (v, where, key) => {
      if (v === 'default') return 'tf'
      return v === 'tf' || v === 'th'
        ? v
        : bad(where, key, "'tf', 'th' or 'default' (which is 'tf')", v)
    },
  },
  {
    matches: /^stride$/,
    keep: (v, where, key) =>
      v === null || isCount(v) ? v : bad(where, key, 'a positive integer or null', v),
  },
  {
    matches:
      /^(outputDim|n|nbFilter|filterLength|nbRow|nbCol|subsampleLength|atrousRate|poolLength|length)$/,
    keep: (v, where, key) => (isCount(v) ? v : bad(where, key, 'a positive integer', v)),
  },
  {
    matches: /^(inputDim|inputLength|truncate)$/,
    keep: (v, where, key) =>
      v === null || isCount(v) ? v : bad(where, key, 'a positive integer or null', v),
  },
  {
    matches: /^initialState$/,
    keep: (v, where, key) =>
      v === 'zero' || v === 'learned' ? v : bad(where, key, "'zero' or 'learned'", v),
  },
  {
    matches: /^checkpoint$/,
    keep: (v, where, key) =>
      v === null || v === 'auto' || isCount(v)
        ? v
        : bad(where, key, "'auto', a positive integer or null", v),
  },
  {
    matches: /^(p|dropout[WU]?)$/,
    keep: (v, where, key) => (isShare(v) ? v : bad(where, key, 'a number from 0 to 1', v)),
  },
  {
    matches: /^zoneout$/,
    keep: (v, where, key) => {
      const isBelowOne = (n: unknown) => isShare(n) && n < 1
      if (isBelowOne(v)) return v
      return isRecord(v) && Object.values(v).every(isBelowOne)
        ? Object.freeze({ ...v })
        : bad(where, key, 'a number from 0 to below 1, or one for each state', v)
    },
  },
  // Merge checks them against shapes
  { matches: /^dotAxes$/, keep: (v) => (Array.isArray(v) ? Object.freeze([...v]) : v) },
  {
    matches: /^consumeLess$/,
    keep: (v, where, key) =>
      v === 'cpu' || v === 'mem' || v === 'gpu' ? v : bad(where, key, "'cpu', 'mem' or 'gpu'", v),
  },
  {
    matches: /^dtype$/,
    keep: (v, where, key) =>
      v === null || v === 'float32' || v === 'float64'
        ? v
        : bad(where, key, "'float32', 'float64' or null", v),
  },
  {
    matches: /^name$/,
    keep: (v, where, key) =>
      v === null || (typeof v === 'string' && v !== '' && !UNUSABLE_NAME.test(v))
        ? v
        : bad(where, key, NAME, v),
  },
  {
    matches: /^inputDtype$/,
    keep: (v, where, key) =>
      v === null || (typeof v === 'string' && v !== '')
        ? v
        : bad(where, key, 'a non-empty string', v),
  },
  {
    matches: /^weights$/,
    keep: (v, where, key) =>
      v === null || Array.isArray(v) ? v : bad(where, key, 'a list of arrays', v),
  },
]

/**
 * Checks one option and brings it to the form in which layers keep it.
 *
 * @param spelled what errors call it
 */
export function normalizeOption(
  where: string,
  key: string,
  value: unknown,
  byDefault: unknown,
  spelled: string = key,
): unknown {
  const rule = rules.find((r) => r.matches.test(key) && (r.holds?.(byDefault) ?? true))
  if (rule) return rule.keep(value, where, spelled)
  if (typeof byDefault === 'boolean' && typeof value !== 'boolean')
    return bad(where, spelled, 'true or false', value)
  if (typeof byDefault === 'number' && !(typeof value === 'number' && Number.isFinite(value))) {
    return bad(where, spelled, 'a finite number', value)
  }
  return Array.isArray(value) ? Object.freeze([...value]) : value
}

/** One option as Keras' configuration writes it. */
export function serializeOption(key: string, value: unknown, byDefault: unknown): unknown {
  const rule = rules.find((r) => r.matches.test(key))
  if (rule?.save) return rule.save(value, key, byDefault)
  return Array.isArray(value) ? [...value] : value
}
