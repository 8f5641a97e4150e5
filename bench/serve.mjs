/**
 * `npm run bench:serve [-- --units 256 --seconds 10 --out FILE.json]`: a server on loopback.
 * Requests a second at 64 connections, against a server that predicts one after the other
 * (`--max-batch 1`) and against `predict` without a server; latency at 70 % of that load; two
 * processes against one. Clients run in a process of their own, which takes a core.
 * Needs `npm run build:all`, and a machine that has nothing else to do. Prints and writes JSON.
 */
import { fork, spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Dense, LSTM, Sequential, setSeed } from 'hiddenstate'
import { machine } from './machine.mjs'

const D = 4
const T = 100

/** Asks `url` over `connections`; with `rate`, that many times a second. Latencies in ms. */
async function load({ url, connections, seconds, rate }) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
  const x = [
    Array.from({ length: T }, (_, t) => Array.from({ length: D }, (_, d) => (t * d) / 400)),
  ]
  const body = JSON.stringify({ x })
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  const latencies = []
  let errors = 0
  const ask = (since) =>
    new Promise((resolve) => {
      const request = http.request(
        `${url}/predict`,
        { agent, method: 'POST', headers },
        (response) => {
          if (response.statusCode !== 200) errors++
          response.resume().on('end', () => resolve(latencies.push(performance.now() - since)))
        },
      )
      request.on('error', () => resolve(errors++))
      request.end(body)
    })
  const began = performance.now()
  const end = began + 1000 * seconds
  if (rate === undefined)
    await Promise.all(
      Array.from({ length: connections }, async () => {
        while (performance.now() < end) await ask(performance.now())
      }),
    )
  else {
    // each is counted from when it was due, so that a stall counts for all behind it
    const pending = []
    for (let n = 0; began + (1000 * n) / rate < end; n++) {
      const due = began + (1000 * n) / rate
      const wait = due - performance.now()
      if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait))
      pending.push(ask(due))
    }
    await Promise.all(pending)
  }
  agent.destroy()
  const took = (performance.now() - began) / 1000
  latencies.sort((a, b) => a - b)
  const at = (part) => latencies[Math.floor(part * (latencies.length - 1))]
  return { perSecond: latencies.length / took, p50: at(0.5), p99: at(0.99), errors }
}

if (process.send) {
  process.on('message', async (job) => process.send(await load(job)))
} else {
  const { values } = parseArgs({
    options: {
      units: { type: 'string', default: '256' },
      seconds: { type: 'string', default: '10' },
      out: { type: 'string' },
    },
  })
  const seconds = Number(values.seconds)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-bench-serve-'))
  const file = path.join(folder, 'model.h5')
  setSeed(1)
  const layers = [new LSTM(Number(values.units), { inputShape: [null, D] }), new Dense(10)]
  const model = new Sequential(layers)
  await model.save(file)

  const client = fork(fileURLToPath(import.meta.url))
  const asked = (job) =>
    new Promise((resolve) => {
      client.once('message', resolve)
      client.send(job)
    })

  /** What `use` gives of a server of so many processes, and their memory. */
  async function served(workers, use, more = []) {
    const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
    const args = [cli, 'serve', file, '--port', '0', '--workers', String(workers), ...more]
    const env = { ...process.env, HIDDENSTATE_THREADS: '1' }
    const server = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    await new Promise((resolve) =>
      server.stdout.on('data', (data) => {
        text += data
        if (text.split('http:').length > workers) resolve()
      }),
    )
    const url = /http:\S+/.exec(text)[0]
    await asked({ url, connections: 8, seconds: 1 })
    const found = await use(url)
    const metrics = await (await fetch(`${url}/metrics`)).text()
    const residentMB = Number(/hiddenstate_resident_bytes (\d+)/.exec(metrics)[1]) / 1e6
    server.kill('SIGTERM')
    await new Promise((resolve) => server.on('exit', resolve))
    return { ...found, residentMB }
  }

  const x = { data: new Float32Array(T * D).fill(0.1), shape: [1, T, D] }
  const began = performance.now()
  let calls = 0
  while (performance.now() - began < 1000 * seconds) {
    await model.predict(x)
    calls++
  }
  const predictPerSecond = (1000 * calls) / (performance.now() - began)

  const many = async (url) => ({ many: await asked({ url, connections: 64, seconds }) })
  const oneByOne = await served(1, many, ['--max-batch', '1'])
  const one = await served(1, async (url) => {
    const single = await asked({ url, connections: 1, seconds })
    const most = await many(url)
    const rate = 0.7 * most.many.perSecond
    return { single, ...most, at70: await asked({ url, connections: 64, seconds, rate }) }
  })
  const two = await served(2, many)
  client.disconnect()
  fs.rmSync(folder, { recursive: true })
  const result = {
    date: new Date().toISOString(),
    machine: machine(),
    model: { units: Number(values.units), T, D },
    predictPerSecond,
    oneByOne,
    one,
    two,
    goals: {
      overOneByOne: one.many.perSecond / oneByOne.many.perSecond,
      overPredict: one.many.perSecond / predictPerSecond,
      p99OverP50: one.at70.p99 / one.at70.p50,
      twoOverOne: two.many.perSecond / one.many.perSecond,
    },
  }
  console.log(JSON.stringify(result, null, 2))
  if (values.out) fs.writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`)
}
