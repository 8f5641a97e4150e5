/** `hiddenstate serve` as a program, with signals; and the short form of its fuzzing. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { jsonOf, requireBuild, ROOT } from '../child.js'
import { Dense, LSTM, Sequential, setSeed } from '../package.js'

// programs that start programs: long on a machine that has much else to do
vi.setConfig({ testTimeout: 180_000 })

const folder = mkdtempSync(path.join(tmpdir(), 'hs-serving-'))
const file = path.join(folder, 'model.h5')
const x = [[[1, 2, 3]]]
const wanted: unknown[] = []
const children: ChildProcess[] = []

function model(seed: number): Sequential {
  setSeed(seed)
  return new Sequential([new LSTM(4, { inputShape: [null, 3] }), new Dense(2)])
}

beforeAll(async () => {
  requireBuild()
  for (const seed of [1, 2]) wanted.push((await model(seed).predict(x)).toArray())
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Starts the program; `said(n)` waits for n lines. */
async function started(args: string[], env: Record<string, string> = {}) {
  await model(1).save(file)
  const command = [path.join(ROOT, 'dist/cli.js'), 'serve', file, '--port', '0', ...args]
  const child = spawn(process.execPath, command, { env: { ...process.env, ...env } })
  children.push(child)
  let text = ''
  child.stdout.on('data', (data) => (text += data))
  child.stderr.on('data', (data) => (text += data))
  const said = async (what: RegExp, times = 1) => {
    while ([...text.matchAll(new RegExp(what, 'g'))].length < times) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`it has ended: ${text}`)
      await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), ended])
    }
    return text
  }
  const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }))
  const url = () => /(http:\S+)/.exec(text)![1]!
  return { child, said, ended, url }
}

async function ask(url: string): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${url}/predict`, {
    ...{ method: 'POST', headers, body: JSON.stringify({ x }) },
  })
  expect(response.status).toBe(200)
  return ((await response.json()) as { y: unknown }).y
}

// Windows has no such signals
describe.skipIf(process.platform === 'win32')('hiddenstate serve', () => {
  it('reads the file again at SIGHUP, and ends at SIGTERM when all is answered', async () => {
    const { child, said, ended, url } = await started(['--max-delay', '300'])
    await said(/http:/)
    expect(await ask(url())).toEqual(wanted[0])
    await model(2).save(file)
    child.kill('SIGHUP')
    await said(/read again/)
    const last = ask(url())
    await new Promise((resolve) => setTimeout(resolve, 100))
    child.kill('SIGTERM')
    expect(await last).toEqual(wanted[1])
    expect(await ended).toEqual({ code: 0, signal: null })
  })

  it('runs in several processes, which count, reload, are started again and stop together', async () => {
    const token = 'a token of some length'
    const { child, said, ended, url } = await started(['--workers', '2'], {
      HIDDENSTATE_ADMIN_TOKEN: token,
    })
    await said(/http:/, 2)
    for (let i = 0; i < 6; i++) expect(await ask(url())).toEqual(wanted[0])
    const metrics = await (await fetch(`${url()}/metrics`)).text()
    expect(metrics).toContain('hiddenstate_requests_total{route="/predict",status="200"} 6\n')
    await model(2).save(file)
    const headers = { authorization: `Bearer ${token}` }
    const reloaded = await fetch(`${url()}/reload`, { method: 'POST', headers })
    expect(await reloaded.json()).toEqual({ reloaded: true })
    for (let i = 0; i < 4; i++) expect(await ask(url())).toEqual(wanted[1])
    const first = Number(/process (\d+) at/.exec(await said(/http:/))![1])
    process.kill(first, 'SIGKILL')
    await said(/http:/, 3)
    for (let i = 0; i < 4; i++) expect(await ask(url())).toEqual(wanted[1])
    child.kill('SIGTERM')
    expect(await ended).toEqual({ code: 0, signal: null })
  })

  it.each([['1'], ['2']])('says in a sentence why it cannot: %s processes', async (workers) => {
    const command = [path.join(ROOT, 'dist/cli.js'), 'serve', 'no-such.h5', '--workers', workers]
    const child = spawn(process.execPath, command)
    children.push(child)
    let text = ''
    child.stderr.on('data', (data) => (text += data))
    expect(await once(child, 'close')).toEqual([1, null])
    expect(text).toMatch(/^hiddenstate: no-such\.h5: file must be readable, got ENOENT/)
  })
})

it('random requests are answered each by its own input, or by an error', async () => {
  const script = path.join(ROOT, 'scripts/fuzz-serve.mjs')
  const found = await jsonOf<Record<string, unknown>>(script, { args: ['--requests', '500'] })
  expect(found).toMatchObject({ requests: 500, wrong: 0, broken: 0, faults: [], health: 200 })
  expect(found.good).toBeGreaterThan(150)
})
