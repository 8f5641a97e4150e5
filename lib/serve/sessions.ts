/** Connections that go through a sequence, each with states of its own. */
import type { ModelSession, SavedSession, SessionOptions } from '../model/session.js'
import type { Deployment } from './deployment.js'
import type { ResolvedServeOptions } from './options.js'
import { asInputs, asNamed, asNumbers, parseJson } from './plain-json.js'
import { outputsAsJson } from './predictions.js'
import { Problem, told } from './problem.js'
import type { Socket } from './web-socket.js'

/** Messages of a connection that may wait; then it is not read until they are answered. */
const MOST_WAITING = 16
/** How often connections are asked whether they are still there. */
const BEAT_MS = 30_000

/** What a connection asks of the server. */
export interface SessionHost {
  readonly options: ResolvedServeOptions
  /** What is served now. */
  deployment(): Deployment
  /** @throws Problem ERR_RATE */
  checkRate(): void
  answered(error: unknown): void
}

/** What a message may ask, one of them at a time. */
const REQUESTS = ['x', 'steps', 'begin', 'save'] as const

/** What `begin` may hold. */
function beginning(given: unknown): SessionOptions {
  const { fixed, state, ...rest } = asNamed(given, 'begin', (value) => value)
  const [other] = Object.keys(rest)
  if (other !== undefined)
    throw new Problem('ERR_BODY', 'begin must be an object with fixed, state, or neither.')
  const byState = (value: unknown, what: string) => asNamed(value, what, asNumbers)
  return {
    ...(fixed === undefined ? {} : { fixed: asNamed(fixed, 'fixed', asNumbers) }),
    ...(state === undefined ? {} : { state: asNamed(state, 'state', byState) as SavedSession }),
  }
}

/** One connection. */
class Connection {
  readonly #socket: Socket
  readonly #host: SessionHost
  readonly #waiting: string[] = []
  #isBusy = false
  #isClosed = false
  /** Ends it when nothing is under way. */
  #ending: string | null = null
  #used: { deployment: Deployment; session: ModelSession; release: () => void } | null = null
  #idle: NodeJS.Timeout | undefined
  /** Gives up the step that waits when the other side has gone. */
  readonly #gone = new AbortController()
  isAlive = true

  constructor(socket: Socket, host: SessionHost, closed: () => void) {
    this.#socket = socket
    this.#host = host
    socket.on('message', (data, isBinary) => {
      if (isBinary) socket.close(1003, 'messages must be JSON texts')
      else this.#take(data.toString('utf8'))
    })
    socket.on('pong', () => {
      this.isAlive = true
    })
    socket.on('error', () => {}) // a message that is too long, a connection that broke: closed
    socket.on('close', () => {
      this.#isClosed = true
      this.#gone.abort(new Problem('ERR_BODY', 'The sender has left.'))
      clearTimeout(this.#idle)
      if (!this.#isBusy) this.#release()
      closed()
    })
    this.#rest()
  }

  /** Lets the message under way be answered, then closes. */
  end(reason: string): void {
    this.#ending ??= reason
    if (!this.#isBusy) this.#socket.close(1001, this.#ending)
  }

  /** Closes at once, where the other side has not answered since the last time. */
  beat(): void {
    if (this.isAlive) this.#socket.ping()
    else this.#socket.terminate()
    this.isAlive = false
  }

  terminate(): void {
    this.#socket.terminate()
  }

  #rest(): void {
    clearTimeout(this.#idle)
    const { idleMs } = this.#host.options
    this.#idle = setTimeout(() => this.end('idle'), idleMs)
  }

  #take(text: string): void {
    clearTimeout(this.#idle)
    this.#waiting.push(text)
    if (this.#waiting.length >= MOST_WAITING) this.#socket.pause()
    if (!this.#isBusy) void this.#work()
  }

  /** Answers messages one after the other, each when the one before it has been sent. */
  async #work(): Promise<void> {
    this.#isBusy = true
    this.#socket.resume()
    while (this.#waiting.length > 0 && !this.#isClosed && this.#ending === null) {
      const answer = JSON.stringify(await this.#answer(this.#waiting.shift()!))
      this.#socket.resume()
      await new Promise<void>((sent) => this.#socket.send(answer, () => sent()))
    }
    this.#isBusy = false
    if (this.#isClosed) this.#release()
    else if (this.#ending !== null) this.#socket.close(1001, this.#ending)
    else this.#rest()
  }

  async #answer(text: string): Promise<object> {
    let id: unknown
    try {
      this.#host.checkRate()
      const message = parseJson(text)
      id = message.id
      if (id !== undefined && typeof id !== 'string' && typeof id !== 'number')
        throw new Problem('ERR_BODY', 'id must be a string or a number.')
      const answer = await this.#done(message)
      this.#host.answered(null)
      return { ...(id === undefined ? {} : { id }), ...answer }
    } catch (error) {
      this.#host.answered(error)
      const isId = typeof id === 'string' || typeof id === 'number'
      return { ...(isId ? { id } : {}), ...Problem.body(told(error)) }
    }
  }

  async #done(message: Record<string, unknown>): Promise<object> {
    const asked = Object.keys(message).filter((key) => key !== 'id')
    const [request] = asked
    if (asked.length !== 1 || !(REQUESTS as readonly unknown[]).includes(request))
      throw new Problem('ERR_BODY', `A message must hold one of ${REQUESTS.join(', ')}.`)
    if (request === 'begin') {
      this.#begin(beginning(message.begin))
      return { begun: true }
    }
    const { session, deployment } = this.#used ?? this.#begin({})
    if (request === 'save') return { state: session.save() }
    const waits = { timeoutMs: this.#host.options.timeoutMs, signal: this.#gone.signal }
    const { batcher, model } = deployment
    const names = model.inputNames
    const y =
      request === 'x'
        ? await batcher.step(session, asInputs(message.x, 'x', names), waits)
        : await batcher.steps(session, asInputs(message.steps, 'steps', names), waits)
    return { y: outputsAsJson(deployment, y) }
  }

  /** With the model that is served now. */
  #begin(options: SessionOptions) {
    const deployment = this.#host.deployment()
    const session = deployment.model.session(options)
    this.#release()
    this.#used = { deployment, session, release: deployment.use() }
    return this.#used
  }

  #release(): void {
    this.#used?.session.dispose()
    this.#used?.release()
    this.#used = null
  }
}

/** All connections of a server. */
export class Connections {
  readonly #all = new Set<Connection>()
  readonly #beat = setInterval(() => {
    for (const connection of this.#all) connection.beat()
  }, BEAT_MS).unref()

  get count(): number {
    return this.#all.size
  }

  add(socket: Socket, host: SessionHost): void {
    const connection = new Connection(socket, host, () => this.#all.delete(connection))
    this.#all.add(connection)
  }

  /** Closes each when its message under way is answered. */
  end(): void {
    clearInterval(this.#beat)
    for (const connection of this.#all) connection.end('the server stops')
  }

  terminate(): void {
    for (const connection of this.#all) connection.terminate()
  }
}
