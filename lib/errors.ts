/**
 * The error classes: one base, stable codes, data on the object.
 * Native errors become instances of them too.
 */

/** Every `code` an error of this package can carry. */
export type ErrorCode =
  | 'ERR_OPTION'
  | 'ERR_UNKNOWN_NAME'
  | 'ERR_SHAPE'
  | 'ERR_NOT_COMPILED'
  | 'ERR_NOT_BUILT'
  | 'ERR_BUSY'
  | 'ERR_DISPOSED'
  | 'ERR_NAN'
  | 'ERR_CANCELLED'
  | 'ERR_RESUME'
  | 'ERR_TRIALS'
  | 'ERR_QUEUE_FULL'
  | 'ERR_TIMEOUT'
  | 'ERR_MISSING_PACKAGE'
  | 'ERR_FILE_FORMAT'
  | 'ERR_LIMIT'
  | 'ERR_FILE_SYSTEM'
  | 'ERR_INTERNAL'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_DEVICE'
  | 'ERR_RANK'

/** What an error knows beside its message. */
export interface ErrorDetails {
  /** Name and class of the layer, `'lstm_1 (LSTM)'`, or the path of a parameter, `'dense_1/W'`. */
  layer?: string
  expected?: string
  actual?: string
  cause?: unknown
}

/**
 * Base class of every error this package throws on purpose.
 *
 * @example
 * import { Dense, HiddenstateError } from 'hiddenstate'
 * try {
 *   new Dense(3, { activaton: 'tanh' })
 * } catch (error) {
 *   console.log(error instanceof HiddenstateError, error.code) // true ERR_OPTION
 * }
 */
export class HiddenstateError extends Error {
  readonly code: ErrorCode
  /** Name and class of the layer the error speaks of, where there is one. */
  declare readonly layer?: string
  declare readonly expected?: string
  declare readonly actual?: string

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    if (details.layer !== undefined) this.layer = details.layer
    if (details.expected !== undefined) this.expected = details.expected
    if (details.actual !== undefined) this.actual = details.actual
  }

  override get name(): string {
    return this.constructor.name
  }
}

/** A bad option or an unknown name: `ERR_OPTION`, `ERR_UNKNOWN_NAME`. Thrown at once. */
export class ConfigError extends HiddenstateError {
  static {
    Object.defineProperty(ConfigError, 'name', { value: 'ConfigError' })
  }
}

/** Data, weights or layers whose shapes do not fit: `ERR_SHAPE`. */
export class ShapeError extends HiddenstateError {
  static {
    Object.defineProperty(ShapeError, 'name', { value: 'ShapeError' })
  }
}

/**
 * The right call at the wrong moment: `ERR_NOT_COMPILED`, `ERR_BUSY`, `ERR_DISPOSED`, `ERR_NAN`,
 * `ERR_NOT_BUILT`, `ERR_MISSING_PACKAGE`, `ERR_CANCELLED`, `ERR_RESUME`, `ERR_TRIALS`, `ERR_RANK`
 * (another rank of a distributed training has failed, left, or makes another call);
 * `ERR_QUEUE_FULL` (too many calls wait already), `ERR_TIMEOUT` (its turn came too late).
 */
export class StateError extends HiddenstateError {
  static {
    Object.defineProperty(StateError, 'name', { value: 'StateError' })
  }
}

/**
 * A file that is not what it should be: `ERR_FILE_FORMAT`; a text or file that asks for more than
 * {@link Limits} allow: `ERR_LIMIT`; one that the file system does not let us read or write (not
 * there, no permission, no space): `ERR_FILE_SYSTEM`, with the system's own error, `{ code:
 * 'ENOSPC' }`, as `cause`.
 */
export class FormatError extends HiddenstateError {
  static {
    Object.defineProperty(FormatError, 'name', { value: 'FormatError' })
  }
}

/**
 * Never the caller's fault: `ERR_INTERNAL`, `ERR_OUT_OF_MEMORY`, `ERR_DEVICE` (a card, its driver
 * or cuBLAS that is missing, lost, or refuses a call).
 */
export class InternalError extends HiddenstateError {
  static {
    Object.defineProperty(InternalError, 'name', { value: 'InternalError' })
  }
}

type ErrorClass = new (code: ErrorCode, message: string, details?: ErrorDetails) => HiddenstateError

/** The parts of a message: "where: what must be expected, got actual. hint" */
export interface Failure {
  where: string
  what: string
  expected: string
  actual: string
  hint?: string | undefined
  /** Default: none. */
  layer?: string | undefined
}

/**
 * Throws an error with the message "where: what must be expected, got actual. hint".
 *
 * @throws always
 */
export function fail(Class: ErrorClass, code: ErrorCode, failure: Failure): never {
  const { where, what, expected, actual, hint, layer } = failure
  const message = `${where}: ${what} must be ${expected}, got ${actual}.${hint ? ` ${hint}` : ''}`
  throw new Class(code, message, { expected, actual, ...(layer === undefined ? {} : { layer }) })
}

/** Runs `make`; what it throws about an option says first where that is. */
export function located<T>(where: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const { code, message, expected, actual } = error
    const details = {
      ...(expected === undefined ? {} : { expected }),
      ...(actual === undefined ? {} : { actual }),
    }
    throw new ConfigError(code, `${where}: ${message}`, { ...details, cause: error })
  }
}

const CLASS_OF_CODE: Record<ErrorCode, ErrorClass> = {
  ERR_OPTION: ConfigError,
  ERR_UNKNOWN_NAME: ConfigError,
  ERR_SHAPE: ShapeError,
  ERR_NOT_COMPILED: StateError,
  ERR_NOT_BUILT: StateError,
  ERR_BUSY: StateError,
  ERR_DISPOSED: StateError,
  ERR_NAN: StateError,
  ERR_CANCELLED: StateError,
  ERR_RESUME: StateError,
  ERR_TRIALS: StateError,
  ERR_QUEUE_FULL: StateError,
  ERR_TIMEOUT: StateError,
  ERR_RANK: StateError,
  ERR_MISSING_PACKAGE: StateError,
  ERR_FILE_FORMAT: FormatError,
  ERR_LIMIT: FormatError,
  ERR_FILE_SYSTEM: FormatError,
  ERR_INTERNAL: InternalError,
  ERR_OUT_OF_MEMORY: InternalError,
  ERR_DEVICE: InternalError,
}

/**
 * Whether a place is a layer or its parameter ('lstm_1 (LSTM)', 'lstm_1/W') and not one of 'plan',
 * 'targets', 'optimizer/iterations', 'random/seed'.
 */
const isLayer = (where: string): boolean =>
  /^.+ \(\w+\)$|^(?!optimizer\/|random\/)[^/]+\/./.test(where)

/** The error of a code: what another thread met, or native code. */
export function errorOf(code: string, message: string, details: ErrorDetails): HiddenstateError {
  const known = Object.hasOwn(CLASS_OF_CODE, code) ? (code as ErrorCode) : 'ERR_INTERNAL'
  return new CLASS_OF_CODE[known](known, message, details)
}

/**
 * Makes the error that native code describes; handed to the addon once.
 *
 * @internal
 */
export function nativeError(
  code: string,
  message: string,
  where: string,
  expected: string,
  actual: string,
): Error {
  const error = errorOf(code, message, {
    ...(isLayer(where) ? { layer: where } : {}),
    ...(expected ? { expected } : {}),
    ...(actual ? { actual } : {}),
  })
  Error.captureStackTrace?.(error, nativeError)
  return error
}

/**
 * Number of insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.
 */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, before[j - 2]! + 1)
      row.push(best)
    }
    before = above
    above = row
  }
  return above[b.length]!
}

/**
 * The candidate most like `word` (case and underscores do not count), or undefined when none is
 * near: more than half of the letters would have to change.
 *
 * @param most letters that may change, where that is less
 */
export function nearest(
  word: string,
  candidates: Iterable<string>,
  most = Number.POSITIVE_INFINITY,
): string | undefined {
  const plain = (s: string) => s.toLowerCase().replaceAll('_', '')
  const from = plain(word.slice(0, 80)) // the distance is quadratic
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const to = plain(candidate)
    const distance = editDistance(from, to)
    if (
      distance < bestDistance &&
      distance <= Math.min(most, Math.max(1, Math.max(from.length, to.length) / 2))
    ) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Whether a card, or the way to it, has failed. */
export const isOfDevice = (error: unknown): boolean =>
  error instanceof HiddenstateError && error.code === 'ERR_DEVICE'
