/** A client of sessions over WebSocket. */

/** What is used of the package `ws`. */
interface Socket {
  readonly readyState: number
  on(event: string, listener: (...given: never[]) => void): void
  send(text: string): void
  close(): void
  terminate(): void
}
const name = 'ws'
export const { WebSocket } = (await import(name)) as {
  WebSocket: (new (url: string, options: { headers: object }) => Socket) & { OPEN: number }
}

export interface SessionClient {
  readonly isOpen: boolean
  /** Sends a message, and gives the next answer: answers come in order. */
  ask(message: object | string): Promise<object>
  send(text: string): void
  /** Code and reason, when it is closed. */
  readonly closed: Promise<[code: number, reason: string]>
  close(): void
}

const at = (url: string) => url.replace(/^http/, 'ws')

/** @throws what stood against it */
export async function sessionAt(url: string, headers: object = {}): Promise<SessionClient> {
  const socket = new WebSocket(`${at(url)}/sessions`, { headers })
  const waiting: ((answer: object) => void)[] = []
  socket.on('message', (data: Buffer) => waiting.shift()!(JSON.parse(String(data))))
  const closed = new Promise<[number, string]>((resolve) =>
    socket.on('close', (code: number, reason: Buffer) => resolve([code, String(reason)])),
  )
  await new Promise<void>((resolve, reject) => {
    socket.on('open', () => resolve())
    socket.on('error', reject)
  })
  return {
    get isOpen() {
      return socket.readyState === WebSocket.OPEN
    },
    ask: (message) =>
      new Promise((resolve) => {
        waiting.push(resolve)
        socket.send(typeof message === 'string' ? message : JSON.stringify(message))
      }),
    send: (text) => socket.send(text),
    closed,
    close: () => socket.close(),
  }
}

/** The status with which a request for a connection is answered; it stays open if it is 101. */
export function opened(url: string, headers: object): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(at(url), { headers })
    socket.on('open', () => resolve(101))
    socket.on('unexpected-response', (_: unknown, response: { statusCode: number }) => {
      resolve(response.statusCode)
      socket.terminate()
    })
    socket.on('error', (error: Error) => {
      if (!/before the connection|Unexpected/.test(error.message)) reject(error)
    })
  })
}
