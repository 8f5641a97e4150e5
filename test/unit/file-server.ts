/** A server of files on this machine, with ranges, tags, and ways to fail. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FileServer {
  root: string
  /** What was asked for, in order. */
  requests: { url: string; headers: IncomingHttpHeaders }[]
  files: Record<string, Buffer>
  /** Breaks the connection after so many bytes of each answer. */
  breakAfter: number
  /** False: knows no ranges, answers with the whole file. */
  ranges: boolean
  /** False: says no length. */
  lengths: boolean
  close(): Promise<void>
}

export async function serve(files: Record<string, Buffer>): Promise<FileServer> {
  const http = createServer((request, response) => {
    const url = request.url ?? ''
    server.requests.push({ url, headers: request.headers })
    const file = server.files[url]
    if (!file) return void response.writeHead(404).end('not here')
    const etag = `"${createHash('md5').update(file).digest('hex')}"`
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')
    const isSame = request.headers['if-range'] === undefined || request.headers['if-range'] === etag
    const from = range && server.ranges && isSame ? Number(range[1]) : 0
    if (from >= file.length && from > 0)
      return void response.writeHead(416, { 'Content-Range': `bytes */${file.length}` }).end()
    const rest = file.subarray(from)
    const headers: Record<string, string | number> = { ETag: etag }
    if (server.lengths) headers['Content-Length'] = rest.length
    if (from > 0) headers['Content-Range'] = `bytes ${from}-${file.length - 1}/${file.length}`
    response.writeHead(from > 0 ? 206 : 200, headers)
    if (rest.length <= server.breakAfter) return void response.end(rest)
    response.write(rest.subarray(0, server.breakAfter), () =>
      setTimeout(() => response.destroy(), 150),
    )
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const server: FileServer = {
    root: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    requests: [],
    files,
    breakAfter: Number.POSITIVE_INFINITY,
    ranges: true,
    lengths: true,
    close: () => {
      http.closeAllConnections()
      return new Promise((resolve) => http.close(() => resolve()))
    },
  }
  return server
}
