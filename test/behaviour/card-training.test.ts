/**
 * Ten steps of training on a card beside those of the processor: every cell, with and without masks
 * and dropout, every optimizer. The card is the stand-in driver (native/test/stand_in), or the
 * machine's where HIDDENSTATE_DEVICE names it.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Dense,
  LayerNormLSTM,
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

const [B, T, D, H, K, STEPS] = [5, 4, 3, 6, 2, 10]
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

const made = (cell: typeof SimpleRNN, masked: boolean, p: number) =>
  new Sequential([
    ...(masked ? [new Masking({ inputShape: [T, D] })] : []),
    new cell(H, { dropoutW: p, dropoutU: p, inputShape: [T, D] }),
    new Dense(K, { activation: 'softmax' }),
  ])

async function losses(model: Sequential, device: 'cpu' | 'cuda', optimizer: OptimizerName) {
  model.compile({ optimizer, loss: 'categorical_crossentropy', device })
  setSeed(3)
  const list: number[] = []
  for (let step = 0; step < STEPS; step++) list.push((await model.trainOnBatch(x, y)) as number)
  model.dispose()
  return list
}

describe.skipIf(!isHere)('training on a card', () => {
  beforeAll(() => setDevice('cpu'))
  afterAll(() => setDevice((process.env.HIDDENSTATE_DEVICE ?? 'cpu') as 'cpu'))

  for (const cell of cells) {
    for (const masked of [false, true]) {
      for (const p of [0, 0.3]) {
        const how = `${cell.className}${masked ? ', masked' : ''}${p ? ', dropout' : ''}`
        it(`${how}: losses of ${STEPS} steps with every optimizer, and the same bits twice`, async () => {
          const weights = made(cell, masked, p).getWeights()
          for (const optimizer of names) {
            const of = (device: 'cpu' | 'cuda') => {
              const model = made(cell, masked, p)
              model.setWeights(weights)
              return losses(model, device, optimizer)
            }
            const [cpu, card, again] = [await of('cpu'), await of('cuda'), await of('cuda')]
            expect(again, optimizer).toEqual(card)
            expect(new Set(card).size, optimizer).toBe(STEPS) // it learns
            for (const [step, loss] of cpu.entries())
              expect(Math.abs(loss - card[step]!), `${optimizer}, step ${step}`).toBeLessThan(1e-4)
          }
        })
      }
    }
  }
})
