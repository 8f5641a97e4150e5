/** Weights and modules for PyTorch: what is written is read back, the rest is refused by name. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { torchModule, WRITABLE } from '../../lib/saving/torch/write-module.js'
import { safetensorsBytes } from '../../lib/saving/torch/write-tensors.js'
import {
  Activation,
  BatchNormalization,
  Bidirectional,
  Dense,
  Dropout,
  Embedding,
  Flatten,
  GlobalMaxPooling1D,
  GRU,
  Input,
  Lambda,
  loadModel,
  LSTM,
  merge,
  Model,
  Sequential,
  setSeed,
  SimpleRNN,
  TimeDistributed,
} from '../package.js'
import { expectSame, outputsOf, waves, words } from '../round-trips.js'

const folder = mkdtempSync(path.join(tmpdir(), 'hs-torch-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const inputShape = [null, 4]
const sequences = { returnSequences: true }
const gates = { innerActivation: 'sigmoid' } as const
const after = { ...gates, resetAfter: true }

const MODELS: Record<string, () => Model> = {
  'a last step': () =>
    new Sequential([
      new LSTM(3, { inputShape, ...gates, name: 'rnn' }),
      new Dense(2, { name: 'head', activation: 'softmax' }),
    ]),
  'every step of three cells': () =>
    new Sequential([
      new LSTM(3, { inputShape, ...gates, ...sequences }),
      new GRU(3, { ...after, ...sequences }),
      new SimpleRNN(2, { activation: 'relu', ...sequences }),
      new TimeDistributed(new Dense(2, { activation: 'hard_sigmoid' })),
    ]),
  'both directions': () =>
    new Sequential([
      new Bidirectional(new LSTM(3, { ...gates, ...sequences }), { inputShape }),
      new Bidirectional(new GRU(2, after)),
      new BatchNormalization({ momentum: 0.9 }),
      new Dropout(0.5),
      new Dense(2, { activation: 'tanh' }),
    ]),
  'words, no biases': () =>
    new Sequential([
      new Embedding(9, 4, { inputLength: 5 }),
      new GRU(3, { ...after, bias: false, goBackwards: true }),
      new Dense(2, { bias: false, activation: 'elu' }),
      new Activation('softplus'),
    ]),
  'the largest': () =>
    new Sequential([
      new LSTM(3, { inputShape: [5, 4], ...gates, ...sequences }),
      new BatchNormalization(),
      new GlobalMaxPooling1D(),
    ]),
  flat: () =>
    new Sequential([
      new SimpleRNN(3, { inputShape: [5, 4], ...sequences }),
      new Flatten(),
      new Dense(2),
    ]),
  'branches and two outputs': () => {
    const x = Input({ shape: inputShape, name: 'x' })
    const branches = [new LSTM(3, gates).call(x), new GRU(3, after).call(x)]
    const both = merge(branches, { mode: 'concat' })
    return new Model({ input: x, output: [new Dense(2).call(both), merge(branches)] })
  },
}

describe.each(['pt', 'safetensors'])('weights as .%s', (ending) => {
  const file = path.join(folder, `weights.${ending}`)

  it.each(Object.entries(MODELS))('%s: gives the same again', async (name, make) => {
    setSeed(7)
    const model = make()
    const x = name === 'words, no biases' ? words : waves
    const expected = await outputsOf(model, x)
    await model.saveWeights(file)
    setSeed(8)
    const json = model.toJson()
    const again = await loadModel<Model>(file, { architecture: json })
    expectSame(await outputsOf(again, x), expected)
  })

  it('has the same bytes each time', async () => {
    setSeed(7)
    const model = MODELS['both directions']!()
    await model.saveWeights(file)
    const first = readFileSync(file)
    await model.saveWeights(file)
    expect(readFileSync(file)).toEqual(first)
  })
})

it('is no whole model: .pt holds none, and .safetensors of save is another file', async () => {
  const model = MODELS.flat!()
  await expect(model.save(path.join(folder, 'weights.pt'))).rejects.toThrow(
    /model\.saveWeights writes the weights/,
  )
  await model.save(path.join(folder, 'weights.safetensors'))
  expect((await loadModel(path.join(folder, 'weights.safetensors'))).getWeights()).toEqual(
    model.getWeights(),
  )
  await model.saveWeights(path.join(folder, 'weights.safetensors'))
  await expect(loadModel(path.join(folder, 'weights.safetensors'))).rejects.toThrow(
    /model.save has written, got a safetensors file/,
  )
})

it('keeps all digits of float64', () => {
  const data = new Float64Array([0.1, 0.2])
  const bytes = safetensorsBytes(new Map([['a', { shape: [2], data }]]))
  expect(new TextDecoder().decode(bytes)).toContain('"dtype":"F64"')
  expect([...new Float64Array(bytes.slice(-16).buffer)]).toEqual([0.1, 0.2])
})

describe('the module of PyTorch', () => {
  it('is the class that has the weights', () => {
    expect(torchModule(MODELS['a last step']!()).source).toBe(`import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 3, batch_first=True)
        self.head = nn.Linear(3, 2)

    def forward(self, rnn_input):
        _, rnn_last = self.rnn(rnn_input)
        rnn = rnn_last[0][0]
        head = torch.softmax(self.head(rnn), dim=-1)
        return head
`)
  })

  it('has names that Python takes', () => {
    const names = ['class', 'my-layer', 'my.layer', '1st']
    const layers = names.map((name) => new Dense(2, { inputDim: 2, name }))
    const { tensors } = torchModule(new Sequential(layers))
    const modules = new Set([...tensors.keys()].map((name) => name.split('.')[0]))
    expect([...modules]).toEqual(['class_2', 'my_layer', 'my_layer_2', 'x1st'])
  })

  it.each<[string, () => Model, RegExp]>([
    [
      'gates of hard_sigmoid',
      () => new Sequential([new LSTM(2, { inputShape })]),
      /\(LSTM\): innerActivation must be 'sigmoid', to be written as PyTorch, got hard_sigmoid\. PyTorch has no other gates/,
    ],
    [
      'a GRU of Keras 1',
      () => new Sequential([new GRU(2, { inputShape, ...gates })]),
      /\(GRU\): resetAfter must be true/,
    ],
    [
      'words that are masks',
      () => new Sequential([new Embedding(3, 2, { maskZero: true }), new LSTM(2, gates)]),
      /\(Embedding\): maskZero must be false/,
    ],
    [
      'a function',
      () => new Sequential([new Lambda((x) => x.mul(2), { inputShape: [3] })]),
      /\(Lambda\): layer must be one of .*, to be written as PyTorch/,
    ],
    [
      'states that are kept',
      () => new Sequential([new LSTM(2, { ...gates, batchInputShape: [1, 3, 2], stateful: true })]),
      /\(LSTM\): stateful must be false/,
    ],
  ])('refuses %s', (_, make, message) => {
    expect(() => torchModule(make())).toThrow(message)
  })

  it('the guide lists the layers that are written', () => {
    const guide = readFileSync(new URL('../../docs/interop.md', import.meta.url), 'utf8')
    const listed = /^Layers for PyTorch: (.*)\.$/m.exec(guide)?.[1]?.split(', ')
    expect(listed).toEqual(WRITABLE.map((layer) => `\`${layer}\``))
  })
})
