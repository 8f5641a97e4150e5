/**
 * A model that begins with a Merge: a list of arrays for x, everywhere;
 * what Merge refuses; what files keep.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  expectAllSameBits,
  expectClose,
  expectSameBits,
  integers,
  oneHot,
  type Plain,
  take,
  uniform,
} from '../arrays.js'
import {
  Dense,
  Embedding,
  Flatten,
  GRU,
  type Layer,
  LSTM,
  loadModel,
  Masking,
  Merge,
  modelFromJson,
  modelFromYaml,
  Reshape,
  Sequential,
  setSeed,
} from '../package.js'

const [N, T, D] = [24, 5, 3]
const left = () => new Sequential([new GRU(4, { inputShape: [T, D] })])
const right = () =>
  new Sequential([new Embedding(9, 3, { inputLength: 6 }), new Flatten(), new Dense(4)])

function merged(seed = 3): Sequential {
  setSeed(seed)
  const model = new Sequential([
    new Merge([left(), right()], { mode: 'concat' }),
    new Dense(2, { activation: 'softmax' }),
  ])
  model.compile({ optimizer: 'adam', loss: 'categorical_crossentropy', metrics: ['accuracy'] })
  return model
}

const data = (n = N, seed = 1): { x: [Plain, Plain]; y: Plain } => ({
  x: [uniform(seed, [n, T, D]), integers(seed, [n, 6], 0, 9)],
  y: oneHot(
    Array.from({ length: n }, (_, i) => (i * 7) % 2),
    2,
  ),
})
const nested = ({ data: numbers, shape }: Plain): number[][] => {
  const [n, width] = [shape[0] as number, numbers.length / (shape[0] as number)]
  return Array.from({ length: n }, (_, i) => [...numbers.subarray(i * width, (i + 1) * width)])
}

describe('x is a list of arrays', () => {
  it('in every call', async () => {
    const { x, y } = data()
    const model = merged()
    expect(model.inputShapes).toEqual([
      [null, T, D],
      [null, 6],
    ])
    expect(model.inputShape).toBeUndefined()
    const p = await model.predict(x)
    expect(p.shape).toEqual([N, 2])
    expectSameBits(await model.predict(x, { batchSize: 5 }), p)
    expectSameBits(await model.predictOnBatch(x), p)
    expectSameBits(model.predictOnBatchSync(x), p)
    expectSameBits(await model.predict([x[0], nested(x[1])]), p, 'nested arrays')
    expect((await model.predictClasses(x)).shape).toEqual([N])
    const [loss] = (await model.evaluate(x, y, { verbose: 0 })) as number[]
    expect(((await model.testOnBatch(x, y)) as number[])[0]).toBeCloseTo(loss as number, 5)
    expect(((await model.trainOnBatch(x, y)) as number[])[0]).toBeCloseTo(loss as number, 5)
  })

  it('in fit, with validation data and a validation split', async () => {
    const { x, y } = data()
    const other = data(8, 5)
    const options = { nbEpoch: 3, verbose: 0, shuffle: false } as const
    const a = await merged().fit(x, y, { ...options, validationData: [other.x, other.y] })
    const b = await merged().fit(x, y, { ...options, validationData: [other.x, nested(other.y)] })
    expect(b.history).toEqual(a.history)
    expect(a.history.val_loss).toHaveLength(3)
    const whole = {
      x: x.map((one) => joined(one, other, x.indexOf(one))) as [Plain, Plain],
      y: rows(y, other.y),
    }
    const c = await merged().fit(whole.x, whole.y, { ...options, validationSplit: 8 / 32 })
    expect(c.history).toEqual(a.history)
    const shuffled = await merged().fit(x, y, {
      nbEpoch: 2,
      verbose: 0,
      sampleWeight: new Float32Array(N).fill(0.5),
    })
    expect(shuffled.history.loss).toHaveLength(2)
  })

  it('from sources', async () => {
    const { x, y } = data()
    const half = (part: 0 | 1): [[Plain, Plain], Plain] => {
      const order = Array.from({ length: N / 2 }, (_, i) => i + (part * N) / 2)
      return [[take(x[0], order), take(x[1], order)], take(y, order)]
    }
    const batches = [half(0), half(1)]
    const options = { samplesPerEpoch: N, nbEpoch: 2, verbose: 0 } as const
    const fitted = merged()
    const { history } = await fitted.fitGenerator(batches, {
      ...options,
      validationData: batches,
      nbValSamples: N,
    })
    const model = merged()
    const same = await model.fit(x, y, {
      nbEpoch: 2,
      verbose: 0,
      shuffle: false,
      batchSize: N / 2,
      validationData: [x, y],
    })
    expect(history.loss).toEqual(same.history.loss)
    expect(history.val_loss?.[1]).toBeCloseTo(same.history.val_loss?.[1] as number, 5)
    expectAllSameBits(fitted.getWeights(), model.getWeights())
    const means = await fitted.evaluateGenerator(batches, { valSamples: N })
    expect((means as number[])[0]).toBeCloseTo(history.val_loss?.[1] as number, 5)
    const p = await fitted.predict(x)
    expectSameBits(await fitted.predictGenerator(batches, { valSamples: N }), p)
    const inputsAlone = batches.map(([inputs]) => inputs)
    expectSameBits(await fitted.predictGenerator(inputsAlone, { valSamples: N }), p)
    expectSameBits(
      await fitted.predictGenerator([x.map(deep)], { valSamples: N }),
      p,
      'nested arrays',
    )
  })

  it('refuses anything else, and says which input is wrong', async () => {
    const { x, y } = data()
    const model = merged()
    await expect(model.predict(x[0])).rejects.toThrow(
      /x must be a list of 2 arrays, one for each input/,
    )
    await expect(model.predict([x[0]])).rejects.toThrow(/list of 2 arrays/)
    await expect(model.predict([x[1], x[0]])).rejects.toThrow(
      /gru_\d+ \(GRU\): x\[0\] must be \[B, 5, 3\], got \[24, 6\]/,
    )
    const short = take(x[1], [0, 1, 2])
    await expect(model.fit([x[0], short], y)).rejects.toThrow(
      /samples in x\[1\] must be 24, as x\[0\] has, got 3/,
    )
    const odd = { data: x[1].data.map((v, i) => (i === 7 ? 9 : v)), shape: x[1].shape }
    await expect(model.predict([x[0], odd])).rejects.toThrow(/embedding_\d+.*x\[1\].*from 0 to 8/)
  })

  it('names the input whose data are not finite', async () => {
    const { x, y } = data()
    const bad = { data: x[0].data.map((v, i) => (i === 4 ? Number.NaN : v)), shape: x[0].shape }
    const model = merged()
    await expect(model.fit([bad, x[1]], y, { onNaN: 'throw', verbose: 0 })).rejects.toThrow(
      /the input of gru_/,
    )
  })
})

const deep = (a: Plain): unknown => {
  if (a.shape.length === 2) return nested(a)
  const [n, ...rest] = a.shape as [number, ...number[]]
  const size = a.data.length / n
  return Array.from({ length: n }, (_, i) =>
    deep({ data: a.data.subarray(i * size, (i + 1) * size), shape: rest }),
  )
}
const rows = (a: Plain, b: Plain): Plain => {
  const numbers = new (a.data.constructor as Float32ArrayConstructor)(a.data.length + b.data.length)
  numbers.set(a.data)
  numbers.set(b.data, a.data.length)
  return {
    data: numbers,
    shape: [(a.shape[0] as number) + (b.shape[0] as number), ...a.shape.slice(1)],
  }
}
const joined = (one: Plain, other: { x: Plain[] }, i: number): Plain =>
  rows(one, other.x[i] as Plain)

describe('Merge', () => {
  const dense = (units: number, features = 2) =>
    new Sequential([new Dense(units, { inputDim: features })])
  const sequence = (steps: number) =>
    new Sequential([new GRU(3, { returnSequences: true, inputShape: [steps, 2] })])

  it.each([
    ['one branch', () => new Merge([dense(2)]), 'ERR_OPTION', /two models or more, got 1/],
    ['no list', () => new Merge(dense(2) as never), 'ERR_OPTION', /layers must be a list/],
    [
      'a layer',
      () => new Merge([dense(2), new Dense(2, { inputDim: 2 }) as never]),
      'ERR_OPTION',
      /layers\[1\].*a model/,
    ],
    [
      'an empty model',
      () => new Merge([dense(2), new Sequential()]),
      'ERR_OPTION',
      /with layers, got an empty one/,
    ],
    [
      'a mode',
      () => new Merge([dense(2), dense(2)], { mode: 'avg' as never }),
      'ERR_UNKNOWN_NAME',
      /mode must be/,
    ],
    [
      'sum of other shapes',
      () => new Merge([dense(2), dense(3)]),
      'ERR_SHAPE',
      /of one shape.*\[B, 2\] and \[B, 3\]/,
    ],
    [
      'concat',
      () => new Merge([sequence(3), sequence(4)], { mode: 'concat' }),
      'ERR_SHAPE',
      /alike but for axis 2/,
    ],
    [
      'concat axis',
      () => new Merge([dense(2), dense(2)], { mode: 'concat', concatAxis: 0 }),
      'ERR_OPTION',
      /concatAxis/,
    ],
    [
      'dot of other lengths',
      () => new Merge([dense(2), dense(3)], { mode: 'dot' }),
      'ERR_SHAPE',
      /as long along axes 1 and 1/,
    ],
    [
      'dot of three',
      () => new Merge([dense(2), dense(2), dense(2)], { mode: 'dot' }),
      'ERR_OPTION',
      /two models for mode 'dot'/,
    ],
    [
      'cos of other shapes',
      () => new Merge([sequence(3), sequence(4)], { mode: 'cos' }),
      'ERR_SHAPE',
      /of one shape/,
    ],
    [
      'dot axes',
      () => new Merge([dense(2), dense(2)], { mode: 'dot', dotAxes: [1, 2] }),
      'ERR_OPTION',
      /dotAxes.*got 2/,
    ],
    [
      'an option',
      () => new Merge([dense(2), dense(2)], { axis: 1 } as never),
      'ERR_OPTION',
      /unknown option `axis`/,
    ],
    [
      'second place',
      () => new Sequential([new Dense(2, { inputDim: 2 }), new Merge([dense(2), dense(2)])]),
      'ERR_OPTION',
      /first of its model/,
    ],
  ] as const)('refuses %s', (_, make, code, text) => {
    expect(make).toThrow(expect.objectContaining({ code, message: expect.stringMatching(text) }))
  })

  it('refuses more layers for a branch', () => {
    const one = dense(2)
    new Merge([one, dense(2)])
    expect(() => one.add(new Dense(3))).toThrow(/part of another model/)
  })

  describe('takes a model that is reached twice, whose weights count once', () => {
    const over = (model: Layer, shape: number[] = [2]) =>
      new Sequential([new Reshape(shape, { inputShape: shape }), model])
    const words = () => new Sequential([new Embedding(9, 3, { inputLength: 6 })])
    const shapes: [string, () => Merge][] = [
      [
        'in two wrappers',
        () => {
          const c = dense(2)
          return new Merge([over(c), over(c)])
        },
      ],
      [
        'in three wrappers',
        () => {
          const c = dense(2)
          return new Merge([over(c), dense(2), over(c), over(c)])
        },
      ],
      [
        'and inside another',
        () => {
          const c = dense(2)
          return new Merge([c, new Sequential([c])])
        },
      ],
      [
        'first inside another',
        () => {
          const c = dense(2)
          return new Merge([new Sequential([c]), c])
        },
      ],
      [
        'in a Merge of a Merge',
        () => {
          const c = dense(2)
          return new Merge([new Sequential([new Merge([c, dense(2)])]), new Sequential([c])])
        },
      ],
      [
        'as an embedding under two recurrent layers',
        () => {
          const e = words()
          return new Merge([new Sequential([e, new GRU(2)]), new Sequential([e, new LSTM(2)])])
        },
      ],
      [
        'deep inside',
        () => {
          const c = dense(2)
          return new Merge([over(over(over(c))), over(over(c))])
        },
      ],
    ]
    it.each(shapes)('%s', (_, make) => {
      const model = new Sequential([make()])
      model.compile({ optimizer: 'sgd', loss: 'mse' })
      const names = model.kerasArrays().map(({ name }) => name)
      expect(names).toEqual([...new Set(names)])
      expect(model.countParams()).toBe(
        model.getWeights().reduce((sum, { data }) => sum + data.length, 0),
      )
    })

    it('but not as two branches', () => {
      const c = dense(2)
      expect(() => new Merge([c, c])).toThrow(/another model, got .* again/)
    })
  })

  it('takes branches that begin with a Merge', async () => {
    const inner = new Sequential([
      new Merge([dense(2), dense(2, 3)], { mode: 'mul' }),
      new Dense(4),
    ])
    const model = new Sequential([new Merge([inner, dense(4, 5)]), new Dense(1)])
    expect(model.inputShapes.map((shape) => shape[1])).toEqual([2, 3, 5])
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    const x = [2, 3, 5].map((width, i) => uniform(i, [6, width]))
    const { history } = await model.fit(x, uniform(9, [6, 1]), { nbEpoch: 3, verbose: 0 })
    expect(history.loss?.[2]).toBeLessThan(history.loss?.[0] as number)
    expect(model.flattenedLayers.map((layer) => layer.layerClass.className)).toEqual(
      Array(5).fill('Dense'),
    )
    const again = modelFromJson(model.toJson())
    again.setWeights(model.getWeights())
    expectSameBits(await again.predict(x), await model.predict(x))
  })

  it('sums over the axes that it is told', async () => {
    const identity = (steps: number, width: number) =>
      new Sequential([new Masking({ maskValue: 7, inputShape: [steps, width] })])
    const model = new Sequential([new Merge([identity(2, 3), identity(4, 3)], { mode: 'dot' })])
    expect(model.outputShape).toEqual([null, 2, 4])
    const [a, b] = [uniform(1, [2, 2, 3]), uniform(2, [2, 4, 3])]
    const y = await model.predict([a, b])
    const at = (s: number, i: number, j: number) =>
      [0, 1, 2].reduce(
        (sum, k) => sum + a.data[s * 6 + i * 3 + k]! * b.data[s * 12 + j * 3 + k]!,
        0,
      )
    const expected = Float32Array.from({ length: 16 }, (_, n) => at(n >> 3, (n >> 2) & 1, n & 3))
    expectClose(y, { data: expected, shape: [2, 2, 4] }, 1e-6)
  })

  it('is told from getLayer and summary as in Keras', () => {
    const model = merged()
    const merge = model.layers[0] as Merge
    expect([0, 1, 2, 3].map((index) => model.getLayer({ index })?.name)).toEqual([
      ...merge.branches.map((branch) => branch.name),
      merge.name,
      model.layers[1]?.name,
    ])
    expect(model.getLayer({ name: merge.branches[1]?.name as string })).toBe(merge.branches[1])
    expect(() => model.getLayer({ index: 4 })).toThrow(/from 0 to 3/)
    let text = ''
    model.summary({ print: (t) => void (text = t) })
    const names = text
      .split('\n')
      .filter((line) => /\(\w+\)/.test(line) && !line.startsWith('Layer'))
    expect(names.map((line) => /\((\w+)\)/.exec(line)?.[1])).toEqual([
      'GRU',
      'Embedding',
      'Flatten',
      'Dense',
      'Dense',
    ])
    expect(names[4]).toContain(`${merge.name}[0][0]`)
    expect(text).toContain(`Total params: ${model.countParams()}`)
  })

  it('trains on branches of double precision', async () => {
    const branch = () => new Sequential([new Dense(2, { inputDim: 2, dtype: 'float64' })])
    const model = new Sequential([
      new Merge([branch(), branch()], { mode: 'cos' }),
      new Flatten(),
      new Dense(1),
    ])
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    expect(
      await model.trainOnBatch([uniform(1, [4, 2]), uniform(2, [4, 2])], uniform(3, [4, 1])),
    ).toBeGreaterThan(0)
    expect(model.getWeights()[0]?.dtype).toBe('float64')
    expect(() => new Sequential([new Merge([branch(), dense(2)])])).toThrow(
      /A model computes in one precision/,
    )
  })
})

describe('files', () => {
  it('keep a model with a Merge, its optimizer and its weights', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'merge-'))
    try {
      const { x, y } = data()
      const model = merged()
      await model.fit(x, y, { nbEpoch: 2, verbose: 0 })
      const file = path.join(folder, 'm.h5')
      await model.save(file)
      const loaded = await loadModel(file)
      expectSameBits(await loaded.predict(x), await model.predict(x))
      for (const one of [model, loaded]) await one.trainOnBatch(x, y)
      expectAllSameBits(loaded.getWeights(), model.getWeights(), 'after one more step')
      await model.saveWeights(path.join(folder, 'w.h5'))
      const other = modelFromYaml(model.toYaml())
      await other.loadWeights(path.join(folder, 'w.h5'), { byName: true })
      expectAllSameBits(other.getWeights(), model.getWeights())
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('of a mode that is a function are refused', () => {
    const [{ class_name, config }] = merged().getConfig() as [
      { class_name: string; config: object },
    ]
    const bad = (more: object) => () =>
      Sequential.fromConfig([{ class_name, config: { ...config, ...more } }])
    expect(bad({ mode_type: 'lambda' })).toThrow(/mode_type must be "raw".*Python code/)
    expect(bad({ output_shape: [3] })).toThrow(/output_shape/)
    expect(bad({ layers: 3 })).toThrow(/layers must be a list/)
    expect(bad({ layers: [{ class_name: 'Sequential', config: {} }, 1] })).toThrow(
      /config of Sequential must be a list of layers/,
    )
  })

  it('with layers inside layers without end are refused', () => {
    let config: unknown = [{ class_name: 'Dense', config: { output_dim: 1, input_dim: 1 } }]
    for (let i = 0; i < 1000; i++) config = [{ class_name: 'Sequential', config }]
    const json = JSON.stringify({ class_name: 'Sequential', config })
    expect(() => modelFromJson(json)).toThrow(expect.objectContaining({ code: 'ERR_LIMIT' }))
    expect(() => modelFromJson(json, { limits: { depth: Number.POSITIVE_INFINITY } })).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION' }),
    )
  })
})

it('a branch of LSTM is trained', async () => {
  setSeed(1)
  const branch = () => new Sequential([new LSTM(3, { inputShape: [T, D] })])
  const model = new Sequential([new Merge([branch(), branch()], { mode: 'max' }), new Dense(1)])
  model.compile({ optimizer: 'adam', loss: 'mse' })
  const x = [uniform(1, [8, T, D]), uniform(2, [8, T, D])]
  const before = model.getWeights()
  await model.trainOnBatch(x, uniform(3, [8, 1]))
  const moved = model.getWeights().filter((w, i) => w.data.some((v, k) => v !== before[i]?.data[k]))
  expect(moved).toHaveLength(before.length)
})
