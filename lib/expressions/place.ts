/** Where an expression is being built, for errors. */
import { type ErrorCode, ConfigError, fail, ShapeError } from '../errors.js'

/** What errors begin with: 'Rated: step: '. */
let place = ''

/** Builds what `make` builds as a part of something that errors name first: 'Rated: step'. */
export function within<T>(where: string, make: () => T): T {
  const before = place
  place = `${before}${where}: `
  try {
    return make()
  } finally {
    place = before
  }
}

/** The parts of a message; see {@link fail}. */
interface Refusal {
  where: string
  what: string
  expected: string
  actual: string
  hint?: string | undefined
}

/** @throws ShapeError ERR_SHAPE */
export const refuseShape = (refusal: Refusal): never =>
  fail(ShapeError, 'ERR_SHAPE', { ...refusal, where: place + refusal.where })

/** @throws ConfigError ERR_OPTION, or what `code` says */
export const refuse = (refusal: Refusal, code: ErrorCode = 'ERR_OPTION'): never =>
  fail(ConfigError, code, { ...refusal, where: place + refusal.where })
