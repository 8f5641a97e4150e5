/** Native code, the exports and the names that options take are three views of one list. */
import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { activationNames } from '../../lib/activations.js'
import { lowerModel } from '../../lib/engine/lowering.js'
import { loadNative } from '../../lib/native.js'
import * as main from '../package.js'
import { modelFor, SAMPLES } from './samples.js'

const native = loadNative().describe()

describe('describe() and the exports', () => {
  it('every native op is what some layer becomes, and every layer becomes native ops', () => {
    const used = new Set<string>()
    const cells = new Set<string>()
    for (const s of SAMPLES) {
      const model = modelFor(s)
      for (const { op, options } of lowerModel(model, null).spec.ops) {
        used.add(op)
        if (typeof options.cell === 'string') cells.add(options.cell)
      }
    }
    // what joins masks: two that differ
    const masked = ['a', 'b'].map((name) =>
      new main.Masking().call(main.Input({ shape: [3, 2], name })),
    )
    const merged = new main.Model({
      input: masked.map((tensor) => tensor.node.inputs[0]!),
      output: main.merge(masked, { mode: 'sum' }),
    })
    for (const { op } of lowerModel(merged, null).spec.ops) used.add(op)
    expect([...used].sort()).toEqual([...native.layers].sort())
    expect([...cells].sort()).toEqual(native.cells.map((c) => c.name).sort())
  })

  it('every native op has a row in the table of docs/design.md', () => {
    const map = fs.readFileSync('docs/design.md', 'utf8')
    const rows = [...map.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1])
    expect(rows.sort()).toEqual([...native.layers].sort())
  })

  it('optimizers', () => {
    const exported = Object.values(main)
      .filter((e) => typeof e === 'function' && e.prototype instanceof main.Optimizer)
      .map((e) => (e as { name: string }).name.toLowerCase())
    expect(exported.sort()).toEqual(native.optimizers.map((o) => o.name).sort())
  })

  it('activations', () => {
    expect([...activationNames].sort()).toEqual([...native.activations].sort())
  })

  it.each(native.objectives)('objective %s compiles', (loss) => {
    const model = new main.Sequential([new main.Dense(2, { inputDim: 2 })])
    expect(() => model.compile({ optimizer: 'sgd', loss: loss as never })).not.toThrow()
  })

  it.each(native.metrics)('metric %s compiles', (metric) => {
    const model = new main.Sequential([new main.Dense(2, { inputDim: 2 })])
    expect(() =>
      model.compile({ optimizer: 'sgd', loss: 'mse', metrics: [metric as never] }),
    ).not.toThrow()
  })

  it('constraints', () => {
    const made = [main.maxnorm(), main.nonneg(), main.unitnorm(), main.minMaxNorm()]
    expect(made.map((c) => c.spec().name).sort()).toEqual([...native.constraints].sort())
  })

  it('short names are those that Keras 1.2.2 has (keras/layers/convolutional.py, keras/regularizers.py)', () => {
    expect([main.Conv1D, main.Conv2D, main.AtrousConv1D]).toEqual([
      main.Convolution1D,
      main.Convolution2D,
      main.AtrousConvolution1D,
    ])
    expect([main.WeightRegularizer, main.ActivityRegularizer]).toEqual([
      main.L1L2Regularizer,
      main.L1L2Regularizer,
    ])
    const model = new main.Sequential([new main.Conv1D(4, 3, { inputShape: [8, 2] })])
    expect(JSON.parse(model.toJson()).config[0].class_name).toBe('Convolution1D')
  })
})
