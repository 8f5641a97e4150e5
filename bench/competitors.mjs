/**
 * Who can be measured beside this package, where each is looked for, and how one talks to its
 * driver. Nothing is downloaded.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
export const packageDir = path.dirname(here)
const driver = (file) => path.join(here, 'peers', file)

/** The folder, of those given, from which Node finds all of these packages; null: none. */
function folderWith(packages, dirs) {
  const finds = (dir) => (name) =>
    createRequire(path.join(dir, 'package.json'))
      .resolve.paths(name)
      .some((modules) => fs.existsSync(path.join(modules, name, 'package.json')))
  return dirs.find((dir) => packages.every(finds(dir))) ?? null
}

/** A driver in JavaScript for packages that npm has. */
function fromNpm(file, packages, ...args) {
  return ({ peersDirs }) => {
    const dir = folderWith(packages, peersDirs)
    if (dir)
      return { command: (threads) => [process.execPath, driver(file), threads, dir, ...args] }
    return {
      missing: `\`npm install ${packages.join(' ')}\` in your project, or in a folder given by --peers-dir`,
    }
  }
}

function findTorch({ python }) {
  const candidates = python ? [python] : ['python3', 'python', '/usr/bin/python3']
  const found = candidates.find((name) => spawnSync(name, ['-c', 'import torch']).status === 0)
  if (found) return { command: (threads) => [found, driver('pytorch.py'), threads] }
  const how = '`apt-get install python3-torch`, or `pip install torch` and --python FILE'
  return { missing: `${how} (looked for by ${candidates.join(', ')})` }
}

/** Builds the driver into the user's cache, once for each source, compiler and library. */
function findOneDnn() {
  const compiler = (process.env.CXX ?? 'c++').split(' ')[0]
  const flags = ['-O3', '-march=native', '-ffast-math', '-fopenmp', '-std=c++17']
  const version = spawnSync(compiler, ['--version'], { encoding: 'utf8' })
  if (version.status !== 0)
    return {
      missing: `a C++ compiler (${compiler} does not run) and \`apt-get install libdnnl-dev\``,
    }
  const headers = spawnSync(
    compiler,
    ['-E', '-dM', '-include', 'dnnl_version.h', '-x', 'c++', '-'],
    {
      encoding: 'utf8',
      input: '',
    },
  )
  if (headers.status !== 0)
    return { missing: '`apt-get install libdnnl-dev` (oneDNN 2.x with its headers)' }
  const source = driver('onednn.cc')
  const hash = createHash('sha256').update(
    [fs.readFileSync(source), version.stdout, headers.stdout].join(),
  )
  const cache = path.join(
    process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'),
    'hiddenstate',
    'bench',
  )
  const program = path.join(cache, `onednn-${hash.digest('hex').slice(0, 16)}`)
  if (!fs.existsSync(program)) {
    fs.mkdirSync(cache, { recursive: true })
    const partial = `${program}.${process.pid}`
    const built = spawnSync(compiler, [...flags, source, '-o', partial, '-ldnnl'], {
      encoding: 'utf8',
    })
    if (built.status !== 0)
      return { missing: `oneDNN 2.x: its driver does not build here: ${built.stderr.trim()}` }
    fs.renameSync(partial, program)
  }
  return { command: (threads) => [program, threads] }
}

/** This package as it is built in `dir`; its own cells, or `written` ones. */
export const build = (name, dir, written = false) => ({
  name,
  written,
  command: (threads) => [
    process.execPath,
    driver('hiddenstate.mjs'),
    threads,
    dir,
    ...(written ? ['written'] : []),
  ],
})

const anyThreads = Number.POSITIVE_INFINITY
/** `trains`: default true. `mostThreads`: default any. */
export const peers = [
  { name: 'onednn', find: findOneDnn },
  { name: 'torch', find: findTorch },
  { name: 'onnxruntime', trains: false, find: fromNpm('onnxruntime.mjs', ['onnxruntime-node']) },
  {
    name: 'tfjs-wasm',
    mostThreads: 1,
    find: fromNpm('tfjs.mjs', ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'], 'wasm'),
  },
  { name: 'tfjs-cpu', mostThreads: 1, find: fromNpm('tfjs.mjs', ['@tensorflow/tfjs'], 'cpu') },
]

export const takesPart = ({ trains = true, mostThreads = anyThreads }, mode, threads) =>
  (trains || mode !== 'train') && threads <= mostThreads

/**
 * Those of a workload: beside a written cell stand the builds alone, and it beside nothing else.
 */
export const beside = (competitors, w) =>
  competitors.filter(({ written }) => (w.written ? written !== undefined : !written))

/** A competitor's process. */
export class Driver {
  #child
  #lines
  #stderr = ''
  version = ''

  /** @param folder where the tensors lie */
  static async start(competitor, threads, folder, timeoutMs) {
    const one = new Driver()
    const [file, ...args] = competitor.command(String(threads))
    const env = { ...process.env }
    for (const name of ['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'])
      env[name] = String(threads)
    one.#child = spawn(file, args, { cwd: folder, env, stdio: ['pipe', 'pipe', 'pipe'] })
    one.#child.stdin.on('error', () => {}) // it has ended: the missing answer tells
    one.#child.on('error', () => {})
    one.#child.stderr.on('data', (text) => {
      one.#stderr = (one.#stderr + text).slice(-2000)
    })
    one.#lines = createInterface({ input: one.#child.stdout })[Symbol.asyncIterator]()
    const { version, error } = await one.#answer(timeoutMs)
    one.version = version ?? ''
    one.failure = error
    return one
  }

  /** Its answer to one request; `{ error }` where none comes. */
  request(line, timeoutMs) {
    this.#child.stdin.write(`${line}\n`)
    return this.#answer(timeoutMs)
  }

  async #answer(timeoutMs) {
    let timer
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, timeoutMs, { late: true })
    })
    const { late: isLate, value, done } = await Promise.race([this.#lines.next(), late])
    clearTimeout(timer)
    if (isLate) {
      this.close()
      return { error: `no answer within ${(timeoutMs / 1000).toFixed(0)} s` }
    }
    if (done)
      return {
        error: `its process ended: ${this.#stderr.trim().split('\n').at(-1) || 'without a word'}`,
      }
    return JSON.parse(value)
  }

  close() {
    this.#child.kill('SIGKILL')
  }
}
