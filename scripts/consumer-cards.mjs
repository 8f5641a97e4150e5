/**
 * What an installed package does about NVIDIA cards: `hiddenstate info` says in a sentence what
 * there is, and no program that does not ask for a card opens a library of CUDA.
 */
import fs from 'node:fs'
import path from 'node:path'
import { capture } from './process.mjs'

const LIBRARY = /[^"]*(?:libcuda|libcublas|libnvidia|kernels\.ptx)[^"]*/g
/** What `info` says on a machine without a card, or of one. */
const SENTENCE = /none: (no NVIDIA driver: looked for |the NVIDIA driver )|driver for CUDA \d/

/** The files of CUDA that a program has looked for; undefined where nobody can tell. */
function opened(args, { cwd, env }) {
  const log = path.join(cwd, 'opened.txt')
  const trace = ['-f', '-qq', '-e', 'trace=openat,open', '-o', log]
  const { status } = capture('strace', [...trace, process.execPath, ...args], {
    cwd,
    env: { ...env, PATH: process.env.PATH },
  })
  if (status !== 0 || !fs.existsSync(log)) return undefined
  return [...new Set(fs.readFileSync(log, 'utf8').match(LIBRARY) ?? [])]
}

/**
 * @param {{ info: string, program: string, cli: string, settings: { cwd: string, env: object } }}
 *   what `hiddenstate info` has said, a program that trains, the command line's file
 * @returns {string} what has been found; throws where it is not as it must be
 */
export function cardsOf({ info, program, cli, settings }) {
  const { platform } = process
  const line = /^.*\b(?:cuda.*none: .*|cuda:0.*)$/m.exec(info)?.[0].trim()
  const wanted = platform === 'darwin' ? /none: there is no CUDA for macOS/ : SENTENCE
  if (!wanted.test(line ?? ''))
    throw new Error(`hiddenstate info must say of cards ${wanted}, got\n${info}`)
  if (platform !== 'linux') return line
  const asked = opened([cli, 'info'], settings)
  if (asked === undefined) return `${line}; not looked whether others open CUDA: no strace here`
  if (!asked.some((file) => file.includes('libcuda.so.1')))
    throw new Error(`hiddenstate info must look for libcuda.so.1, got ${asked.join(', ')}`)
  const trained = opened([program], settings)
  if (trained?.length !== 0)
    throw new Error(`${program} asks for no card: must open nothing of CUDA, got ${trained}`)
  return `${line}; who does not ask opens nothing of CUDA`
}
