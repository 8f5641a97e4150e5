/** Child processes that use the built package by its own name, as a user does. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../', import.meta.url))
/** The addon under test: a run under a sanitizer has a build of its own. */
export const ADDON = path.join(
  process.env.HIDDENSTATE_PREBUILD || ROOT,
  'build/Release/hiddenstate.node',
)

function newest(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile() && /\.(ts|mjs)$/.test(f.name))
    .reduce(
      (time, f) => Math.max(time, statSync(path.join(f.parentPath ?? f.path, f.name)).mtimeMs),
      0,
    )
}

/**
 * Fails with one sentence where the built files are missing or older than the sources: they would
 * test something else.
 */
export function requireBuild(): void {
  const built = path.join(ROOT, 'dist/index.js')
  if (!existsSync(built))
    throw new Error('dist/ is missing: run `npm run build:all` before these tests.')
  if (statSync(built).mtimeMs < newest(path.join(ROOT, 'lib'))) {
    throw new Error('dist/ is older than lib/: run `npm run build:ts` before these tests.')
  }
}

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface ChildOptions {
  args?: string[]
  node?: string[]
  env?: Record<string, string>
  cwd?: string
  /** Kills the child (SIGKILL) after so many milliseconds: a hang is a failure. Default 60 s. */
  timeout?: number
  /** Sees the child as soon as it runs. */
  started?: (child: ChildProcess) => void
}

/** Runs a script of test/ (path relative to test/) and waits for its end. */
export function runChild(script: string, options: ChildOptions = {}): Promise<Ended> {
  requireBuild()
  const { args = [], node = [], env = {}, cwd = ROOT, timeout = 60_000, started } = options
  const file = path.isAbsolute(script) ? script : path.join(ROOT, 'test', script)
  const child = spawn(process.execPath, [...node, file, ...args], {
    cwd,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (d) => (stdout += d))
  child.stderr.on('data', (d) => (stderr += d))
  const timer = setTimeout(() => {
    stderr += `\n[killed: no end within ${timeout} ms]`
    child.kill('SIGKILL')
  }, timeout)
  started?.(child)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, stdout, stderr })
    })
  })
}

/**
 * Runs a script that prints one JSON value at the end and returns that; any other end is an error
 * with its output.
 */
export async function jsonOf<T>(script: string, options: ChildOptions = {}): Promise<T> {
  const { code, signal, stdout, stderr } = await runChild(script, options)
  if (code !== 0) throw new Error(`${script} ended with ${signal ?? code}:\n${stdout}\n${stderr}`)
  return JSON.parse(stdout.trim().split('\n').at(-1) as string) as T
}
