/** Models as ONNX: what is written computes the same when it is read; the rest is refused. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { OPSET } from '../../lib/saving/onnx/messages.js'
import { readGraph } from '../../lib/saving/onnx/model.js'
import { WRITABLE } from '../../lib/saving/onnx/write.js'
import { resolveLimits } from '../../lib/limits.js'
import {
  Activation,
  BatchNormalization,
  Bidirectional,
  Dense,
  Dropout,
  Embedding,
  Flatten,
  GlobalAveragePooling1D,
  GlobalMaxPooling1D,
  GRU,
  Input,
  Lambda,
  loadModel,
  LSTM,
  Masking,
  merge,
  Model,
  Permute,
  Sequential,
  setSeed,
  SimpleRNN,
  TimeDistributed,
} from '../package.js'
import { expectSame, outputsOf, waves, words } from '../round-trips.js'

const folder = mkdtempSync(path.join(tmpdir(), 'hs-onnx-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = path.join(folder, 'model.onnx')

const inputShape = [null, 4]
const sequences = { returnSequences: true }
const MODELS: Record<string, () => Model> = {
  'a last step': () => new Sequential([new LSTM(3, { inputShape }), new Dense(2)]),
  'every step of three cells': () =>
    new Sequential([
      new LSTM(3, { inputShape, innerActivation: 'sigmoid', ...sequences }),
      new GRU(3, sequences),
      new SimpleRNN(2, { activation: 'relu', ...sequences }),
      new TimeDistributed(new Dense(2, { activation: 'softmax' })),
    ]),
  backwards: () =>
    new Sequential([
      new LSTM(3, { inputShape, goBackwards: true }),
      new Dense(2, { activation: 'tanh' }),
    ]),
  'both directions, reset after': () =>
    new Sequential([
      new Bidirectional(new LSTM(3, sequences), { inputShape }),
      new Bidirectional(new GRU(2, { resetAfter: true, activation: 'linear' })),
      new BatchNormalization(),
      new Dropout(0.5),
      new Dense(2, { activation: 'hard_sigmoid' }),
    ]),
  'words, no biases': () =>
    new Sequential([
      new Embedding(9, 4, { inputLength: 5 }),
      new GRU(3, { bias: false }),
      new Dense(2, { bias: false, activation: 'elu' }),
      new Activation('softplus'),
    ]),
  'axes moved': () =>
    new Sequential([
      new LSTM(3, { inputShape: [5, 4], ...sequences }),
      new BatchNormalization(),
      new Permute([2, 1]),
      new Flatten(),
      new Dense(2, { activation: 'softsign' }),
    ]),
  'the largest': () =>
    new Sequential([new LSTM(3, { inputShape, ...sequences }), new GlobalMaxPooling1D()]),
  'the mean': () =>
    new Sequential([
      new SimpleRNN(3, { inputShape, ...sequences }),
      new GlobalAveragePooling1D(),
      new Dense(2),
    ]),
  'branches and two outputs': () => {
    const x = Input({ shape: inputShape })
    const branches = [new LSTM(3).call(x), new GRU(3).call(x)]
    const both = merge(branches, { mode: 'concat' })
    return new Model({ input: x, output: [new Dense(2).call(both), merge(branches)] })
  },
  // the graph has the layers in another order than the model, whose deepest come first
  'outputs of other depths': () => {
    const x = Input({ shape: inputShape })
    const state = new LSTM(5).call(x)
    const deep = new Dense(3, { activation: 'tanh' }).call(state)
    return new Model({ input: x, output: [new Dense(2).call(deep), new Dense(1).call(state)] })
  },
}

describe('a model written as ONNX', () => {
  it.each(Object.entries(MODELS))('%s: gives the same again', async (name, make) => {
    setSeed(7)
    const model = make()
    const x = name === 'words, no biases' ? words : waves
    const expected = await outputsOf(model, x)
    await model.save(file)
    const again = await loadModel<Model>(file)
    expectSame(await outputsOf(again, x), expected)
  })

  it('states its opset, and leaves batch and time open', async () => {
    await MODELS['a last step']!().save(file)
    const bytes = new Uint8Array(readFileSync(file))
    const { opset, inputs, outputs } = readGraph(file, bytes, resolveLimits('test', {}))
    expect(opset).toBe(OPSET)
    expect(inputs.map(({ shape }) => shape)).toEqual([['batch', 'time', 4]])
    expect(outputs.map(({ shape }) => shape)).toEqual([['batch', 2]])
  })

  it.each<[string, () => Model, RegExp]>([
    [
      'a mask where nothing takes it',
      () =>
        new Sequential([
          new Masking({ inputShape: [3, 2] }),
          new Flatten({ acceptMask: true }),
          new Dense(2),
        ]),
      /\(Flatten\): input must be without a mask, to be written as ONNX, got one with a mask/,
    ],
    [
      'a function',
      () => new Sequential([new Lambda((x) => x.mul(2), { inputShape: [3] })]),
      /\(Lambda\): layer must be one of/,
    ],
    [
      'an activation that is a function',
      () => new Sequential([new Dense(2, { inputDim: 2, activation: (x) => x.mul(2) })]),
      /\(Dense\): activation must be one of .*, to be written as ONNX/,
    ],
    [
      'states that are kept',
      () => new Sequential([new LSTM(2, { batchInputShape: [1, 3, 2], stateful: true })]),
      /\(LSTM\): stateful must be false/,
    ],
    [
      'a sequence in the order of processing',
      () => new Sequential([new LSTM(2, { inputShape, goBackwards: true, ...sequences })]),
      /\(LSTM\): go_backwards must be false/,
    ],
    [
      'directions that are summed',
      () => new Sequential([new Bidirectional(new LSTM(2), { inputShape, mergeMode: 'sum' })]),
      /\(Bidirectional\): merge_mode must be concat/,
    ],
  ])('refuses %s, and leaves the file as it was', async (_, make, message) => {
    await MODELS['the mean']!().save(file)
    const before = readFileSync(file)
    await expect(make().save(file)).rejects.toThrow(message)
    expect(readFileSync(file)).toEqual(before)
  })

  it('says how many steps of a masked row count', async () => {
    await new Sequential([new Masking({ inputShape }), new LSTM(2)]).save(file)
    const bytes = new Uint8Array(readFileSync(file))
    const { nodes } = readGraph(file, bytes, resolveLimits('test', {}))
    const [, , , , lengths] = nodes.find(({ op }) => op === 'LSTM')!.inputs
    expect(nodes.find(({ outputs }) => outputs.includes(lengths!))?.op).toBe('Cast')
    await expect(loadModel(file)).rejects.toThrow(/\(Equal\): operator must be one of/)
  })

  it('is refused where it exists and may not be replaced', async () => {
    await MODELS['the mean']!().save(file)
    await expect(MODELS['the mean']!().save(file, { overwrite: false })).rejects.toThrow(/exist/)
  })

  it('the guide lists the layers that are written', () => {
    const guide = readFileSync(new URL('../../docs/interop.md', import.meta.url), 'utf8')
    const listed = /^Layers: (.*)\.$/m.exec(guide)?.[1]?.split(', ')
    expect(listed).toEqual(WRITABLE.map((layer) => `\`${layer}\``))
    expect(guide).toContain(`opset ${OPSET}`)
  })
})
