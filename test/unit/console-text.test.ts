/** What `console.log`, `String` and `JSON.stringify` make of the objects of this package. */
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import * as main from '../package.js'
import {
  array,
  Bidirectional,
  Dense,
  EarlyStopping,
  type History,
  LSTM,
  Merge,
  Sequential,
} from '../package.js'

const x = [
  [
    [1, 2],
    [3, 4],
  ],
] // [1, 2, 2]
const model = new Sequential(
  [new LSTM(3, { inputShape: [2, 2], name: 'reads' }), new Dense(1, { name: 'says' })],
  {
    name: 'm',
  },
)

describe('console.log', () => {
  it('of a model and of layers is a line', () => {
    expect(inspect(model)).toBe(
      'Sequential(m: 2 layers, [B, 2, 2] → [B, 1], 76 parameters, not compiled)',
    )
    expect(inspect(new Sequential([], { name: 'e' }))).toBe('Sequential(e: no layers)')
    expect(inspect(model.layers)).toBe(
      '[\n  LSTM(reads: [B, 2, 2] → [B, 3], 72 parameters),\n  Dense(says: [B, 3] → [B, 1], 4 parameters)\n]',
    )
    expect(inspect(new Dense(3, { name: 'free' }))).toBe('Dense(free: not in a model yet)')
    expect(String(model)).toBe(inspect(model))
    expect(`${model.layers[1]}`).toBe(inspect(model.layers[1]))
  })

  it('of a wrapper, of a Merge and of a model of several inputs too', () => {
    const branch = (name: string) => new Sequential([new Dense(2, { inputDim: 3, name })])
    const both = new Sequential(
      [new Merge([branch('a'), branch('b')], { mode: 'concat', name: 'joins' })],
      {
        name: 'both',
      },
    )
    expect(inspect(both)).toBe(
      'Sequential(both: 1 layer, [B, 3], [B, 3] → [B, 4], 16 parameters, not compiled)',
    )
    expect(inspect(both.layers[0])).toBe('Merge(joins: [B, 4], 16 parameters)')
    const wrapped = new Bidirectional(new LSTM(2), { inputShape: [2, 2], name: 'two' })
    new Sequential([wrapped])
    expect(inspect(wrapped)).toBe('Bidirectional(two: [B, 2, 2] → [B, 4], 80 parameters)')
  })

  it('of a history is what happened, and it can be written as JSON', async () => {
    model.compile({ loss: 'mse', optimizer: 'sgd' })
    const stopping = new EarlyStopping({ monitor: 'loss' })
    const history: History = await model.fit(x, [1], {
      nbEpoch: 2,
      verbose: 0,
      callbacks: [stopping],
    })
    expect(inspect(history)).toMatch(
      /^History \{\s+epoch: \[ 0, 1 \],\s+history: \{ loss: \[ [\d.]+, [\d.]+ \] \}\s+\}$/,
    )
    expect(JSON.parse(JSON.stringify(history))).toEqual({
      epoch: [0, 1],
      history: { loss: history.history.loss },
    })
    expect(inspect(stopping)).not.toContain('Sequential')
    expect(history.model).toBe(model)
    expect(inspect(model)).toContain(', compiled)')
    expect(inspect(model.optimizer)).toMatch(/^SGD \{.*lr: 0.01/s)
  })

  it('of an array shows it as it is', () => {
    expect(
      inspect(
        array([
          [1, 2],
          [3, 4],
        ]),
      ),
    ).toBe('NDArray(float32 [2, 2]) [ [ 1, 2 ], [ 3, 4 ] ]')
    expect(inspect(array([5], [], 'int32'))).toBe('NDArray(int32 []) 5')
    expect(inspect(array(new Float32Array(5000)))).toMatch(
      /^NDArray\(float32 \[5000\]\) Float32Array\(5000\) \[.*4900 more items\s*\]$/s,
    )
    expect(String(array([[1, 2]]))).toBe('NDArray(float32 [1, 2])')
  })

  it('of a class or a prototype reads no fields', () => {
    for (const Class of [Sequential, LSTM, main.NDArray, main.Layer]) {
      expect(inspect(Class)).toContain(Class.name)
      expect(String(Class.prototype)).toBe('[prototype]')
      expect(inspect(Class.prototype)).not.toBe('')
    }
  })
})

it('classes have the names under which they are exported', () => {
  const aliases = ['AtrousConv1D', 'Conv1D', 'Conv2D', 'ActivityRegularizer', 'WeightRegularizer']
  for (const [name, value] of Object.entries(main))
    if (typeof value === 'function' && /^class/.test(String(value)) && !aliases.includes(name))
      expect(value.name).toBe(name)
})

describe('JSON.stringify', () => {
  it('of a model is its architecture, of a layer its class and configuration', () => {
    expect(JSON.stringify(model)).toBe(model.toJson())
    expect(JSON.parse(JSON.stringify(model.layers[1]))).toEqual({
      class_name: 'Dense',
      config: model.layers[1]!.getConfig(),
    })
    expect(JSON.parse(JSON.stringify({ model })).model).toEqual(JSON.parse(model.toJson()))
  })
})
