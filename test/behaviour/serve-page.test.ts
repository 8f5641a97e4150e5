/**
 * The page of examples/serve in a headless Chromium: text comes character by character. Skipped
 * where no Chromium is installed; the example's `--smoke` runs the page's writer in Node.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { requireBuild, ROOT } from '../child.js'
import { WebSocket } from './session-client.js'

const browser = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
)
const folder = mkdtempSync(path.join(tmpdir(), 'hs-page-'))
const children: ChildProcess[] = []
afterAll(() => {
  // with the processes that they have started
  for (const { pid } of children) process.kill(-pid!, 'SIGKILL')
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
})

/** Starts a program and waits for what it says. */
async function said(command: string, args: string[], what: RegExp): Promise<string> {
  const child = spawn(command, args, { detached: true })
  children.push(child)
  let text = ''
  const found = new Promise<string>((resolve, reject) => {
    const read = (data: Buffer) => {
      text += data
      const [, match] = what.exec(text) ?? []
      if (match !== undefined) resolve(match)
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.on('exit', () => reject(new Error(`${command} has ended: ${text}`)))
  })
  return found
}

/** A tab by its DevTools address. https://chromedevtools.github.io/devtools-protocol */
async function devTools(address: string) {
  const socket = new WebSocket(address, { headers: {} })
  await new Promise<void>((resolve) => socket.on('open', resolve))
  const waiting = new Map<number, (result: unknown) => void>()
  socket.on('message', (data: unknown) => {
    const { id, result } = JSON.parse(String(data))
    waiting.get(id)?.(result)
  })
  const call = (method: string, params = {}): Promise<unknown> =>
    new Promise((resolve) => {
      const id = waiting.size + 1
      waiting.set(id, resolve)
      socket.send(JSON.stringify({ id, method, params }))
    })
  // undefined while the page is being replaced
  const evaluate = async (expression: string): Promise<string | undefined> => {
    const given = { expression, awaitPromise: true, returnByValue: true }
    const answer = (await call('Runtime.evaluate', given)) as { result: { value: string } } | null
    return answer?.result.value
  }
  return { call, evaluate }
}

it.skipIf(!browser)(
  'the page of the example writes text as it comes',
  { timeout: 120_000 },
  async () => {
    requireBuild()
    const example = path.join(ROOT, 'examples/serve/main.mjs')
    const args = [example, '--port', '0', '--epochs', '1', '--units', '16']
    const url = await said(process.execPath, args, /writes at (http:\S+);/)
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0']
    const port = await said(
      browser!,
      [...flags, `--user-data-dir=${folder}/profile`, url],
      /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//,
    )
    let address: string | undefined
    while (address === undefined) {
      const tabs = await (await fetch(`http://127.0.0.1:${port}/json`)).json()
      address = (tabs as { url: string; webSocketDebuggerUrl: string }[]).find(
        (tab) => tab.url === `${url}/`,
      )?.webSocketDebuggerUrl
    }
    const { call, evaluate } = await devTools(address)
    const isReady = "String(document.querySelector('button')?.disabled === false)"
    while ((await evaluate(isReady)) !== 'true')
      await new Promise((resolve) => setTimeout(resolve, 50))
    await evaluate("document.querySelector('form').requestSubmit()")
    const text = () => evaluate("document.querySelector('output').textContent")
    const lengths = new Set<number>()
    let now = ''
    while (now.length < 'Alice '.length + 400 && !/\n\[.*\]$/.test(now)) {
      now = (await text()) ?? now
      lengths.add(now.length)
    }
    expect(now).toMatch(/^Alice /)
    expect(now).toHaveLength('Alice '.length + 400)
    expect(lengths.size).toBeGreaterThan(3) // it came in pieces
    const picture = process.env.HS_TEST_PICTURE
    if (picture) {
      const { data } = (await call('Page.captureScreenshot')) as { data: string }
      writeFileSync(picture, Buffer.from(data, 'base64'))
    }
  },
)
