/**
 * Random requests against a server, good ones among damaged ones, many at a time: each good one
 * must be answered with what its own input gives, each damaged one with an error, and the server
 * goes on.
 *
 *   node scripts/fuzz-serve.mjs [--requests 100000 --seed 1 --at-once 64]
 *
 * A short form is in test/behaviour/serving.test.ts. Needs `npm run build:all`. Prints JSON; status
 * 1 after a wrong answer, a crash or a fault of the server.
 */
import http from 'node:http'
import { parseArgs } from 'node:util'
import { Dense, LSTM, Sequential, setSeed } from 'hiddenstate'
import { serve } from 'hiddenstate/serve'
import { formatNpy, parseNpy } from 'hiddenstate/utils'
import { randomNumbers } from './random.mjs'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    'at-once': { type: 'string', default: '64' },
  },
})
const [requests, seed, atOnce] = [values.requests, values.seed, values['at-once']].map(Number)
const random = randomNumbers(seed)
const below = (n) => Math.floor(random() * n)
const pick = (list) => list[below(list.length)]

const D = 3
setSeed(seed)
const layers = [new LSTM(5, { inputShape: [null, D] }), new Dense(2)]
const model = new Sequential(layers)
const twin = Sequential.fromConfig(model.getConfig())
twin.setWeights(model.getWeights())
const faults = []
const options = { port: 0, maxBodyBytes: 4096, onError: (error) => faults.push(String(error)) }
const server = await serve(model, options)
const agent = new http.Agent({ keepAlive: true, maxSockets: atOnce })

function sent({ method = 'POST', path = '/predict', headers, body }) {
  return new Promise((resolve, reject) => {
    const { port } = server
    const request = http.request({ agent, port, host: '127.0.0.1', method, path, headers })
    request.on('error', reject)
    request.on('response', (response) => {
      const parts = []
      response.on('data', (part) => parts.push(part))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          body: Buffer.concat(parts),
        }),
      )
    })
    request.end(body)
  })
}

/** A good request, and what must come back. */
function good() {
  const shape = [1 + below(3), 1 + below(4), D]
  const data = Float32Array.from({ length: shape[0] * shape[1] * D }, () => random() * 4 - 2)
  const x = { data, shape }
  const y = twin.predictOnBatchSync(x)
  const isNpy = random() < 0.3
  const type = isNpy ? 'application/x-npy' : 'application/json'
  const rows = () =>
    Array.from({ length: shape[0] }, (_, n) =>
      Array.from({ length: shape[1] }, (_, t) =>
        Array.from(data.subarray((n * shape[1] + t) * D, (n * shape[1] + t + 1) * D)),
      ),
    )
  const body = isNpy ? Buffer.from(formatNpy(x)) : Buffer.from(JSON.stringify({ x: rows() }))
  const isRight = (answer) => {
    if (answer.status !== 200) return false
    const numbers = isNpy ? parseNpy(answer.body).data : JSON.parse(answer.body).y.flat()
    return numbers.length === y.data.length && y.data.every((value, i) => value === numbers[i])
  }
  return { headers: { 'content-type': type }, body, isRight }
}

const PIECES = [
  '{',
  '}',
  '[',
  ']',
  ',',
  '"',
  ':',
  '1e999',
  '-0',
  'null',
  '"__proto__"',
  '{"x":',
  '\0',
  '\u{1F600}',
  '[[[[',
  'NaN',
  '1e-400',
  'true',
  '{"length":1e9}',
  '{"data":[1],"shape":[1,1000000000,3],"stride":[0,0,0]}',
]

/** Bytes of another one changed, cut, doubled, or something else altogether. */
function damaged() {
  const { headers, body } = good()
  const bytes = Buffer.from(body)
  const kind = below(9)
  const isError = ({ status, body }) => {
    if (status < 400 || status >= 500) return false
    const { error } = JSON.parse(body)
    return typeof error.code === 'string' && typeof error.message === 'string'
  }
  // a changed byte may still be a good request
  const isAnswer = (answer) => answer.status === 200 || isError(answer)
  if (kind === 0) for (let i = 0; i <= below(4); i++) bytes[below(bytes.length)] = below(256)
  if (kind <= 1)
    return { headers, body: bytes.subarray(0, below(bytes.length + 1)), isRight: isAnswer }
  if (kind === 2) {
    const text = Array.from({ length: 1 + below(12) }, () => pick(PIECES)).join('')
    return { headers: { 'content-type': 'application/json' }, body: text, isRight: isAnswer }
  }
  if (kind === 3) return { headers, body: Buffer.alloc(4097 + below(5000), 91), isRight: isError }
  if (kind === 4)
    return { headers: { 'content-type': pick(['', 'text/plain', '*/*']) }, body, isRight: isError }
  if (kind === 5)
    return {
      headers,
      body,
      path: pick(['/', '//', '/predict/', '/../x', '/reload', '/%00']),
      isRight: isError,
    }
  if (kind === 6)
    return {
      method: pick(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']),
      headers: {},
      isRight: isError,
    }
  if (kind === 7) {
    const x = pick([
      [],
      [[]],
      [[[]]],
      1,
      'x',
      {},
      { y: 1 },
      [[[1, 2, 3, 4]]],
      [[1, 2, 3]],
      null,
      [null],
    ])
    const text = JSON.stringify({ x })
    return { headers: { 'content-type': 'application/json' }, body: text, isRight: isError }
  }
  const shape = [below(4), below(4), below(5)]
  const [data] = [new Float64Array(shape[0] * shape[1] * shape[2])]
  const npy = Buffer.from(formatNpy({ data, shape }))
  const isFine = shape.every((n) => n > 0) && shape[2] === D
  const wanted = isFine ? isAnswer : isError
  return { headers: { 'content-type': 'application/x-npy' }, body: npy, isRight: wanted }
}

const counts = { good: 0, damaged: 0, wrong: 0, broken: 0 }
let left = requests
async function ask() {
  while (left-- > 0) {
    const isGood = random() < 0.5
    const request = isGood ? good() : damaged()
    counts[isGood ? 'good' : 'damaged']++
    try {
      const answer = await sent(request)
      if (request.isRight(answer)) continue
      counts.wrong++
      if (counts.wrong < 4) console.error('WRONG', request, answer.status, String(answer.body))
    } catch (error) {
      // a body that is too long ends its connection, maybe before the answer was read
      const isCut = request.body?.length > 4096 && ['ECONNRESET', 'EPIPE'].includes(error.code)
      if (!isCut) {
        counts.broken++
        if (counts.broken < 4) console.error('BROKEN', request, error)
      }
    }
  }
}
await Promise.all(Array.from({ length: atOnce }, ask))
const health = await sent({ method: 'GET', path: '/health', headers: {} })
agent.destroy()
await server.close()
const isFine = counts.wrong + counts.broken + faults.length === 0 && health.status === 200
console.log(
  JSON.stringify({ requests, ...counts, faults: faults.slice(0, 5), health: health.status }),
)
process.exitCode = isFine ? 0 : 1
