/**
 * What users of the package write, for consumer-test.mjs:
 * the same training in both module systems, and TypeScript.
 */
const training = `
  hs.setSeed(1)
  const model = new hs.Sequential([new hs.LSTM(8, { inputShape: [5, 1] }), new hs.Dense(1)])
  model.compile({ loss: 'mse', optimizer: 'adam' })
  const x = Float32Array.from({ length: 320 }, (_, i) => Math.sin(i)), y = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i * 5 + 5))
  const history = await model.fit({ data: x, shape: [64, 5, 1] }, { data: y, shape: [64, 1] }, { nbEpoch: 5, verbose: 0 })
  const { loss } = history.history
  if (!(loss.at(-1) < loss[0])) throw new Error('the loss did not fall: ' + loss)
  await model.save('model.h5')
  await writeNpy('x.npy', { data: x, shape: [64, 5, 1] })
  const again = await hs.loadModel('model.h5')
  const [a, b] = [await model.predict({ data: x, shape: [64, 5, 1] }), await again.predict({ data: x, shape: [64, 5, 1] })]
  if (!a.data.every((v, i) => Math.abs(v - b.data[i]) < 1e-6)) throw new Error('the loaded model predicts otherwise')
  const runtime = ['deno', 'bun', 'node'].find((name) => process.versions[name])
  console.log('trained, saved and loaded with', runtime, process.versions[runtime], hs.info().isa, hs.info().threading, loss.map((v) => v.toFixed(4)).join(' '))
`
/** One in each module system. */
export const programs = {
  'esm.mjs': `import * as hs from 'hiddenstate'
import { readWav } from 'hiddenstate/audio'
import { placeholder } from 'hiddenstate/backend'
import { mnist } from 'hiddenstate/datasets'
import { padSequences } from 'hiddenstate/preprocessing'
import { writeNpy } from 'hiddenstate/utils'
if (!padSequences || !mnist || !placeholder || !readWav) throw new Error('an entry point is empty')
${training}`,
  'cjs.cjs': `const hs = require('hiddenstate')
const { readWav } = require('hiddenstate/audio')
const { placeholder } = require('hiddenstate/backend')
const { mnist } = require('hiddenstate/datasets')
const { padSequences } = require('hiddenstate/preprocessing')
const { writeNpy } = require('hiddenstate/utils')
if (!padSequences || !mnist || !placeholder || !readWav) throw new Error('an entry point is empty')
;(async () => {${training}})().catch((error) => { console.error(error); process.exit(1) })
`,
}

/** Compiled, not run. */
export const typed = `import { Dense, type History, info, LSTM, loadModel, type NDArray, Sequential } from 'hiddenstate'
import { padSequences } from 'hiddenstate/preprocessing'
import { toCategorical } from 'hiddenstate/utils'
export async function use(): Promise<NDArray> {
  const model = new Sequential([new LSTM(8, { returnSequences: false, inputShape: [5, 1] }), new Dense(1)])
  model.compile({ loss: 'mse', optimizer: 'adam' })
  const history: History = await model.fit(padSequences([[1]]), toCategorical([0]), { nbEpoch: 1 })
  const isa: string = info().isa + String(history.epoch.length)
  // @ts-expect-error: the options are typed
  new LSTM(8, { returnSequence: true })
  return (await loadModel(isa)).predict([[[1]]])
}
`
