/**
 * Many sessions through one Batcher: their steps, interleaved at random, against a model of the
 * same weights that takes them one by one, to the bit; and the memory of sessions over an LSTM of
 * 256 units, beyond its weights.
 *
 *   node --expose-gc scripts/many-sessions.mjs [--steps 1000000 --sessions 10000 --seed 1]
 *
 * A short form of the first is in test/behaviour/batcher.test.ts, the second runs there as it is.
 * Needs `npm run build:all`. Prints JSON; status 1 where a bit differs.
 */
import { setImmediate } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Batcher, Dense, GRU, LSTM, Sequential, setSeed } from 'hiddenstate'
import { randomNumbers } from './random.mjs'

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '1000000' },
    sessions: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
  },
})
const [steps, sessions, seed] = [values.steps, values.sessions, values.seed].map(Number)
const random = randomNumbers(seed)

/** How many of `steps` interleaved steps differ, and how many rows the batches had. */
async function interleave() {
  const make = () => {
    setSeed(seed)
    return new Sequential([
      new LSTM(24, { inputShape: [null, 4], returnSequences: true }),
      new GRU(12),
      new Dense(3, { activation: 'softmax' }),
    ])
  }
  let batches = 0
  const [model, alone] = [make(), make()]
  const batcher = new Batcher(model, { maxQueue: 4096, onBatch: () => batches++ })
  const users = Array.from({ length: 1000 }, () => ({
    session: model.session(),
    twin: alone.session(),
  }))
  let differ = 0
  let pending = []
  for (let n = 0; n < steps; n++) {
    const { session, twin } = users[Math.floor(random() * users.length)]
    const x = Float32Array.from({ length: 4 }, () => random() * 2 - 1)
    const wanted = twin.stepSync(x).data
    const check = ({ data }) => {
      if (!data.every((value, i) => Object.is(value, wanted[i]))) differ++
    }
    pending.push(batcher.step(session, x).then(check))
    if (random() < 0.02) await setImmediate()
    if (pending.length > 3000) {
      await Promise.all(pending)
      pending = []
    }
  }
  await Promise.all(pending)
  for (const { session, twin } of users) {
    const [a, b] = [session, twin].map((each) => JSON.stringify(Object.values(each.save())))
    if (a !== b) differ++
  }
  return { steps, sessions: users.length, differ, rowsABatch: steps / batches }
}

/** Bytes of this process when everything that is not used is gone. */
async function memory() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc()
    await setImmediate()
  }
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
  return { rss, used: heapUsed + arrayBuffers }
}

/** What `sessions` sessions take, each of which has gone some steps. */
async function weigh() {
  setSeed(seed)
  const model = new Sequential([new LSTM(256, { inputShape: [null, 64] }), new Dense(10)])
  const batcher = new Batcher(model)
  const x = Float32Array.from({ length: 64 }, random)
  const walk = async (users) => {
    for (let t = 0; t < 3; t++)
      for (let from = 0; from < users.length; from += 1000)
        await Promise.all(users.slice(from, from + 1000).map((user) => batcher.step(user, x)))
  }
  const first = Array.from({ length: 64 }, () => model.session())
  await walk(first) // plans, weights and workspace are there
  const before = await memory()
  const users = Array.from({ length: sessions }, () => model.session())
  await walk(users)
  const after = await memory()
  const megabytes = (key) => Math.round((after[key] - before[key]) / 1e5) / 10
  const last = await batcher.step(users.at(-1), x)
  return {
    sessions: users.length,
    rssMB: megabytes('rss'),
    usedMB: megabytes('used'),
    last: last.shape,
  }
}

const memoryOf = await weigh()
const found = steps > 0 ? await interleave() : null
console.log(JSON.stringify({ memory: memoryOf, interleaved: found }))
process.exitCode = found?.differ ? 1 : 0
