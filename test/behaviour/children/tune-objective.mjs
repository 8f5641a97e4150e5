/** An objective that does what its parameters say. */
import { appendFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

export const space = {
  x: { kind: 'uniform', low: -1, high: 1, log: false },
  how: { kind: 'choice', values: ['well', 'again'] },
}
export const options = { trials: 4, seed: 1, sampler: 'random' }

export default async function objective({ x, how }, trial) {
  const { TUNE_LOG, TUNE_MS = '0' } = process.env
  // who ran it, for tests that count
  if (TUNE_LOG) appendFileSync(TUNE_LOG, `${trial.number} ${process.pid} ${trial.seed}\n`)
  if (how === 'throws') throw new RangeError('out of luck')
  if (how === 'nan') return Number.NaN
  if (how === 'nothing') return undefined
  if (how === 'exits') {
    console.error('cannot go on')
    process.exit(3)
  }
  if (how === 'killed') process.kill(process.pid, 'SIGKILL')
  if (how === 'hangs') await new Promise(() => setInterval(() => {}, 1000))
  if (how === 'spins') for (;;);
  if (how === 'prints') console.log('a line\nand half a line')
  for (let step = 1; step <= 4 && !trial.shouldPrune; step++) {
    await wait(Number(TUNE_MS) / 4, undefined, { signal: trial.signal })
    await trial.report(x * x + 1 / step, step)
  }
  return x * x
}
