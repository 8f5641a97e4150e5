/** `hiddenstate/serve`: every route, its limits, and what happens while it stops or reloads. */
import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { expectSameBits, uniform } from '../arrays.js'
import {
  Dense,
  Embedding,
  GRU,
  Input,
  LSTM,
  Model,
  Sequential,
  serving,
  setSeed,
  utils,
} from '../package.js'
import { opened, sessionAt } from './session-client.js'

type Server = Awaited<ReturnType<typeof serving.serve>>
const folder = mkdtempSync(path.join(tmpdir(), 'hs-serve-'))
const servers: Server[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function reader(seed = 4): Sequential {
  setSeed(seed)
  return new Sequential([new LSTM(6, { inputShape: [null, 3] }), new Dense(2)])
}

async function start(model: Model | string = reader(), options: serving.ServeOptions = {}) {
  const server = await serving.serve(model, { port: 0, ...options })
  servers.push(server)
  return server
}

/** As JSON has it, which knows no -0. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value))

const JSON_TYPE = { 'content-type': 'application/json' }
const post = (server: Server, body: unknown, headers: Record<string, string> = JSON_TYPE) =>
  fetch(`${server.url}/predict`, {
    method: 'POST',
    headers,
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  })
async function problemOf(response: Response): Promise<[number, string]> {
  const { error } = (await response.json()) as { error: { code: string; message: string } }
  expect(error.message).toMatch(/\w/)
  expect(Object.keys(error)).toEqual(['code', 'message'])
  return [response.status, error.code]
}

describe('POST /predict', () => {
  it('answers JSON with the bits of model.predict', async () => {
    const model = reader()
    const server = await start(model)
    const x = [
      [
        [0.1, 0.2, 0.3],
        [0.4, 0.5, 0.6],
      ],
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ]
    const response = await post(server, { x })
    expect(response.headers.get('content-type')).toBe('application/json')
    const { y } = (await response.json()) as { y: number[][] }
    expect(y).toEqual((await model.predict(x)).toArray())
  })

  it('answers .npy with .npy', async () => {
    const model = reader()
    const server = await start(model)
    const x = uniform(1, [3, 4, 3])
    const response = await post(server, utils.formatNpy(x), { 'content-type': 'application/x-npy' })
    expect(response.headers.get('content-type')).toBe('application/x-npy')
    const y = utils.parseNpy(new Uint8Array(await response.arrayBuffer()))
    expectSameBits(y, await model.predict(x))
  })

  it('takes several inputs and gives several outputs by their names', async () => {
    const [a, b] = [Input({ shape: [2], name: 'a' }), Input({ shape: [3], name: 'b' })]
    const output = [new Dense(1, { name: 'p' }).call(a), new Dense(2, { name: 'q' }).call(b)]
    const model = new Model({ input: [a, b], output })
    const server = await start(model)
    const given = { a: [[1, 2]], b: [[3, 4, 5]] }
    const { y } = (await (await post(server, { x: given })).json()) as { y: object }
    const [p, q] = await model.predict(given)
    expect(y).toEqual({ p: p.toArray(), q: q.toArray() })
  })

  it('gathers what comes at the same time', async () => {
    const model = reader()
    const server = await start(model, { maxDelayMs: 100 })
    const samples = Array.from({ length: 30 }, (_, i) => [[[i, 1, 2]]])
    const answers = await Promise.all(samples.map((x) => post(server, { x })))
    for (const [i, answer] of answers.entries())
      expect(await answer.json()).toEqual({ y: (await model.predict(samples[i]!)).toArray() })
    const batches = Number(/hiddenstate_batch_rows_count (\d+)/.exec(server.metrics)![1])
    expect(server.metrics).toContain('hiddenstate_batch_rows_sum 30\n')
    expect(batches).toBeLessThan(10)
  })

  const npy = { 'content-type': 'application/x-npy' }
  const deep = `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
  it.each<[string, string | Uint8Array, Record<string, string>, number, string]>([
    ['no JSON', '{"x":', JSON_TYPE, 400, 'ERR_BODY'],
    ['no object', '[1]', JSON_TYPE, 400, 'ERR_BODY'],
    ['no x', '{}', JSON_TYPE, 400, 'ERR_BODY'],
    ['more than x', '{"x":[[[1,2,3]]],"y":1}', JSON_TYPE, 400, 'ERR_BODY'],
    ['__proto__', '{"x":[[[1,2,3]]],"__proto__":{"y":1}}', JSON_TYPE, 400, 'ERR_BODY'],
    ['an input __proto__', '{"x":{"__proto__":[[[1,2,3]]]}}', JSON_TYPE, 400, 'ERR_BODY'],
    ['null', '{"x":[[[1,2,null]]]}', JSON_TYPE, 400, 'ERR_BODY'],
    ['texts', '{"x":[[["1",2,3]]]}', JSON_TYPE, 400, 'ERR_BODY'],
    ['a false array', '{"x":[{"length":1000000000}]}', JSON_TYPE, 400, 'ERR_BODY'],
    ['an array object', '{"x":{"data":[1,2,3],"shape":[1,1,3]}}', JSON_TYPE, 400, 'ERR_BODY'],
    ['deep arrays', deep, JSON_TYPE, 400, 'ERR_BODY'],
    ['ragged arrays', '{"x":[[[1,2,3],[1,2]]]}', JSON_TYPE, 400, 'ERR_SHAPE'],
    ['another shape', '{"x":[[[1,2]]]}', JSON_TYPE, 400, 'ERR_SHAPE'],
    ['no samples', '{"x":[]}', JSON_TYPE, 400, 'ERR_SHAPE'],
    ['too many', JSON.stringify({ x: Array(65).fill([[1, 2, 3]]) }), JSON_TYPE, 400, 'ERR_OPTION'],
    ['no .npy', 'abc', npy, 400, 'ERR_FILE_FORMAT'],
    [
      'half a .npy',
      utils.formatNpy(uniform(1, [1, 1, 3])).slice(0, -1),
      npy,
      400,
      'ERR_FILE_FORMAT',
    ],
    ['a text', 'x', { 'content-type': 'text/plain' }, 415, 'ERR_CONTENT_TYPE'],
    ['gzip', 'x', { ...JSON_TYPE, 'content-encoding': 'gzip' }, 415, 'ERR_CONTENT_TYPE'],
  ])('refuses %s', async (_, body, headers, status, code) => {
    const server = await start(reader(), { onError: () => expect.unreachable() })
    expect(await problemOf(await post(server, body, headers))).toEqual([status, code])
    expect((await post(server, { x: [[[1, 2, 3]]] })).status).toBe(200)
    expect(({} as { y?: number }).y).toBeUndefined()
  })
})

describe('other paths', () => {
  it('say how it is, and what is served', async () => {
    const server = await start()
    const get = async (at: string) => (await fetch(server.url + at)).json()
    expect(await get('/health')).toMatchObject({ status: 'ok' })
    expect(await get('/model?x=1')).toMatchObject({
      inputs: [{ shape: [null, null, 3] }],
      outputs: [{ shape: [null, 2] }],
    })
    expect(await problemOf(await fetch(`${server.url}/secret`))).toEqual([404, 'ERR_ROUTE'])
    expect(await problemOf(await fetch(`${server.url}/reload`, { method: 'POST' }))).toEqual([
      404,
      'ERR_ROUTE',
    ])
    const wrong = await fetch(`${server.url}/predict`)
    expect(wrong.headers.get('allow')).toBe('POST')
    expect(await problemOf(wrong)).toEqual([405, 'ERR_METHOD'])
  })

  it('count what happens, for Prometheus', async () => {
    const server = await start()
    await post(server, { x: [[[1, 2, 3]], [[1, 2, 3]]] })
    await post(server, '{')
    const response = await fetch(`${server.url}/metrics`)
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4')
    const text = await response.text()
    expect(text).toContain('hiddenstate_requests_total{route="/predict",status="200"} 1\n')
    expect(text).toContain('hiddenstate_requests_total{route="/predict",status="400"} 1\n')
    expect(text).toContain('hiddenstate_errors_total{code="ERR_BODY"} 1\n')
    expect(text).toContain('hiddenstate_batch_rows_bucket{le="1"} 0\n')
    expect(text).toContain('hiddenstate_batch_rows_bucket{le="2"} 1\n')
    for (const line of text.trim().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [\d.e+-]+)$/)
  })

  it('may be pages of your own', async () => {
    const faults: unknown[] = []
    const server = await start(reader(), {
      onError: (error) => faults.push(error),
      pages: ({ url }, response) => {
        if (url === '/fault') throw new Error('a fault')
        response.end(`page ${url}`)
      },
    })
    expect(await (await fetch(`${server.url}/here`)).text()).toBe('page /here')
    expect((await fetch(`${server.url}/fault`)).status).toBe(500)
    expect(String(faults)).toBe('Error: a fault')
    expect((await fetch(`${server.url}/health`)).status).toBe(200)
  })
})

describe('limits', () => {
  it('of the body, told or not', async () => {
    const server = await start(reader(), { maxBodyBytes: 100 })
    expect(await problemOf(await post(server, `{"x":${'1'.repeat(200)}}`))).toEqual([
      413,
      'ERR_BODY_SIZE',
    ])
    // in chunks, so that nobody has told how long it is
    const status = await new Promise<number>((resolve, reject) => {
      const sent = httpRequest(`${server.url}/predict`, { method: 'POST', headers: JSON_TYPE })
      sent.on('response', (response) => resolve(response.statusCode!))
      sent.on('error', reject)
      sent.write('{"x":')
      sent.write('1'.repeat(200))
    })
    expect(status).toBe(413)
  })

  it('of the rate of an address', async () => {
    const server = await start(reader(), { maxRate: 3 })
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => post(server, { x: [[[1, 2, 3]]] })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 429, 429])
    const late = answers.find(({ status }) => status === 429)!
    expect(late.headers.get('retry-after')).toBe('1')
    await setTimeout(400)
    expect((await post(server, { x: [[[1, 2, 3]]] })).status).toBe(200)
  })

  it('of what waits, and of how long', async () => {
    const server = await start(reader(), { maxQueue: 2, maxDelayMs: 300, timeoutMs: 100 })
    const x = [[[1, 2, 3]]]
    const answers = await Promise.all(Array.from({ length: 4 }, () => post(server, { x })))
    const problems = await Promise.all(answers.map(problemOf))
    expect(problems.map(([status]) => status).sort()).toEqual([503, 503, 504, 504])
    expect(problems.map(([, code]) => code).sort()).toEqual([
      ...['ERR_QUEUE_FULL', 'ERR_QUEUE_FULL', 'ERR_TIMEOUT', 'ERR_TIMEOUT'],
    ])
  })

  it('of how long a request may take to arrive', async () => {
    const server = await start(reader(), { arrivalMs: 100 })
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(server.port, '127.0.0.1', () =>
        socket.write('POST /predict HTTP/1.1\r\n'),
      )
      socket.on('data', (data) => resolve(String(data)))
      socket.on('error', () => {})
    })
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  })

  it('are told at the start', async () => {
    const model = reader()
    await expect(serving.serve(model, { port: 1e6 })).rejects.toThrow(/port must be at most 65535/)
    await expect(serving.serve(model, { maxRate: 0 })).rejects.toThrow(/maxRate must be/)
    await expect(serving.serve(model, { adminToken: 'x' })).rejects.toThrow(/16 characters/)
    await expect(serving.serve(model, { ports: 1 } as never)).rejects.toThrow(/Did you mean `port`/)
    await expect(serving.serve(3 as never)).rejects.toThrow(/model or the path/)
    await expect(serving.serve('no-such.h5')).rejects.toThrow(/no-such\.h5/)
    const { port } = await start(model)
    await expect(serving.serve(model, { port })).rejects.toThrow(
      /port must be free, got .*EADDRINUSE/,
    )
  })
})

it('a request whose sender leaves is not computed, and what is no HTTP is answered', async () => {
  const server = await start(reader(), { maxDelayMs: 300 })
  const gone = new AbortController()
  const options = { method: 'POST', headers: JSON_TYPE, body: '{"x":[[[1,2,3]]]}' }
  const call = fetch(`${server.url}/predict`, { ...options, signal: gone.signal })
  await setTimeout(100)
  expect(server.metrics).toContain('hiddenstate_queue_calls 1\n')
  gone.abort()
  await expect(call).rejects.toThrow()
  await setTimeout(400)
  expect(server.metrics).toContain('hiddenstate_queue_calls 0\n')
  expect(server.metrics).not.toContain('hiddenstate_batch_rows_count')
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(server.port, '127.0.0.1', () => socket.write('\0\r\n\r\n'))
    socket.on('data', (data) => resolve(String(data)))
  })
  expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*\{"error":\{"code":"ERR_BODY"/)
  expect((await post(server, { x: [[[1, 2, 3]]] })).status).toBe(200)
})

describe('sessions', () => {
  it('go step by step, with the bits of one alone', async () => {
    const model = reader()
    const server = await start(model)
    const [a, b] = [await sessionAt(server.url), await sessionAt(server.url)]
    const twins = [model.session(), model.session()]
    for (let t = 0; t < 5; t++) {
      const xs = [
        [t, 1, 2],
        [3, t, 5],
      ]
      const answers = await Promise.all([a, b].map((s, i) => s.ask({ id: t, x: xs[i] })))
      for (const [i, answer] of answers.entries())
        expect(answer).toEqual({ id: t, y: twins[i]!.stepSync(xs[i]!).toArray() })
    }
    const steps = [
      [1, 2, 3],
      [4, 5, 6],
    ]
    expect(await a.ask({ steps })).toEqual({ y: (await twins[0]!.predict(steps)).toArray() })
    const { state } = (await a.ask({ save: true })) as { state: object }
    expect(state).toEqual(plain(twins[0]!.save()))
    expect(await b.ask({ begin: { state } })).toEqual({ begun: true })
    expect(await b.ask({ x: [7, 8, 9] })).toEqual(await a.ask({ x: [7, 8, 9] }))
    await b.ask({ begin: {} })
    expect(await b.ask({ x: [1, 1, 1] })).toEqual({
      y: model.session().stepSync([1, 1, 1]).toArray(),
    })
    expect(server.metrics).toContain('hiddenstate_sessions 2\n')
    for (const session of [a, b]) session.close()
  })

  it('may attend to fixed inputs', async () => {
    const source = Input({ shape: [null, 2], name: 'source' })
    const target = Input({ shape: [null, 3], name: 'target' })
    const model = new Model({
      input: [source, target],
      output: [new GRU(2).call(source), new GRU(2, { name: 'out' }).call(target)],
    })
    const server = await start(model)
    const session = await sessionAt(server.url)
    const fixed = {
      source: [
        [1, 2],
        [3, 4],
      ],
    }
    expect(await session.ask({ begin: { fixed } })).toEqual({ begun: true })
    const y = model.session({ fixed }).stepSync([1, 2, 3]) as { toArray(): unknown }[]
    expect(await session.ask({ x: [1, 2, 3] })).toEqual({
      y: Object.fromEntries(model.outputNames.map((name, i) => [name, y[i]!.toArray()])),
    })
    session.close()
  })

  it('stay as they were when a message is bad', async () => {
    const model = new Sequential([new Embedding(5, 2), new GRU(3)])
    const server = await start(model, { onError: () => expect.unreachable() })
    const session = await sessionAt(server.url)
    const first = await session.ask({ x: 1 })
    for (const [message, code] of [
      ['{', 'ERR_BODY'],
      ['[]', 'ERR_BODY'],
      [{}, 'ERR_BODY'],
      [{ x: 1, steps: [1] }, 'ERR_BODY'],
      [{ id: {}, x: 1 }, 'ERR_BODY'],
      [{ x: 7 }, 'ERR_OPTION'],
      [{ x: { length: 3 } }, 'ERR_BODY'],
      [{ x: [[1]] }, 'ERR_SHAPE'],
      [{ begin: { batchSize: 100 } }, 'ERR_BODY'],
      [{ begin: { state: { none: { h: [1] } } } }, 'ERR_UNKNOWN_NAME'],
      [{ begin: { state: { none: { h: { length: 1e9 } } } } }, 'ERR_BODY'],
      ['{"begin":{"fixed":{"__proto__":[1]}}}', 'ERR_UNKNOWN_NAME'],
    ] as const)
      expect(await session.ask(message)).toMatchObject({ error: { code } })
    const twin = model.session()
    expect(first).toEqual({ y: twin.stepSync(1).toArray() })
    expect(await session.ask({ x: 2 })).toEqual({ y: twin.stepSync(2).toArray() })
    session.close()
  })

  it('are answered in order, many at once, and closed when they are silent or too loud', async () => {
    const model = reader()
    const server = await start(model, { idleMs: 300 })
    const session = await sessionAt(server.url)
    const twin = model.session()
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => session.ask({ id: i, x: [i, 0, 1] })),
    )
    expect(answers).toEqual(
      Array.from({ length: 100 }, (_, id) => ({ id, y: twin.stepSync([id, 0, 1]).toArray() })),
    )
    const loud = await sessionAt((await start(model, { maxBodyBytes: 1000 })).url)
    loud.send(`{"x":[${'1,'.repeat(1000)}1]}`)
    expect(await loud.closed).toEqual([1009, ''])
    expect(await session.closed).toEqual([1001, 'idle'])
    await expect.poll(() => server.metrics).toContain('hiddenstate_sessions 0\n')
  })

  it('are limited in number, and not for pages of others', async () => {
    const origins = ['https://friend.example']
    const server = await start(reader(), { maxSessions: 2, origins })
    const status = (at: string, headers = {}) => opened(server.url + at, headers)
    expect(await status('/other')).toBe(404)
    expect(await status('/sessions', { origin: 'https://evil.example' })).toBe(403)
    expect(await status('/sessions', { origin: 'null' })).toBe(403)
    expect(await status('/sessions', { origin: origins[0] })).toBe(101)
    const session = await sessionAt(server.url, { origin: server.url })
    const more = await sessionAt(server.url).catch((error) => error.message)
    expect([session.isOpen, more]).toEqual([true, 'Unexpected server response: 503'])
    session.close()
  })
})

describe('another model', () => {
  it('takes the place of the one before without a request lost', async () => {
    const file = path.join(folder, 'model.h5')
    const models = [1, 2].map(reader)
    await models[0]!.save(file)
    const server = await start(file, { adminToken: 'a token of some length' })
    const wanted = await Promise.all(
      models.map(async (m) => (await m.predict([[[1, 2, 3]]])).toArray()),
    )
    const session = await sessionAt(server.url)
    await session.ask({ x: [1, 1, 1] })
    await models[1]!.save(file)
    let isOver = false
    const seen = new Set<number>()
    const ask = async () => {
      while (!isOver) {
        const response = await post(server, { x: [[[1, 2, 3]]] })
        expect(response.status).toBe(200)
        const { y } = (await response.json()) as { y: number[][] }
        const which = wanted.findIndex((each) => JSON.stringify(each) === JSON.stringify(y))
        expect(which).toBeGreaterThanOrEqual(0)
        seen.add(which)
      }
    }
    const asking = Array.from({ length: 8 }, ask)
    const reload = (token: string) =>
      fetch(`${server.url}/reload`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
      })
    expect(await problemOf(await reload('guessed'))).toEqual([401, 'ERR_UNAUTHORIZED'])
    await setTimeout(50)
    expect((await reload('a token of some length')).status).toBe(200)
    await setTimeout(50)
    isOver = true
    await Promise.all(asking)
    expect([...seen].sort()).toEqual([0, 1])
    // the session goes on with the model that it began with, until it begins anew
    const twin = models[0]!.session()
    twin.stepSync([1, 1, 1])
    expect(await session.ask({ x: [2, 2, 2] })).toEqual({ y: twin.stepSync([2, 2, 2]).toArray() })
    await session.ask({ begin: {} })
    expect(await session.ask({ x: [2, 2, 2] })).toEqual({
      y: models[1]!.session().stepSync([2, 2, 2]).toArray(),
    })
    session.close()
  })

  it('that cannot be read leaves the one before', async () => {
    const server = await start(reader())
    await expect(server.reload()).rejects.toThrow(/given, or served from a file/)
    await expect(server.reload('no-such.h5')).rejects.toThrow(/no-such/)
    expect((await post(server, { x: [[[1, 2, 3]]] })).status).toBe(200)
    const next = reader(9)
    await server.reload(next)
    expect(await (await post(server, { x: [[[1, 2, 3]]] })).json()).toEqual({
      y: (await next.predict([[[1, 2, 3]]])).toArray(),
    })
  })
})

describe('close', () => {
  it('answers what is under way, and ends sessions; the model stays', async () => {
    const model = reader()
    const server = await start(model, { maxDelayMs: 200 })
    const { url } = server
    const session = await sessionAt(url)
    const calls = [post(server, { x: [[[1, 2, 3]]] }), session.ask({ x: [1, 2, 3] })] as const
    await setTimeout(50)
    await server.close()
    expect((await calls[0]).status).toBe(200)
    expect(await calls[1]).toEqual({ y: model.session().stepSync([1, 2, 3]).toArray() })
    expect(await session.closed).toEqual([1001, 'the server stops'])
    await expect(fetch(`${url}/health`)).rejects.toThrow()
    expect((await model.predict([[[1, 2, 3]]])).shape).toEqual([1, 2])
  })

  it('does not wait for ever', async () => {
    const server = await start(reader(), { closeMs: 100 })
    const socket = connect(server.port, '127.0.0.1', () =>
      socket.write('POST /predict HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{'),
    )
    socket.on('error', () => {})
    await setTimeout(50)
    const began = performance.now()
    await server.close()
    expect(performance.now() - began).toBeLessThan(2000)
  })
})
