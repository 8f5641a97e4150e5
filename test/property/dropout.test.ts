/**
 * Dropout as Keras 1.2.2 has it. Training-phase values are seen through the loss of models whose
 * weights are 0 or 1, trained with lr 0: every mask gives a value of its own.
 */
import { describe, expect, it } from 'vitest'
import { filled, type Plain } from '../arrays.js'
import {
  Dense,
  Dropout,
  Embedding,
  Flatten,
  GRU,
  LSTM,
  Sequential,
  SGD,
  setSeed,
  SimpleRNN,
} from '../package.js'

const DRAWS = 300
/**
 * Standard deviations allowed:
 * of 300 fair draws the share lies within 4.5 sigma of p but once in 150,000.
 */
const SIGMAS = 4.5

/**
 * Losses against zeros of `DRAWS` batches, counted. Rounded, since they are sums of small integers.
 */
async function losses(
  model: Sequential,
  x: Plain,
  target: Plain,
  seed = 3,
): Promise<Map<number, number>> {
  setSeed(seed)
  model.compile({ optimizer: new SGD({ lr: 0 }), loss: 'mse' })
  const seen = new Map<number, number>()
  for (let i = 0; i < DRAWS; i++) {
    const loss = Number((await model.trainOnBatch(x, target)) as number)
    const key = Number(loss.toFixed(4))
    seen.set(key, (seen.get(key) ?? 0) + 1)
  }
  model.dispose()
  return seen
}

function expectShare(count: number, of: number, p: number, what: string): void {
  const sigma = Math.sqrt(of * p * (1 - p))
  expect(Math.abs(count - of * p), `${what}: ${count} of ${of}`).toBeLessThan(SIGMAS * sigma)
}

/** h = W x + U h_prev with one unit. */
function unit(W: number, U: number, options: object): Sequential {
  const layer = new SimpleRNN(1, {
    activation: 'linear',
    returnSequences: true,
    inputShape: [null, 1],
    ...options,
  })
  const model = new Sequential([layer])
  model.setWeights([filled(W, 1, 1), filled(U, 1, 1), filled(0, 1)])
  return model
}

describe('dropout', () => {
  it('dropoutW draws one mask for all steps, scaled by 1 / (1 - p)', async () => {
    const T = 6
    const seen = await losses(unit(1, 0, { dropoutW: 0.5 }), filled(1, 1, T, 1), filled(0, 1, T, 1))
    // All steps dropped, or all doubled; anything else would be a mask per step.
    expect([...seen.keys()].sort()).toEqual([0, 4])
    expectShare(seen.get(0) ?? 0, DRAWS, 0.5, 'dropped')
  })

  it('dropoutU draws one mask for all steps', async () => {
    const seen = await losses(unit(1, 1, { dropoutU: 0.5 }), filled(1, 1, 3, 1), filled(0, 1, 3, 1))
    const kept = (1 + 9 + 49) / 3 // h = 1, 1 + 2, 1 + 2 * 3
    expect([...seen.keys()].sort((a, b) => a - b)).toEqual([1, Number(kept.toFixed(4))])
    expectShare(seen.get(1) ?? 0, DRAWS, 0.5, 'dropped')
  })

  it('samples draw apart from each other', async () => {
    const seen = await losses(unit(1, 0, { dropoutW: 0.5 }), filled(1, 2, 3, 1), filled(0, 2, 3, 1))
    expect([...seen.keys()].sort()).toEqual([0, 2, 4])
    expectShare(seen.get(2) ?? 0, DRAWS, 0.5, 'one of two dropped')
  })

  it.each(['cpu', 'mem', 'gpu'] as const)(
    'SimpleRNN with consumeLess %s honours dropoutW',
    async (consumeLess) => {
      // Keras 1.2.2 ignores it silently for mem and gpu:
      // a difference on purpose (docs/keras-parity.md).
      const model = unit(1, 0, { dropoutW: 0.5, consumeLess })
      const seen = await losses(model, filled(1, 1, 3, 1), filled(0, 1, 3, 1))
      expect([...seen.keys()].sort()).toEqual([0, 4])
    },
  )

  it.each([
    ['cpu', GRU],
    ['gpu', GRU],
    ['cpu', LSTM],
    ['gpu', LSTM],
  ] as const)(
    'consumeLess %s of %o: gates share a mask only with gpu',
    async (consumeLess, Cell) => {
      // Linear gates without recurrence. GRU: h = (1 - z) * g with z = -w x, so h = (1 + m_z) * m_g
      // for x = 1. LSTM: h = o * i * g = m_o * m_i * m_g. One mask: 0 or the value of all kept;
      // masks apart: mixtures too.
      const options = {
        innerActivation: 'linear',
        activation: 'linear',
        dropoutW: 0.5,
        consumeLess,
      } as const
      const layer = new Cell(1, { ...options, inputShape: [1, 1] })
      const model = new Sequential([layer])
      const weights = model.getWeights().map((w) => filled(0, ...w.shape))
      const W = (index: number, value: number): void => {
        if (consumeLess === 'gpu') (weights[0] as Plain).data[index] = value
        else (weights[3 * index] as Plain).data[0] = value
      }
      if (Cell === GRU) for (const [gate, v] of [-1, 0, 1].entries()) W(gate, v)
      else {
        // fused order i f c o; per-gate order i c f o
        const [i, g, o] = consumeLess === 'gpu' ? [0, 2, 3] : [0, 1, 3]
        for (const gate of [i, g, o]) W(gate, 1)
      }
      model.setWeights(weights)
      const seen = await losses(model, filled(1, 1, 1, 1), filled(0, 1, 1))
      // masks are 0 or 2: GRU (1 + m_z) m_g is 0, 2 or 6, squared 0, 4, 36; with one mask 0 or 36
      if (Cell === GRU)
        expect([...seen.keys()].sort((a, b) => a - b)).toEqual(
          consumeLess === 'gpu' ? [0, 36] : [0, 4, 36],
        )
      else {
        expect([...seen.keys()].sort((a, b) => a - b)).toEqual([0, 64])
        expectShare(
          seen.get(64) ?? 0,
          DRAWS,
          consumeLess === 'gpu' ? 0.5 : 0.125,
          'all three gates kept',
        )
      }
    },
  )

  it('Embedding drops whole words: all places of one word alike', async () => {
    const model = new Sequential([
      new Embedding(3, 1, { dropout: 0.5, inputLength: 4 }),
      new Flatten(),
    ])
    model.setWeights([filled(1, 3, 1)])
    const x = { data: Int32Array.from([1, 1, 1, 2]), shape: [1, 4] }
    const seen = await losses(model, x, filled(0, 1, 4))
    // word 1 three times and word 2 once, each 0 or 2: mean square 0, 1, 3 or 4
    expect([...seen.keys()].sort()).toEqual([0, 1, 3, 4])
    expectShare(seen.get(4) ?? 0, DRAWS, 0.25, 'both kept')
  })

  it('Dropout draws each number apart, keeps the mean, and rests outside training', async () => {
    const n = 400
    const model = new Sequential([new Dropout(0.25, { inputShape: [n] }), new Dense(1)])
    model.setWeights([filled(1 / n, n, 1), filled(0, 1)])
    expect((await model.predict(filled(1, 1, n))).data[0]).toBeCloseTo(1, 5)
    const seen = await losses(model, filled(1, 1, n), filled(0, 1, 1))
    const means = [...seen].map(([square, times]) => ({ mean: Math.sqrt(square), times }))
    const mean = means.reduce((sum, m) => sum + m.mean * m.times, 0) / DRAWS
    const sigma = Math.sqrt(0.25 / 0.75 / n) // of one batch's mean
    expect(Math.abs(mean - 1)).toBeLessThan((SIGMAS * sigma) / Math.sqrt(DRAWS) + 1e-4)
    expect(seen.size).toBeGreaterThan(20)
  })

  it('Dropout with p = 1 does nothing, as in Keras 1.2.2', async () => {
    const model = new Sequential([new Dropout(1, { inputShape: [3] })])
    const seen = await losses(model, filled(1, 1, 3), filled(0, 1, 3))
    expect([...seen.keys()]).toEqual([1])
  })
})
