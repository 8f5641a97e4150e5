/** What is used of the npm package `ws`, which is loaded when a server starts. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** A connection. */
export interface Socket {
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): void
  on(event: 'close' | 'pong', listener: () => void): void
  on(event: 'error', listener: (error: Error) => void): void
  send(text: string, sent: (error?: Error) => void): void
  close(code: number, reason: string): void
  terminate(): void
  ping(): void
  pause(): void
  resume(): void
}

/** What makes connections of requests for an upgrade. */
export interface SocketMaker {
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    opened: (socket: Socket) => void,
  ): void
}

/** @param maxPayload bytes of a message; a longer one ends its connection */
export async function socketMaker(maxPayload: number): Promise<SocketMaker> {
  const name = 'ws'
  const { WebSocketServer } = (await import(name)) as {
    WebSocketServer: new (options: object) => SocketMaker
  }
  // compression costs memory for each of thousands of connections
  const options = { noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload }
  return new WebSocketServer(options)
}
