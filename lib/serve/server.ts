/** A model behind HTTP: who asks what, and what becomes of it. */
import { createHash, timingSafeEqual } from 'node:crypto'
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { ConfigError, fail } from '../errors.js'
import type { GatheredBatch } from '../model/batcher-options.js'
import { Model } from '../model/model.js'
import { describe } from '../ndarray.js'
import { Deployment } from './deployment.js'
import { Metrics, prometheusText, type Samples } from './metrics.js'
import type { ResolvedServeOptions } from './options.js'
import { type Answer, answerPrediction, json } from './predictions.js'
import { Problem, told } from './problem.js'
import { RateLimit } from './rate.js'
import { Connections, type SessionHost } from './sessions.js'
import { type SocketMaker, socketMaker } from './web-socket.js'

/** What a process asks of the others that serve with it; absent: it is alone. */
export interface Fellows {
  /** All of them together. */
  samples(own: Samples): Promise<Samples>
  /** Has every process load the model again. */
  reload(): Promise<void>
}

type Handler = (request: IncomingMessage, signal: AbortSignal) => Promise<Answer> | Answer

/** Compares without telling by the time it takes how much was right. */
function isSame(given: string, wanted: string): boolean {
  const [a, b] = [given, wanted].map((text) => createHash('sha256').update(text).digest())
  return timingSafeEqual(a!, b!)
}

/**
 * A server that runs: {@link serve} makes it.
 *
 * @example
 * import { Dense, Sequential } from 'hiddenstate'
 * import { serve } from 'hiddenstate/serve'
 * const model = new Sequential([new Dense(1, { inputDim: 2 })])
 * const server = await serve(model, { port: 0 })
 * console.log((await (await fetch(`${server.url}/health`)).json()).status) // ok
 * await server.close()
 */
export class ModelServer {
  readonly #options: ResolvedServeOptions
  readonly #http: Server
  readonly #metrics = new Metrics()
  readonly #connections = new Connections()
  readonly #rate: RateLimit | null
  readonly #fellows: Fellows | null
  #sockets: SocketMaker | null = null
  #source: Model | string
  #deployment: Deployment
  #reloading: Promise<void> = Promise.resolve()
  #closed: Promise<void> | null = null

  readonly #routes: Readonly<Record<string, readonly [method: string, handler: Handler]>> = {
    '/predict': ['POST', (request, signal) => this.#predict(request, signal)],
    '/health': ['GET', () => this.#health()],
    '/metrics': ['GET', () => this.#metricsText()],
    '/model': ['GET', () => this.#describe()],
    '/reload': ['POST', (request) => this.#reloadAsked(request)],
  }

  /** @internal */
  constructor(
    from: Model | string,
    deployment: Deployment,
    options: ResolvedServeOptions,
    fellows: Fellows | null,
  ) {
    this.#source = from
    this.#deployment = deployment
    this.#options = options
    this.#fellows = fellows
    this.#rate = options.maxRate === null ? null : new RateLimit(options.maxRate)
    const { arrivalMs, maxConnections } = options
    // longer than balancers keep their connections: who closes first loses no request
    const timing = {
      requestTimeout: arrivalMs,
      headersTimeout: arrivalMs,
      keepAliveTimeout: 65_000,
    }
    const http = { ...timing, connectionsCheckingInterval: Math.min(1000, arrivalMs) }
    this.#http = createServer(http, (request, response) => void this.#answer(request, response))
    this.#http.maxConnections = maxConnections
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    this.#http.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
      else endSocket(socket, isLate ? 408 : 400, 'ERR_BODY', 'The request is not whole.')
    })
  }

  /** @internal @param from a model or its file */
  static async start(
    from: unknown,
    options: ResolvedServeOptions,
    fellows: Fellows | null,
  ): Promise<ModelServer> {
    const model = checkedModel('serve', from)
    const metrics: { count?: (batch: GatheredBatch) => void } = {}
    const deployment = await Deployment.of(model, options, (batch) => metrics.count?.(batch))
    const server = new ModelServer(model, deployment, options, fellows)
    metrics.count = (batch) => server.#count(batch)
    try {
      server.#sockets = await socketMaker(options.maxBodyBytes)
      await server.#listen()
      return server
    } catch (error) {
      deployment.retire()
      server.#connections.end()
      throw error
    }
  }

  #listen(): Promise<void> {
    const { port, host } = this.#options
    return new Promise((resolve, reject) => {
      this.#http.once('error', (error) =>
        reject(
          new ConfigError('ERR_OPTION', `serve: port must be free, got ${error.message}.`, {
            ...{ expected: 'free', actual: error.message, cause: error },
          }),
        ),
      )
      this.#http.listen(port, host, () => {
        this.#http.removeAllListeners('error')
        this.#http.on('error', (error) => this.#options.onError(error))
        resolve()
      })
    })
  }

  /** The port that it listens at. */
  get port(): number {
    return (this.#http.address() as AddressInfo).port
  }

  /** `'http://127.0.0.1:8080'` */
  get url(): string {
    const { address, family, port } = this.#http.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  /** What `GET /metrics` of this process says. */
  get metrics(): string {
    return prometheusText(this.samples)
  }

  /** @internal */
  get samples(): Samples {
    this.#metrics.set('hiddenstate_queue_calls', this.#deployment.batcher.waiting)
    this.#metrics.set('hiddenstate_sessions', this.#connections.count)
    this.#metrics.set('hiddenstate_resident_bytes', process.memoryUsage.rss())
    return this.#metrics.samples
  }

  /**
   * Puts a model in the place of the one that is served, without a request lost: those under way
   * and sessions that are open end with the model that they began with; a session gets the new one
   * when it begins anew. Calls wait for one another.
   *
   * @param from a model or its file. Default: the file that is served, read again
   * @throws as `loadModel` and `Batcher`; then the old one stays. ConfigError `ERR_OPTION` for a
   *   server of a model without a file
   */
  reload(from?: Model | string): Promise<void> {
    const reload = async () => {
      const next = from === undefined ? this.#source : checkedModel('server.reload', from)
      if (from === undefined && typeof next !== 'string')
        fail(ConfigError, 'ERR_OPTION', {
          where: 'server.reload',
          what: 'model',
          expected: 'given, or served from a file',
          actual: 'neither',
        })
      const made = await Deployment.of(next, this.#options, (batch) => this.#count(batch))
      this.#source = next
      this.#deployment.retire()
      this.#deployment = made
      this.#metrics.add('hiddenstate_reloads_total')
    }
    const done = this.#reloading.then(reload)
    this.#reloading = done.catch(() => {})
    return done
  }

  /**
   * Stops listening, answers what is under way, and closes sessions when their message is answered;
   * after `closeMs` ends what is left. A model that was given stays; one of a file goes.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** For `await using server = …`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#http.close(() => resolve()))
    this.#http.closeIdleConnections()
    this.#connections.end()
    const late = setTimeout(() => {
      this.#connections.terminate()
      this.#http.closeAllConnections()
    }, this.#options.closeMs)
    await stopped
    clearTimeout(late)
    await this.#reloading
    this.#deployment.retire()
  }

  // ---- requests ----

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const began = performance.now()
    const pathname = pathOf(request)
    const route = Object.hasOwn(this.#routes, pathname) ? this.#routes[pathname]! : null
    if (!route && this.#options.pages) return this.#page(request, response)
    const gone = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished) gone.abort(new Problem('ERR_BODY', 'The sender has left.'))
    })
    let answer: Answer
    try {
      if (!route) throw new Problem('ERR_ROUTE', 'There is no such path.')
      const [method, handler] = route
      if (request.method !== method)
        throw new Problem('ERR_METHOD', `The method must be ${method}.`, { allow: method })
      if (method === 'POST') this.#checkRate(request)
      answer = await handler(request, gone.signal)
    } catch (error) {
      answer = this.#failed(error)
    }
    const labels = { route: route ? pathname : 'other' }
    this.#metrics.add('hiddenstate_requests_total', { ...labels, status: answer.status })
    const seconds = (performance.now() - began) / 1000
    this.#metrics.observe('hiddenstate_request_seconds', seconds, labels)
    if (response.destroyed) return
    const { status, type, body, headers } = answer
    response.writeHead(status, {
      ...{ 'content-type': type, 'content-length': Buffer.byteLength(body) },
      ...{ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
      ...(this.#closed || !request.complete ? { connection: 'close' } : {}),
      ...headers,
    })
    response.end(body)
  }

  #page(request: IncomingMessage, response: ServerResponse): void {
    try {
      this.#options.pages!(request, response)
    } catch (error) {
      this.#options.onError(error)
      response.writeHead(500).end()
    }
  }

  #failed(error: unknown): Answer {
    const problem = told(error)
    this.#metrics.add('hiddenstate_errors_total', { code: problem.code })
    if (problem.isOurs) this.#options.onError(error)
    return { ...json(Problem.body(problem), problem.status), headers: problem.headers }
  }

  /** @throws Problem ERR_RATE */
  #checkRate({ socket }: IncomingMessage): void {
    const seconds = this.#rate?.take(socket.remoteAddress ?? '') ?? 0
    if (seconds === 0) return
    const { maxRate } = this.#options
    throw new Problem('ERR_RATE', `One address may call ${maxRate} times a second.`, {
      'retry-after': String(Math.ceil(seconds)),
    })
  }

  async #predict(request: IncomingMessage, signal: AbortSignal): Promise<Answer> {
    const deployment = this.#deployment
    const release = deployment.use()
    try {
      return await answerPrediction(request, deployment, this.#options, signal)
    } finally {
      release()
    }
  }

  #health(): Answer {
    return this.#closed
      ? json({ status: 'stopping' }, 503)
      : json({ status: 'ok', since: this.#deployment.since })
  }

  async #metricsText(): Promise<Answer> {
    const samples = (await this.#fellows?.samples(this.samples)) ?? this.samples
    return { status: 200, type: 'text/plain; version=0.0.4', body: prometheusText(samples) }
  }

  /** What the model takes and gives; null: any extent. */
  #describe(): Answer {
    const { model } = this.#deployment
    const list = (names: readonly string[], shapes: readonly (readonly (number | null)[])[]) =>
      names.map((name, i) => ({ name, shape: [null, ...shapes[i]!.slice(1)] }))
    return json({
      name: model.name,
      inputs: list(model.inputNames, model.inputShapes),
      outputs: list(model.outputNames, model.outputShapes),
    })
  }

  async #reloadAsked({ headers }: IncomingMessage): Promise<Answer> {
    const { adminToken } = this.#options
    if (adminToken === null) throw new Problem('ERR_ROUTE', 'There is no such path.')
    if (!isSame(headers.authorization ?? '', `Bearer ${adminToken}`))
      throw new Problem('ERR_UNAUTHORIZED', 'The token must be that of the server.', {
        'www-authenticate': 'Bearer',
      })
    await (this.#fellows ? this.#fellows.reload() : this.reload())
    return json({ reloaded: true })
  }

  #count({ rows, milliseconds }: GatheredBatch): void {
    this.#metrics.observe('hiddenstate_batch_rows', rows)
    this.#metrics.add('hiddenstate_batch_seconds_total', {}, milliseconds / 1000)
  }

  // ---- sessions ----

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    const { maxSessions } = this.#options
    try {
      if (pathOf(request) !== '/sessions')
        throw new Problem('ERR_ROUTE', 'Sessions are at /sessions.')
      this.#checkOrigin(request)
      this.#checkRate(request)
      if (this.#closed || this.#connections.count >= maxSessions)
        throw new Problem('ERR_SESSIONS', 'No more sessions can be opened now.')
    } catch (error) {
      const { status, code, message } = told(error)
      this.#failed(error)
      endSocket(socket, status, code, message)
      return
    }
    const host: SessionHost = {
      options: this.#options,
      deployment: () => this.#deployment,
      checkRate: () => this.#checkRate(request),
      answered: (error) => {
        this.#metrics.add('hiddenstate_session_messages_total')
        if (error !== null) this.#failed(error)
      },
    }
    this.#sockets!.handleUpgrade(request, socket, head, (opened) =>
      this.#connections.add(opened, host),
    )
  }

  /** Web pages of others may not use whom the browser can reach. @throws Problem ERR_ORIGIN */
  #checkOrigin({ headers: { origin, host } }: IncomingMessage): void {
    if (origin === undefined || this.#options.origins.includes(origin)) return
    if (URL.canParse(origin) && new URL(origin).host === host) return
    throw new Problem('ERR_ORIGIN', 'Pages of this origin may not open sessions.')
  }
}

const pathOf = ({ url = '/' }: IncomingMessage): string => url.split('?', 1)[0]!

/** Answers on a connection that has no response. */
function endSocket(socket: Duplex, status: number, code: string, message: string): void {
  const body = JSON.stringify(Problem.body({ code, message }))
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}

/** @throws ConfigError ERR_OPTION */
function checkedModel(where: string, from: unknown): Model | string {
  if (from instanceof Model || typeof from === 'string') return from
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'model',
    expected: 'a model or the path of its file',
    actual: describe(from),
  })
}
