/** The loss 'ctc' learns what nobody has aligned. */
import { describe, expect, it } from 'vitest'
import { random } from '../arrays.js'
import { Bidirectional, Dense, LSTM, Sequential, setSeed, TimeDistributed } from '../package.js'

const quiet = { verbose: 0 } as const

/** Strings of symbols that last 2 to 4 frames each, between pauses of any length; with noise. */
function spoken(seed: number, samples: number, steps: number) {
  const next = random(seed)
  const int = (below: number) => Math.floor(next() * below)
  const data = Float32Array.from({ length: samples * steps * 4 }, () => 0.3 * (next() - 0.5))
  const y = Array.from({ length: samples }, (_, n) => {
    const label: number[] = []
    for (let t = 1 + int(3); t + 4 < steps; ) {
      const [k, length] = [int(4), 2 + int(3)]
      label.push(k)
      for (let i = 0; i < length; i++) data[(n * steps + t + i) * 4 + k]! += 1
      t += length + 1 + int(3)
    }
    return label
  })
  return { x: { data, shape: [samples, steps, 4] }, y }
}

describe('learning', () => {
  it('a BiLSTM learns to transcribe strings that nobody has aligned', async () => {
    setSeed(1)
    const model = new Sequential([
      new Bidirectional(new LSTM(16, { returnSequences: true }), { inputShape: [null, 4] }),
      new TimeDistributed(new Dense(5, { activation: 'softmax' })),
    ])
    model.compile({ optimizer: 'adam', loss: 'ctc', metrics: ['labelErrorRate'] })
    model.optimizer.lr = 0.01
    const [train, test] = [spoken(1, 256, 30), spoken(2, 128, 30)]
    await model.fit(train.x, train.y, { ...quiet, nbEpoch: 25, batchSize: 16 })
    const [, rate] = await model.evaluate(test.x, test.y, quiet)
    expect(rate).toBeLessThan(0.05)
    // as long as never seen in training
    const long = spoken(3, 8, 120)
    expect((await model.evaluate(long.x, long.y, quiet))[1]).toBeLessThan(0.05)
  })
})
