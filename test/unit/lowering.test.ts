/** What layers lower to; no native code. */
import { describe, expect, it } from 'vitest'
import { add, dot, tanh } from '../../lib/functions/index.js'
import {
  Bidirectional,
  Dense,
  defineCell,
  GRU,
  LSTM,
  TimeDistributed,
} from '../../lib/layers/index.js'
import { EigenvalueRegularizer } from '../../lib/regularizers.js'
import { layerFromConfig } from '../../lib/saving/config.js'
import { lower } from './golden-models.js'

describe('lowering', () => {
  it('an LSTM', () => {
    const layer = new LSTM(2, {
      name: 'l',
      inputShape: [null, 3],
      goBackwards: true,
      URegularizer: 'l2',
      trainable: false,
    })
    const { ops, params, shape } = lower(layer)
    expect(shape).toEqual([2])
    expect({ params, ops }).toMatchInlineSnapshot(`
      {
        "ops": [
          {
            "activity": null,
            "className": "LSTM",
            "inputs": [
              ":input",
            ],
            "layer": "l",
            "mask": null,
            "maskOut": null,
            "op": "recurrence",
            "options": {
              "activation": "tanh",
              "cell": "lstm",
              "checkpoint": 0,
              "dropoutU": 0,
              "dropoutW": 0,
              "goBackwards": true,
              "innerActivation": "hard_sigmoid",
              "learnedStates": false,
              "returnSequences": false,
              "sharedDropout": false,
              "stateful": false,
              "truncate": 0,
              "units": 2,
            },
            "outputs": [
              "l",
            ],
            "params": [
              {
                "name": "W",
                "param": "l/W",
              },
              {
                "name": "U",
                "param": "l/U",
              },
              {
                "name": "b",
                "param": "l/b",
              },
            ],
          },
        ],
        "params": [
          {
            "constraint": null,
            "dims": [
              3,
              8,
            ],
            "path": "l/W",
            "penalty": null,
            "trainable": false,
          },
          {
            "constraint": null,
            "dims": [
              2,
              8,
            ],
            "path": "l/U",
            "penalty": {
              "l1": 0,
              "l2": 0.009999999776482582,
            },
            "trainable": false,
          },
          {
            "constraint": null,
            "dims": [
              8,
            ],
            "path": "l/b",
            "penalty": null,
            "trainable": false,
          },
        ],
      }
    `)
  })

  it('Bidirectional: two recurrences, one turned round, merged last', () => {
    const layer = new Bidirectional(new GRU(2, { name: 'g', returnSequences: true }), {
      name: 'b',
      inputShape: [5, 3],
    })
    const { ops, shape } = lower(layer)
    expect(shape).toEqual([5, 4])
    expect(ops.map((o) => [o.op, o.layer, o.inputs, ...o.outputs])).toEqual([
      ['recurrence', 'forward_g', [':input'], 'forward_g'],
      ['recurrence', 'backward_g', [':input'], 'backward_g'],
      ['reverse', 'b/reversed', ['backward_g'], 'b/reversed'],
      ['merge', 'b', ['forward_g', 'b/reversed'], 'b'],
    ])
    expect(ops.map((o) => o.options.goBackwards)).toEqual([false, true, undefined, undefined])
    expect(ops[3]?.options).toEqual({ mode: 'concat', axis: 1 })
    const last = lower(new Bidirectional(new GRU(2), { mergeMode: 'sum', inputShape: [5, 3] }))
    expect(last.ops.map((o) => o.op)).toEqual(['recurrence', 'recurrence', 'merge'])
    expect(() =>
      lower(new Bidirectional(new GRU(2), { mergeMode: null, inputShape: [5, 3] })),
    ).toThrow(/mergeMode/)
  })

  it('TimeDistributed: the op alone where it is per step, else folded', () => {
    const dense = lower(new TimeDistributed(new Dense(4, { name: 'd' }), { inputShape: [5, 3] }))
    expect(dense.ops.map((o) => [o.op, o.layer])).toEqual([['dense', 'd']])
    expect(dense.shape).toEqual([5, 4])
    const lstm = lower(
      new TimeDistributed(new LSTM(4, { name: 'l' }), { name: 't', inputShape: [2, 5, 3] }),
    )
    expect(lstm.ops.map((o) => [o.op, o.layer])).toEqual([
      ['fold', 't/rows'],
      ['recurrence', 'l'],
      ['unfold', 't'],
    ])
    expect(lstm.ops[2]?.inputs).toEqual(['l', ':input'])
    expect(lstm.shape).toEqual([2, 4])
  })

  it('freezing a wrapper freezes what it wraps', () => {
    const layer = new Bidirectional(new GRU(2), { inputShape: [5, 3] })
    layer.trainable = false
    expect(lower(layer).params.map((p) => p.trainable)).toEqual(Array(6).fill(false))
    expect(layer.kerasArrays().some((a) => a.trainable)).toBe(false)
  })

  it('the eigenvalue penalty is refused where gates are separate', () => {
    const penalty = { WRegularizer: new EigenvalueRegularizer({ k: 0.1 }), inputShape: [5, 3] }
    expect(() => lower(new GRU(2, penalty))).toThrow(/consumeLess: 'gpu'/)
    expect(lower(new GRU(2, { ...penalty, consumeLess: 'gpu' })).params[0]?.penalty).toEqual({
      eigenvalue: Math.fround(0.1),
    })
    expect(() =>
      lower(new Dense(2, { activityRegularizer: penalty.WRegularizer, inputDim: 2 })),
    ).toThrow(/activity/)
  })
})

it('truncate goes to the op, and into a configuration only when it is given', () => {
  const layer = new LSTM(2, { truncate: 3 })
  expect(layer.getConfig().truncate).toBe(3)
  expect(
    (layerFromConfig({ class_name: 'LSTM', config: layer.getConfig() }) as LSTM).options.truncate,
  ).toBe(3)
  expect(new LSTM(2).getConfig()).not.toHaveProperty('truncate')
  expect(() => new LSTM(2, { truncate: 0 })).toThrow(
    /truncate must be a positive integer or null, got 0/,
  )
})
it('checkpoint goes to the op, and into a configuration only when it is given', () => {
  for (const checkpoint of ['auto', 5] as const) {
    const layer = new GRU(2, { checkpoint })
    expect(layer.getConfig().checkpoint).toBe(checkpoint)
    expect(
      (layerFromConfig({ class_name: 'GRU', config: layer.getConfig() }) as GRU).options.checkpoint,
    ).toBe(checkpoint)
    expect(lower(new GRU(2, { checkpoint, inputShape: [4, 3] })).ops[0]?.options.checkpoint).toBe(
      checkpoint,
    )
  }
  expect(new GRU(2).getConfig()).not.toHaveProperty('checkpoint')
  for (const wrong of [0, 2.5, -1, 'all', true])
    expect(() => new GRU(2, { checkpoint: wrong as never })).toThrow(
      /checkpoint must be 'auto', a positive integer or null, got/,
    )
})
it('resetAfter has a recurrent bias and says so in its configuration', () => {
  const layer = new GRU(2, { resetAfter: true })
  layer.build([null, 5, 3])
  expect(layer.kerasArrays().map((a) => a.name.slice(layer.name.length + 1))).toEqual(
    ['z', 'r', 'h'].flatMap((gate) => ['W', 'U', 'b', 'c'].map((p) => `${p}_${gate}`)),
  )
  expect(layer.getConfig().reset_after).toBe(true)
  expect(new GRU(2).getConfig()).not.toHaveProperty('reset_after')
  expect(
    (layerFromConfig({ class_name: 'GRU', config: layer.getConfig() }) as GRU).options.resetAfter,
  ).toBe(true)
})
// `checkpoint` changes no bit, so that no number of a training would tell that it is lost.
it('a written cell, and a built-in one that runs as one: the loop has the options of time', () => {
  const Own = defineCell('Own', {
    weights: { W: ['D', 'H'], U: ['H', 'H'] },
    states: { h: {} },
    step: ({ x, h, W, U }) => ({ h: tanh(add(dot(x, W), dot(h, U))) }),
  })
  const time = { inputShape: [6, 3], checkpoint: 3, truncate: 2, goBackwards: true }
  for (const layer of [new Own(2, time), new LSTM(2, { ...time, zoneout: 0.1 })]) {
    const loop = lower(layer).ops.find(({ op }) => op === 'scan')
    expect(loop?.options).toMatchObject({ checkpoint: 3, truncate: 2, goBackwards: true })
  }
  const auto = lower(new Own(2, { inputShape: [6, 3], checkpoint: 'auto' })).ops
  expect(auto.find(({ op }) => op === 'scan')?.options).toMatchObject({ checkpoint: 'auto' })
  const none = lower(new Own(2, { inputShape: [6, 3] })).ops
  expect(none.find(({ op }) => op === 'scan')?.options).toMatchObject({ checkpoint: 0 })
})
