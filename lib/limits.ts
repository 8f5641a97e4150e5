/**
 * Limits on what texts and files of others may ask for: checked before the work, each raised by an
 * option of its own name.
 */
import { ConfigError, fail, FormatError } from './errors.js'
import { describe } from './ndarray.js'
import { resolveOptions } from './options.js'

/**
 * What a text or file that comes from elsewhere may ask for at most; `Infinity` for no limit. What
 * asks for more is refused with `ERR_LIMIT` before the work is done; the error names the figure and
 * the limit to raise.
 */
export interface Limits {
  /** Characters of a JSON or YAML text. Default 4,194,304. */
  textLength?: number
  /** Lists and objects inside each other. Default 100. */
  depth?: number
  /** Keys and values of a text, those that a YAML alias repeats included. Default 200,000. */
  values?: number
  /** Anchors and aliases of a YAML text. Default 1,000. */
  aliases?: number
  /** Layers of a model, those inside layers included. Default 5,000. */
  layers?: number
  /**
   * Bytes of all parameters of a model;
   * training needs two to four times as many. Default 2,147,483,648.
   */
  parameterBytes?: number
  /**
   * Bytes that a compressed file (`.npz`, `.gz`) unpacks to in all. Default: 64 times the size of
   * the file, and 268,435,456 for a file so small that this is more.
   */
  inflatedBytes?: number
}

/** A limit for each kind of work; those that depend on the file are null until given. */
export type ResolvedLimits = Readonly<Record<Exclude<keyof Limits, 'inflatedBytes'>, number>> & {
  readonly inflatedBytes: number | null
}

const DEFAULTS: ResolvedLimits = Object.freeze({
  textLength: 2 ** 22,
  depth: 100,
  values: 200_000,
  aliases: 1000,
  layers: 5000,
  parameterBytes: 2 ** 31,
  inflatedBytes: null,
})

/** What each limit counts, as errors call it. */
const COUNTED: Readonly<Record<keyof Limits, string>> = {
  textLength: 'characters of the text',
  depth: 'lists and objects inside each other',
  values: 'keys and values',
  aliases: 'anchors and aliases',
  layers: 'layers',
  parameterBytes: 'bytes of parameters',
  inflatedBytes: 'bytes after unpacking',
}

/**
 * The limits of a call: what was given, else the defaults.
 *
 * @param where the call, for errors
 * @throws ConfigError ERR_OPTION for an unknown limit, and for anything but a number of at least 0
 */
export function resolveLimits(where: string, given: unknown): ResolvedLimits {
  const limits = resolveOptions<ResolvedLimits>(`${where}: limits`, DEFAULTS, given)
  for (const [key, value] of Object.entries(limits)) {
    if (value === null && DEFAULTS[key as keyof Limits] === null) continue
    if (typeof value === 'number' && value >= 0) continue
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: `limits.${key}`,
      expected: 'a number of at least 0 (Infinity: no limit)',
      actual: describe(value),
    })
  }
  return limits
}

/** @throws FormatError ERR_LIMIT @param actual the figure, or 'more' where counting has stopped */
export function exceeds(
  where: string,
  key: keyof Limits,
  limit: number,
  actual: number | 'more',
): never {
  return fail(FormatError, 'ERR_LIMIT', {
    where,
    what: COUNTED[key],
    expected: `at most ${limit} (limits.${key})`,
    actual: String(actual),
    hint: `If you trust where it comes from, raise it: limits: { ${key}: ${actual === 'more' ? 2 * limit : actual} }.`,
  })
}

/** @throws FormatError ERR_LIMIT when `text` is longer than a text may be */
export function checkText(where: string, text: string, limits: ResolvedLimits): void {
  if (text.length > limits.textLength) exceeds(where, 'textLength', limits.textLength, text.length)
}

/**
 * Counts what a JSON text holds by its marks, a twentieth of the work of parsing it.
 *
 * @throws FormatError ERR_LIMIT for a text that is too long or too deep,
 *   or has too many keys and values
 */
export function checkJson(where: string, text: string, limits: ResolvedLimits): void {
  checkText(where, text, limits)
  let [values, depth] = [1, 0]
  for (let i = 0; i < text.length; i++) {
    const mark = text[i]
    if (mark === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === '\\') i++
    } else if (mark === '[' || mark === '{') {
      if (++depth > limits.depth) exceeds(where, 'depth', limits.depth, 'more')
      values++
    } else if (mark === ']' || mark === '}') depth--
    else if (mark === ',' || mark === ':') values++
    if (values > limits.values) exceeds(where, 'values', limits.values, 'more')
  }
}

/** Bytes that a compressed file of `size` bytes may unpack to. */
export const inflatedBytes = (size: number, limits: ResolvedLimits): number =>
  limits.inflatedBytes ?? Math.max(64 * size, 2 ** 28)

/** @throws FormatError ERR_LIMIT when a file of `size` bytes unpacks to more than it may */
export function checkInflated(
  where: string,
  bytes: number,
  size: number,
  limits: ResolvedLimits,
): void {
  const limit = inflatedBytes(size, limits)
  if (bytes > limit) exceeds(where, 'inflatedBytes', limit, bytes)
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)

/**
 * Counts what a parsed text holds, before anything is made of it. What is reached twice (by aliases
 * of YAML) counts twice, so that what holds itself ends at the limit of depth.
 *
 * @throws FormatError ERR_LIMIT for too many keys and values, levels or layers
 */
export function checkDocument(where: string, document: unknown, limits: ResolvedLimits): void {
  let values = 1
  let layers = 0
  const open: [value: unknown, depth: number][] = [[document, 0]]
  for (let next = open.pop(); next; next = open.pop()) {
    const [value, depth] = next
    if (!isObject(value)) continue
    if (depth >= limits.depth) exceeds(where, 'depth', limits.depth, 'more')
    const isList = Array.isArray(value)
    const items: unknown[] = isList ? value : Object.values(value)
    values += isList ? items.length : 2 * items.length
    if (values > limits.values) exceeds(where, 'values', limits.values, 'more')
    if (depth > 0 && 'class_name' in value && 'config' in value) layers++
    for (const item of items) if (isObject(item)) open.push([item, depth + 1])
  }
  if (layers > limits.layers) exceeds(where, 'layers', limits.layers, layers)
}
