/** The body of a request, within bounds. */
import type { IncomingMessage } from 'node:http'
import { Problem } from './problem.js'

/**
 * @param most bytes
 * @throws Problem ERR_BODY_SIZE, as soon as it is known; ERR_CONTENT_TYPE for a compressed one,
 *   whose size nobody knows; ERR_BODY for one that breaks off
 */
export async function readBody(request: IncomingMessage, most: number): Promise<Buffer> {
  const { 'content-encoding': encoding = 'identity', 'content-length': length } = request.headers
  const tooLong = () =>
    new Problem('ERR_BODY_SIZE', `The body must be at most ${most} bytes.`, { connection: 'close' })
  if (encoding !== 'identity')
    throw new Problem('ERR_CONTENT_TYPE', 'The body must not be compressed.')
  if (length !== undefined && Number(length) > most) throw tooLong()
  const parts: Buffer[] = []
  let size = 0
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      request.off('data', take)
      request.resume() // what still comes is thrown away, until the connection is closed
      reject(error)
    }
    const take = (part: Buffer) => {
      size += part.length
      if (size > most) fail(tooLong())
      else parts.push(part)
    }
    request.on('data', take)
    request.once('end', () => resolve(Buffer.concat(parts)))
    request.once('error', () => fail(new Problem('ERR_BODY', 'The body broke off.')))
    request.once('close', () => fail(new Problem('ERR_BODY', 'The body broke off.')))
  })
}
