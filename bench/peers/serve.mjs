/**
 * What a driver is: a program that takes one request a line on its standard input and answers each
 * with one line of JSON.
 *
 *   prepare cell=lstm mode=train B=32 … data=W2-lstm
 *     build the model from the files of ./data (bench/workloads.mjs), then show
 *                                                      what it computes: `{ losses }` of three
 *                                                      training steps, or `{ outputs }`
 *                                                      of the first step (of the fourth when
 *                                                      stateful)
 *   run SECONDS
 *     step after step: `{ times, rssMiB }`, ms of each
 * A driver that cannot do it answers `{ unsupported }`, one that fails `{ error }`. Its first line
 * is `{ version }`. pytorch.py and onednn.cc speak the same.
 */
import fs from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'

/** Why a library has no such thing; the bench says so and goes on. */
export class Unsupported extends Error {}

/** Times of one `run` are at most so many. */
const MOST_STEPS = 20_000
export const LOSSES = 3
export const STATEFUL_STEPS = 4

const tensorsOf = (folder) => ({
  floats: (name) => read(Float32Array, path.join(folder, `${name}.bin`)),
  words: (name) => read(Int32Array, path.join(folder, `${name}.bin`)),
})

function read(Type, file) {
  const bytes = fs.readFileSync(file)
  return new Type(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

/** `a=1 b=x` → `{ a: 1, b: 'x' }` */
function job(words) {
  return Object.fromEntries(
    words.map((word) => {
      const [key, value] = word.split('=')
      return [key, /^\d+$/.test(value) ? Number(value) : value]
    }),
  )
}

/**
 * Serves until the input ends.
 *
 * @param prepare `(job, tensors) → { step, outputs }`: `step()` trains (returning the loss, or a
 *   promise of it) or predicts; a step that is done when it returns gives no promise. `outputs()`:
 *   the numbers of the last prediction.
 */
export async function serve(version, prepare) {
  const answer = (reply) => process.stdout.write(`${JSON.stringify(reply)}\n`)
  answer({ version })
  let model
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...words] = line.trim().split(' ')
    try {
      if (command === 'prepare') {
        const wanted = job(words)
        model = await prepare(wanted, tensorsOf(wanted.data))
        answer(await show(model, wanted))
      } else if (command === 'run') answer(await run(model.step, Number(words[0])))
      else answer({ error: `unknown request ${command}` })
    } catch (error) {
      answer(
        error instanceof Unsupported
          ? { unsupported: error.message }
          : { error: String(error?.message ?? error) },
      )
    }
  }
  process.exit(0)
}

async function show({ step, outputs }, { mode, stateful }) {
  if (mode === 'train') {
    const losses = []
    while (losses.length < LOSSES) losses.push(await step())
    return { losses }
  }
  for (let i = 0; i < (stateful ? STATEFUL_STEPS : 1); i++) await step()
  return { outputs: Array.from(await outputs()) }
}

async function run(step, seconds) {
  const times = []
  const end = performance.now() + seconds * 1000
  let to = 0
  while (to < end && times.length < MOST_STEPS) {
    const from = performance.now()
    const pending = step()
    if (pending) await pending
    to = performance.now()
    times.push(to - from)
  }
  return {
    times: times.map((ms) => Number(ms.toPrecision(6))),
    rssMiB: process.resourceUsage().maxRSS / 1024,
  }
}
