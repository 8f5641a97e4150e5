/** What went wrong with a request, as its sender is told. */
import { type ErrorCode, HiddenstateError } from '../errors.js'

/** Codes of the server's own, beside those of {@link HiddenstateError}. */
export type ProblemCode =
  | 'ERR_ROUTE'
  | 'ERR_METHOD'
  | 'ERR_CONTENT_TYPE'
  | 'ERR_BODY'
  | 'ERR_BODY_SIZE'
  | 'ERR_RATE'
  | 'ERR_SESSIONS'
  | 'ERR_ORIGIN'
  | 'ERR_UNAUTHORIZED'

const STATUS: Record<ProblemCode, number> = {
  ERR_ROUTE: 404,
  ERR_METHOD: 405,
  ERR_CONTENT_TYPE: 415,
  ERR_BODY: 400,
  ERR_BODY_SIZE: 413,
  ERR_RATE: 429,
  ERR_SESSIONS: 503,
  ERR_ORIGIN: 403,
  ERR_UNAUTHORIZED: 401,
}

/** Errors of the package that a request can cause; all others are the server's. */
const STATUS_OF_ERROR: Partial<Record<ErrorCode, number>> = {
  ERR_OPTION: 400,
  ERR_UNKNOWN_NAME: 400,
  ERR_SHAPE: 400,
  ERR_FILE_FORMAT: 400,
  ERR_LIMIT: 400,
  ERR_QUEUE_FULL: 503,
  ERR_TIMEOUT: 504,
}

/** An answer that is an error: a status, and `{ error: { code, message } }`. */
export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ProblemCode, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.code = code
    this.status = STATUS[code]
    this.headers = headers
  }

  /** As JSON has it. */
  static body({ code, message }: { code: string; message: string }): object {
    return { error: { code, message } }
  }
}

/** What the sender is told of an error; `isOurs`: it is the server's, and nothing of it is told. */
export interface Told {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly headers: Readonly<Record<string, string>>
  readonly isOurs: boolean
}

export function told(error: unknown): Told {
  if (error instanceof Problem) {
    const { status, code, message, headers } = error
    return { status, code, message, headers, isOurs: false }
  }
  const status = error instanceof HiddenstateError ? STATUS_OF_ERROR[error.code] : undefined
  if (status === undefined) {
    const message = 'The server has failed; its log says why.'
    return { status: 500, code: 'ERR_INTERNAL', message, headers: {}, isOurs: true }
  }
  const { code, message } = error as HiddenstateError
  const headers: Record<string, string> = status === 503 ? { 'retry-after': '1' } : {}
  return { status, code, message, headers, isOurs: false }
}
