/**
 * Ten steps of training on a card beside those of the processor: every cell, with and without masks
 * and dropout, and a CRF, whose loss reads its weights; every optimizer. The card is the stand-in
 * driver (native/test/stand_in), or the machine's where HIDDENSTATE_DEVICE names it.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Bidirectional,
  CRF,
  Dense,
  LayerNormLSTM,
  LSTM,
  Masking,
  type OptimizerName,
  PeepholeLSTM,
  Sequential,
  type SimpleRNN,
  setDevice,
  setSeed,
} from '../../lib/index.js'
import { Recurrent } from '../../lib/layers/base/recurrent.js'
import * as layers from '../../lib/layers/index.js'
import * as optimizers from '../../lib/optimizers/classes.js'
import { uniform } from '../arrays.js'
import { ROOT } from '../child.js'

/** Made by the native tests; those who run this file alone may be without it. */
const standIn = path.join(ROOT, 'build', 'stand-in', 'libstand_in.so')
const given = process.env.HIDDENSTATE_DEVICE?.startsWith('cuda')
const isHere = given || (process.platform === 'linux' && (existsSync(standIn) || !!process.env.CI))
if (!given) {
  process.env.HIDDENSTATE_LIBCUDA = standIn
  process.env.HIDDENSTATE_LIBCUBLAS = standIn
}

const [B, T, D, H, K, TAGS, STEPS] = [5, 4, 3, 6, 2, 3, 10]
/** Cells with a kernel of their own, and two that are written as expressions. */
const cells = [
  ...(Object.values(layers) as unknown[]).filter(
    (value) => Object.getPrototypeOf(value) === Recurrent,
  ),
  PeepholeLSTM,
  LayerNormLSTM,
] as (typeof SimpleRNN)[]
const names = Object.keys(optimizers).map((name) => name.toLowerCase() as OptimizerName)

const x = uniform(1, [B, T, D])
for (let i = 0; i < 2 * D; i++) x.data[i] = 0 // the first two steps of a row
const y = {
  data: Float32Array.from({ length: B * K }, (_, i) => Number(i % K === (i >> 1) % K)),
  shape: [B, K],
}

/** Of a CRF: a tag for each step. */
const tags = {
  data: Float32Array.from({ length: B * T }, (_, i) => (i >> 1) % TAGS),
  shape: [B, T, 1],
}

const made = (cell: typeof SimpleRNN, masked: boolean, p: number) =>
  new Sequential([
    ...(masked ? [new Masking({ inputShape: [T, D] })] : []),
    new cell(H, { dropoutW: p, dropoutU: p, inputShape: [T, D] }),
    new Dense(K, { activation: 'softmax' }),
  ])

type Device = 'cpu' | 'cuda'
type Loss = 'categorical_crossentropy' | 'sparse_crf'

/** What STEPS batches and a prediction after them give. */
async function trained(model: Sequential, device: Device, loss: Loss, optimizer: OptimizerName) {
  model.compile({ optimizer, loss, device })
  setSeed(3)
  const losses: number[] = []
  const targets = loss === 'sparse_crf' ? tags : y
  for (let step = 0; step < STEPS; step++)
    losses.push((await model.trainOnBatch(x, targets)) as number)
  const predicted = Array.from((await model.predict(x)).data as Float32Array)
  model.dispose()
  return { losses, predicted }
}

/** Every optimizer, on models of the same weights. */
async function compare(make: () => Sequential, loss: Loss) {
  const weights = make().getWeights()
  for (const optimizer of names) {
    const on = (device: Device) => {
      const model = make()
      model.setWeights(weights)
      return trained(model, device, loss, optimizer)
    }
    const [cpu, card, again] = [await on('cpu'), await on('cuda'), await on('cuda')]
    expect(again, optimizer).toEqual(card)
    expect(new Set(card.losses).size, optimizer).toBe(STEPS) // it learns
    for (const what of ['losses', 'predicted'] as const)
      for (const [i, each] of cpu[what].entries())
        expect(Math.abs(each - card[what][i]!), `${optimizer}, ${what} ${i}`).toBeLessThan(1e-4)
  }
}

describe.skipIf(!isHere)('training on a card', () => {
  beforeAll(() => setDevice('cpu'))
  afterAll(() => setDevice((process.env.HIDDENSTATE_DEVICE ?? 'cpu') as 'cpu'))

  for (const cell of cells) {
    for (const masked of [false, true]) {
      for (const p of [0, 0.3]) {
        const how = `${cell.className}${masked ? ', masked' : ''}${p ? ', dropout' : ''}`
        it(`${how}: losses of ${STEPS} steps with every optimizer, and the same bits twice`, () =>
          compare(() => made(cell, masked, p), 'categorical_crossentropy'))
      }
    }
  }

  for (const masked of [false, true]) {
    for (const options of [{}, { boundary: false, returns: 'marginals' }] as const) {
      const how = `CRF${masked ? ', masked' : ''}${'returns' in options ? ', marginals' : ''}`
      it(`${how}: losses of ${STEPS} steps with every optimizer, and the same bits twice`, () =>
        compare(
          () =>
            new Sequential([
              ...(masked ? [new Masking({ inputShape: [T, D] })] : []),
              new Bidirectional(new LSTM(H, { returnSequences: true }), { inputShape: [T, D] }),
              new CRF(TAGS, options),
            ]),
          'sparse_crf',
        ))
    }
  }
})
