/** What a server is told. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { checkInteger } from '../call-options.js'
import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'

/** Options of {@link serve}. */
export interface ServeOptions {
  /** Default 8080; 0: any that is free. */
  port?: number
  /** The address to listen at. Default `'127.0.0.1'`, this machine alone; `'0.0.0.0'`: all. */
  host?: string
  /** Samples of a batch, and of a request, at most. Default 64. */
  maxBatch?: number
  /** How long the first call of a batch waits for others, in ms. Default 0: see `Batcher`. */
  maxDelayMs?: number
  /** Calls that may wait; more are answered 503. Default 1024. */
  maxQueue?: number
  /** Bytes of a body, or of a message of a session, at most. Default 1 MiB. */
  maxBodyBytes?: number
  /** Connections at a time. Default 20,000. */
  maxConnections?: number
  /** Sessions at a time; more are answered 503. Default 10,000. */
  maxSessions?: number
  /** Calls of one address in a second; more are answered 429. Default `null`: any number. */
  maxRate?: number | null
  /** How long a call may wait for its batch, in ms; then it is answered 504. Default 10,000. */
  timeoutMs?: number
  /** How long a request may take to arrive, in ms. Default 30,000. */
  arrivalMs?: number
  /** How long a session may say nothing, in ms; then it is closed. Default 300,000. */
  idleMs?: number
  /** How long `close` waits for what is under way, in ms. Default 10,000. */
  closeMs?: number
  /**
   * Origins of web pages, `'https://example.org'`, that may open sessions, beside pages of the
   * server's own host. Default: none.
   */
  origins?: readonly string[]
  /** `POST /reload` with `Authorization: Bearer …` of this. Default `null`: no such route. */
  adminToken?: string | null
  /** Answers paths that are not the server's own: pages. Default: 404. */
  pages?: ((request: IncomingMessage, response: ServerResponse) => void) | null
  /** Is told of faults of the server: never of a bad request. Default `console.error`. */
  onError?: (error: unknown) => void
}

/** All of them. */
export type ResolvedServeOptions = Readonly<Required<ServeOptions>>

const DEFAULTS: ResolvedServeOptions = {
  port: 8080,
  host: '127.0.0.1',
  maxBatch: 64,
  maxDelayMs: 0,
  maxQueue: 1024,
  maxBodyBytes: 2 ** 20,
  maxConnections: 20_000,
  maxSessions: 10_000,
  maxRate: null,
  timeoutMs: 10_000,
  arrivalMs: 30_000,
  idleMs: 300_000,
  closeMs: 10_000,
  origins: [],
  adminToken: null,
  pages: null,
  onError: (error) => console.error(error),
}

/** Those that are integers, and the least that each may be; `Batcher` checks its own. */
const LEAST = {
  port: 0,
  maxBodyBytes: 1,
  maxConnections: 1,
  maxSessions: 0,
  timeoutMs: 1,
  arrivalMs: 1,
  idleMs: 1,
  closeMs: 0,
} as const

/** @throws ConfigError ERR_OPTION */
export function checkedServeOptions(given: unknown): ResolvedServeOptions {
  const where = 'serve'
  const options = resolveOptions(where, DEFAULTS, given)
  for (const [name, least] of Object.entries(LEAST))
    checkInteger(where, name, options[name as keyof typeof LEAST], least)
  const check = (name: keyof ServeOptions, isFine: boolean, expected: string) => {
    if (isFine) return
    const actual = describe(options[name])
    fail(ConfigError, 'ERR_OPTION', { where, what: name, expected, actual })
  }
  const { port, host, maxRate, origins, adminToken, pages, onError } = options
  check('port', port < 2 ** 16, 'at most 65535')
  check('host', typeof host === 'string' && host !== '', 'an address')
  check('maxRate', maxRate === null || (Number.isFinite(maxRate) && maxRate > 0), 'a number > 0')
  const isText = (each: unknown) => typeof each === 'string'
  check('origins', Array.isArray(origins) && origins.every(isText), 'a list of origins')
  // a short secret can be guessed
  const isLong = adminToken === null || (typeof adminToken === 'string' && adminToken.length >= 16)
  check('adminToken', isLong, '16 characters or more')
  check('pages', pages === null || typeof pages === 'function', 'a function')
  check('onError', typeof onError === 'function', 'a function')
  return options
}
