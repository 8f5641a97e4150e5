/** RemoteMonitor against a server of this machine. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ConfigError, Dense, RemoteMonitor, Sequential } from '../package.js'

interface Received {
  method: string | undefined
  url: string | undefined
  headers: IncomingHttpHeaders
  body: string
}

let server: Server | null = null
afterEach(async () => {
  vi.restoreAllMocks()
  server?.closeAllConnections()
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(null)))
  server = null
})

/** Answers with `status`; null: never. */
async function listen(status: number | null): Promise<{ root: string; received: Received[] }> {
  const received: Received[] = []
  server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text) => (body += text))
    request.on('end', () => {
      const { method, url, headers } = request
      received.push({ method, url, headers, body })
      if (status !== null) response.writeHead(status).end('thanks')
    })
  })
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  return { root: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received }
}

function train(monitor: RemoteMonitor) {
  const model = new Sequential([new Dense(1, { inputDim: 2 })])
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  return model.fit(
    [
      [0, 1],
      [1, 0],
    ],
    [1, 2],
    { nbEpoch: 2, verbose: 0, callbacks: [monitor] },
  )
}

describe('RemoteMonitor', () => {
  it('posts the logs of each epoch as JSON in a form field, as Keras does', async () => {
    const { root, received } = await listen(200)
    const { history } = await train(new RemoteMonitor({ root }))
    expect(received.map(({ method, url }) => `${method} ${url}`)).toEqual(
      Array(2).fill('POST /publish/epoch/end/'),
    )
    expect(received[0]?.headers).toMatchObject({
      accept: 'application/json',
      'content-type': 'application/json',
    })
    const sent = received.map(({ body }) => JSON.parse(new URLSearchParams(body).get('data') ?? ''))
    expect(sent).toEqual([0, 1].map((epoch) => ({ epoch, loss: history.loss?.[epoch] })))
  })

  it('takes path, field and headers', async () => {
    const { root, received } = await listen(200)
    await train(
      new RemoteMonitor({ root, path: '/x?y=1', field: 'log', headers: { 'X-Key': 'k' } }),
    )
    expect(received[0]).toMatchObject({ url: '/x?y=1', headers: { 'x-key': 'k' } })
    expect([...new URLSearchParams(received[0]?.body).keys()]).toEqual(['log'])
  })

  it.each([
    ['refuses', 500, /it answered 500/],
    ['never answers', null, /timeout/],
  ])('goes on, with a warning, when the server %s', async (_, status, message) => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const { root } = await listen(status)
    expect((await train(new RemoteMonitor({ root, timeout: 100 }))).epoch).toEqual([0, 1])
    expect(warn.mock.calls).toHaveLength(2)
    expect(warn.mock.calls[0]).toEqual([
      expect.stringMatching(message),
      { code: 'HIDDENSTATE_REMOTE' },
    ])
  })

  it('goes on, with a warning, when there is no server', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const { root } = await listen(200)
    await new Promise((resolve) => server!.close(resolve))
    server = null
    expect((await train(new RemoteMonitor({ root }))).epoch).toEqual([0, 1])
    expect(warn.mock.calls[0]?.[0]).toMatch(
      /^RemoteMonitor: could not reach http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/,
    )
  })

  it.each([
    [{ root: 'localhost' }, /address of a http server, got 'localhost\/publish/],
    [{ root: 'file:///etc' }, /address of a http server/],
    [{ headers: { a: 1 } }, /headers must be an object of strings/],
    [{ timeout: 0 }, /timeout must be/],
    [{ port: 1 }, /unknown option `port`/],
  ])('refuses %j', (options, message) => {
    expect(() => new RemoteMonitor(options as never)).toThrow(ConfigError)
    expect(() => new RemoteMonitor(options as never)).toThrow(message)
  })
})
