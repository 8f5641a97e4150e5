/**
 * Names of layers: unique at compile, chosen so by default, changed at any time without harm to
 * weights and optimizer state.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectAllSameBits, uniform } from '../arrays.js'
import {
  Adam,
  Bidirectional,
  Dense,
  Dropout,
  GRU,
  type Layer,
  LSTM,
  loadModel,
  Merge,
  modelFromJson,
  Sequential,
  setSeed,
  TimeDistributed,
} from '../package.js'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'hs-names-'))
})
afterAll(() => rmSync(directory, { recursive: true }))
const file = (name: string) => path.join(directory, `${name}.h5`)

// Equal shapes, so that moments in a wrong order would fit.
const chain = (): Sequential => {
  setSeed(5)
  const layers = ['b', 'c', 'd'].map(
    (name, i) => new Dense(3, { name, ...(i === 0 ? { inputDim: 3 } : {}) }),
  )
  return new Sequential(layers)
}
const compile = (model: Sequential): Sequential => {
  model.compile({ optimizer: new Adam({ lr: 0.05 }), loss: 'mse' })
  return model
}
const train = (model: Sequential, seed: number) =>
  model.trainOnBatch(uniform(seed, [4, 3]), uniform(seed + 50, [4, 3]))

/** The weights after three steps, without any renaming. */
async function unnamed(): Promise<ReturnType<Sequential['getWeights']>> {
  const model = compile(chain())
  for (const seed of [1, 2, 3]) await train(model, seed)
  return model.getWeights()
}

describe('a layer that is called otherwise', () => {
  const rename = (model: Sequential): void => {
    ;(model.layers[0] as Layer).name = 'z'
    ;(model.layers[2] as Layer).name = 'a'
  }
  const moments: [string, (model: Sequential) => Promise<Sequential>][] = [
    [
      'before compile',
      async (m) => {
        rename(m)
        compile(m)
        for (const s of [1, 2, 3]) await train(m, s)
        return m
      },
    ],
    [
      'after compile',
      async (m) => {
        compile(m)
        rename(m)
        for (const s of [1, 2, 3]) await train(m, s)
        return m
      },
    ],
    [
      'between steps',
      async (m) => {
        compile(m)
        await train(m, 1)
        rename(m)
        await train(m, 2)
        await train(m, 3)
        return m
      },
    ],
    [
      'after a prediction',
      async (m) => {
        await m.predict(uniform(1, [1, 3]))
        rename(m)
        compile(m)
        for (const s of [1, 2, 3]) await train(m, s)
        return m
      },
    ],
    [
      'before it is saved',
      async (m) => {
        compile(m)
        await train(m, 1)
        await train(m, 2)
        rename(m)
        await m.save(file('before'))
        const loaded = await loadModel(file('before'))
        expect(loaded.layers.map(({ name }) => name)).toEqual(['z', 'c', 'a'])
        await train(loaded, 3)
        return loaded
      },
    ],
    [
      'after it was loaded',
      async (m) => {
        compile(m)
        await train(m, 1)
        await m.save(file('after'))
        const loaded = await loadModel(file('after'))
        rename(loaded)
        await train(loaded, 2)
        await loaded.save(file('after'))
        const again = await loadModel(file('after'))
        await train(again, 3)
        return again
      },
    ],
    [
      'in a callback',
      async (m) => {
        compile(m)
        await train(m, 1)
        const { LambdaCallback } = await import('../package.js')
        const callbacks = [new LambdaCallback({ onBatchEnd: () => rename(m) })]
        await m.fit(uniform(2, [4, 3]), uniform(52, [4, 3]), {
          nbEpoch: 1,
          shuffle: false,
          verbose: 0,
          callbacks,
        })
        await m.save(file('callback'))
        const loaded = await loadModel(file('callback'))
        await train(loaded, 3)
        return loaded
      },
    ],
  ]
  it.each(moments)('%s trains to the same bits', async (_, run) => {
    expectAllSameBits((await run(chain())).getWeights(), await unnamed())
  })

  it('has its new name in weights, files and errors', async () => {
    const model = compile(chain())
    await train(model, 1)
    rename(model)
    expect(
      JSON.parse(model.toJson()).config.map((c: { config: { name: string } }) => c.config.name),
    ).toEqual(['z', 'c', 'a'])
    expect(model.layers[0]?.kerasArrays().map(({ name }) => name)).toEqual(['z_W', 'z_b'])
    expect(() => model.layers[0]?.setWeights([[[1]], [0]])).toThrow(/^z\/W: shape must be/)
    expect(model.getLayer({ name: 'z' })).toBe(model.layers[0])
    await model.saveWeights(file('weights'))
    const other = chain()
    rename(other)
    await other.loadWeights(file('weights'), { byName: true })
    expectAllSameBits(other.getWeights(), model.getWeights())
  })

  it('as another one is told by the next call, which works again when the names differ', async () => {
    const model = compile(chain())
    await train(model, 1)
    const twin = model.layers[0] as Layer
    twin.name = 'c'
    const refused = {
      code: 'ERR_OPTION',
      message: expect.stringMatching(/layer names must be unique, got 'c' twice/),
    }
    await expect(model.predict(uniform(1, [1, 3]))).rejects.toMatchObject(refused)
    await expect(train(model, 2)).rejects.toMatchObject(refused)
    await expect(
      model.fit(uniform(1, [1, 3]), uniform(2, [1, 3]), { verbose: 0 }),
    ).rejects.toMatchObject(refused)
    twin.name = 'b'
    for (const seed of [2, 3]) await train(model, seed)
    expectAllSameBits(model.getWeights(), await unnamed())
  })

  it('keeps its states', async () => {
    const model = new Sequential([
      new GRU(2, { batchInputShape: [1, 3, 2], stateful: true, name: 'g' }),
    ])
    const twin = modelFromJson(model.toJson())
    twin.setWeights(model.getWeights())
    const x = uniform(1, [1, 3, 2])
    for (const m of [model, twin]) await m.predict(x)
    ;(model.layers[0] as Layer).name = 'h'
    expectAllSameBits([await model.predict(x)], [await twin.predict(x)])
    model.layers[0]?.resetStates()
    twin.resetStates()
    expectAllSameBits([await model.predict(x)], [await twin.predict(x)])
  })

  it('is the same layer in every model that has it', async () => {
    const part = new Sequential([new Dense(3, { inputDim: 3, name: 'p' })])
    const [one, two] = [new Sequential([part]), new Sequential([part])].map(compile) as [
      Sequential,
      Sequential,
    ]
    await train(one, 1)
    ;(part.layers[0] as Layer).name = 'q'
    part.name = 'inner'
    for (const model of [two, one, two]) await train(model, 2)
    expectAllSameBits(one.getWeights(), two.getWeights())
  })

  it('may be one inside a wrapper', async () => {
    const model = new Sequential([
      new Bidirectional(new LSTM(2, { returnSequences: true, name: 'x' }), { inputShape: [3, 2] }),
      new TimeDistributed(new Dense(1, { name: 'y' })),
    ])
    model.compile({ optimizer: 'adam', loss: 'mse' })
    const [both, timed] = model.layers as [Bidirectional, TimeDistributed]
    both.options.layer.name = 'w'
    timed.layer.name = 'v'
    expect(both.children.map(({ name }) => name)).toEqual(['forward_w', 'backward_w'])
    expect(() => {
      both.forward.name = 'u'
    }).toThrow(
      /name must be that of w \(LSTM\), the wrapped layer, with a prefix, got the string 'u'. Set the name of that layer/,
    )
    const step = (m: Sequential) => m.trainOnBatch(uniform(1, [2, 3, 2]), uniform(2, [2, 3, 1]))
    await step(model)
    await model.save(file('wrapped'))
    const loaded = await loadModel(file('wrapped'))
    await Promise.all([step(model), step(loaded)])
    expectAllSameBits(loaded.getWeights(), model.getWeights())
  })

  it.each(['', 'a//b', 'x\0', 5, {}])('cannot be called %j', (name) => {
    const layer = new Dense(1, { name: 'd' })
    expect(() => {
      layer.name = name as string
    }).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
    expect(layer.name).toBe('d')
  })
})

describe('names that are not unique', () => {
  const branch = (name: string, seed = 1) => {
    setSeed(seed)
    return new Sequential([new Dense(2, { inputDim: 2, name })])
  }

  it('in two branches are told at compile, and the way out works', async () => {
    const model = new Sequential([
      new Merge([branch('d'), branch('d')]),
      new Dense(2, { name: 'e' }),
    ])
    const refusal =
      /layer names must be unique, got 'd' twice: d \(Dense\) in sequential_\d+ \(Sequential\) and d \(Dense\) in/
    expect(() => compile(model)).toThrow(refusal)
    await expect(model.predict([uniform(1, [1, 2]), uniform(1, [1, 2])])).rejects.toThrow(refusal)
    ;(model.flattenedLayers[1] as Layer).name = 'd_2'
    compile(model)
    await model.trainOnBatch([uniform(1, [4, 2]), uniform(2, [4, 2])], uniform(3, [4, 2]))
    await model.save(file('branches'))
    expectAllSameBits((await loadModel(file('branches'))).getWeights(), model.getWeights())
  })

  it('inside a model inside are told at compile', () => {
    const inner = new Sequential([branch('d'), new Dense(2, { name: 'd' })])
    const outer = new Sequential([inner, new Dense(2)])
    expect(() => compile(outer)).toThrow(
      /sequential_\d+ \(Sequential\): names of its weights must be unique, got 'd_W' twice/,
    )
    ;(inner.layers[1] as Layer).name = 'e'
    compile(outer)
  })

  it('after a model was loaded, in one step', async () => {
    const model = new Sequential([new Dense(2, { inputDim: 2 }), new Dense(2)])
    const config = JSON.parse(model.toJson())
    const next = Number(new Dense(1).name.split('_')[1]) + 1
    // as of another process
    for (const [i, layer] of config.config.entries()) layer.config.name = `dense_${next + i}`
    const loaded = modelFromJson(JSON.stringify(config))
    loaded.add(new Dense(2))
    loaded.add(new TimeDistributed(new Dense(1), { name: 'no' }).layer)
    compile(loaded)
    expect(new Set(loaded.layers.map(({ name }) => name)).size).toBe(4)
  })

  it('that somebody chose are not changed', () => {
    const model = new Sequential([
      new Dense(2, { inputDim: 2, name: 'd' }),
      new Dropout(0.5),
      new Dense(2, { name: 'd' }),
    ])
    expect(() => compile(model)).toThrow(/'d' twice/)
  })
})

describe('a layer that was taken away', () => {
  it('can be added again, with its weights', async () => {
    const model = compile(chain())
    const x = uniform(1, [2, 3])
    const before = await model.predict(x)
    const last = model.layers[2] as Layer
    model.pop()
    model.add(last)
    expectAllSameBits([await model.predict(x)], [before])
    model.pop()
    const other = new Sequential([new Dense(3, { inputDim: 7 }), last])
    expectAllSameBits(other.getWeights().slice(2), chain().getWeights().slice(4))
    expect(() => model.add(new Dense(1))).not.toThrow()
    expect(() => model.add(last)).toThrow(/input must be/)
  })

  it('is refused where its weights do not fit, and stays free', () => {
    const model = chain()
    const last = model.layers[2] as Layer
    model.pop()
    const other = new Sequential([new Dense(4, { inputDim: 7 })])
    expect(() => other.add(last)).toThrow(
      /d \(Dense\): input must be \[B, 3\], for which its weights were made, got \[B, 4\]/,
    )
    expect(other.layers).toHaveLength(1)
    model.add(last)
  })

  it('with a Merge too', async () => {
    const branch = () => new Sequential([new Dense(2, { inputDim: 2 })])
    const merge = new Merge([branch(), branch()])
    const model = new Sequential([merge])
    model.pop()
    model.add(merge)
    expect((await model.predict([uniform(1, [1, 2]), uniform(1, [1, 2])])).shape).toEqual([1, 2])
  })
})
