/**
 * Layers over images against Keras' formulas written down plainly: both orders of axes, weights in
 * Keras' order, and files that were trained on TensorFlow. Golden data hold no 2-D layers.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { uniform } from '../arrays.js'
import * as main from '../package.js'

const {
  AveragePooling2D,
  Convolution1D,
  Convolution2D,
  ConvLSTM2D,
  Dense,
  Flatten,
  GlobalMaxPooling1D,
} = main
const {
  Embedding,
  MaxPooling2D,
  Reshape,
  Sequential,
  TimeDistributed,
  UpSampling2D,
  ZeroPadding2D,
} = main

type Ordering = 'tf' | 'th'
/** [rows][columns][channels] */
type Image = number[][][]

const root = mkdtempSync(path.join(tmpdir(), 'hs-images-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const image = (rows: number, columns: number, value: (r: number, c: number) => number[]): Image =>
  Array.from({ length: rows }, (_, r) => Array.from({ length: columns }, (_, c) => value(r, c)))
/** Channels last, of a nested array in either order. */
const last = (x: unknown, ordering: Ordering): Image => {
  if (ordering === 'tf') return x as Image
  const planes = x as number[][][]
  return image(planes[0]!.length, planes[0]![0]!.length, (r, c) =>
    planes.map((plane) => plane[r]![c]!),
  )
}
const numbers = (x: Image): number[] => x.flat(2)

/** Theano's convolution of an image with Keras' kernel: flipped, zeros around. */
function convolve(
  x: Image,
  kernel: unknown,
  ordering: Ordering,
  border: string,
  subsample: readonly number[],
): Image {
  const k = kernel as number[][][][]
  const [tall, wide] =
    ordering === 'th' ? [k[0]![0]!.length, k[0]![0]![0]!.length] : [k.length, k[0]!.length]
  const filters = ordering === 'th' ? k.length : k[0]![0]![0]!.length
  const weight = (i: number, j: number, d: number, n: number) =>
    ordering === 'th' ? k[n]![d]![i]![j]! : k[i]![j]![d]![n]!
  const extent = (n: number, span: number, stride: number) => {
    const places = border === 'same' ? n : border === 'full' ? n + span - 1 : n - span + 1
    return Math.ceil(places / stride)
  }
  const pad = (span: number) =>
    border === 'same' ? Math.floor(span / 2) : border === 'full' ? span - 1 : 0
  const [down = 1, across = 1] = subsample
  return image(extent(x.length, tall, down), extent(x[0]!.length, wide, across), (r, c) =>
    Array.from({ length: filters }, (_, n) => {
      let sum = 0
      for (let i = 0; i < tall; i++) {
        for (let j = 0; j < wide; j++) {
          const place = x[r * down + i - pad(tall)]?.[c * across + j - pad(wide)] ?? []
          for (const [d, v] of place.entries()) sum += v * weight(tall - 1 - i, wide - 1 - j, d, n)
        }
      }
      return sum
    }),
  )
}

/** convolutional_recurrent.py, `step`, over the steps of one sample; `weights` in Keras' order. */
function convLstm(
  steps: Image[],
  weights: unknown[],
  ordering: Ordering,
  border: string,
  subsample: readonly number[],
) {
  const hard = (v: number) => Math.min(1, Math.max(0, 0.2 * v + 0.5))
  const [Wi, Ui, bi, Wc, Uc, bc, Wf, Uf, bf, Wo, Uo, bo] = weights
  let h = convolve(steps[0]!, Wi, ordering, border, subsample).map((row) =>
    row.map((p) => p.map(() => 0)),
  )
  let c = h
  return steps.map((x) => {
    const gate = (W: unknown, U: unknown, b: unknown, f: (v: number) => number) => {
      const wx = convolve(x, W, ordering, border, subsample)
      const uh = convolve(h, U, ordering, 'same', [1, 1])
      return wx.map((row, r) =>
        row.map((p, q) => p.map((v, n) => f(v + uh[r]![q]![n]! + (b as number[])[n]!))),
      )
    }
    const i = gate(Wi, Ui, bi, hard)
    const f = gate(Wf, Uf, bf, hard)
    const g = gate(Wc, Uc, bc, Math.tanh)
    const o = gate(Wo, Uo, bo, hard)
    c = c.map((row, r) =>
      row.map((p, q) => p.map((v, n) => f[r]![q]![n]! * v + i[r]![q]![n]! * g[r]![q]![n]!)),
    )
    h = c.map((row, r) => row.map((p, q) => p.map((v, n) => o[r]![q]![n]! * Math.tanh(v))))
    return h
  })
}

/** Weights that are not zero anywhere, biases too. */
function shaken(model: main.Sequential): void {
  model.setWeights(
    model.getWeights().map((w, i) => ({ ...uniform(40 + i, [...w.shape]), shape: [...w.shape] })),
  )
}
const close = (got: readonly number[], expected: readonly number[]) => {
  expect(got.length).toBe(expected.length)
  const most = Math.max(...got.map((v, i) => Math.abs(v - expected[i]!)))
  expect(most).toBeLessThan(2e-6)
}
const nested = (x: { toArray(): unknown }) => x.toArray() as unknown[]

const B = 2
const channelled = (ordering: Ordering, rows: number, columns: number, D: number) =>
  ordering === 'th' ? [D, rows, columns] : [rows, columns, D]

describe.each(['tf', 'th'] as const)("dimOrdering '%s'", (dimOrdering) => {
  const inputShape = channelled(dimOrdering, 5, 4, 2)
  const x = main.NDArray.from(uniform(3, [B, ...inputShape]).data, [B, ...inputShape])
  const run = async (layer: main.Layer, data = x) => {
    const model = new Sequential([layer])
    shaken(model)
    const y = await model.predict(data)
    expect(y.shape.slice(1)).toEqual(model.outputShape?.slice(1))
    return { model, y: nested(y).map((sample) => numbers(last(sample, dimOrdering))) }
  }
  const samples = nested(x).map((sample) => last(sample, dimOrdering))

  test.each([
    ['valid', [1, 1]],
    ['same', [2, 1]],
    ['full', [1, 3]],
  ] as const)('Convolution2D %s', async (borderMode, subsample) => {
    const { model, y } = await run(
      new Convolution2D(3, 3, 2, { borderMode, subsample, dimOrdering, inputShape }),
    )
    const [W, b] = model.getWeights().map((w) => w.toArray())
    for (const [i, sample] of samples.entries()) {
      const z = convolve(sample, W, dimOrdering, borderMode, subsample)
      close(
        y[i]!,
        numbers(z.map((row) => row.map((p) => p.map((v, n) => v + (b as number[])[n]!)))),
      )
    }
  })

  test('pooling, padding and upsampling', async () => {
    const { y: most } = await run(
      new MaxPooling2D({ poolSize: [2, 3], strides: [1, 1], dimOrdering, inputShape }),
    )
    const { y: mean } = await run(new AveragePooling2D({ dimOrdering, inputShape }))
    const { y: wide } = await run(
      new ZeroPadding2D({ padding: { topPad: 1, leftPad: 2 }, dimOrdering, inputShape }),
    )
    const { y: large } = await run(new UpSampling2D({ size: [2, 3], dimOrdering, inputShape }))
    for (const [i, s] of samples.entries()) {
      const under = (r: number, c: number, tall: number, across: number, d: number) =>
        s.slice(r, r + tall).flatMap((row) => row.slice(c, c + across).map((p) => p[d]!))
      close(
        most[i]!,
        numbers(image(4, 2, (r, c) => [0, 1].map((d) => Math.max(...under(r, c, 2, 3, d))))),
      )
      close(
        mean[i]!,
        numbers(
          image(2, 2, (r, c) =>
            [0, 1].map((d) => under(2 * r, 2 * c, 2, 2, d).reduce((a, b) => a + b) / 4),
          ),
        ),
      )
      close(wide[i]!, numbers(image(6, 6, (r, c) => s[r - 1]?.[c - 2] ?? [0, 0])))
      close(large[i]!, numbers(image(10, 12, (r, c) => s[Math.floor(r / 2)]![Math.floor(c / 3)]!)))
    }
  })

  const T = 3
  const sequence = [T, ...inputShape]
  const movie = main.NDArray.from(uniform(7, [B, ...sequence]).data, [B, ...sequence])
  const frames = (nested(movie) as unknown[][]).map((sample) =>
    sample.map((frame) => last(frame, dimOrdering)),
  )

  test.each([
    { borderMode: 'same', subsample: [1, 1], returnSequences: true },
    { borderMode: 'valid', subsample: [2, 1], returnSequences: false },
    { borderMode: 'full', subsample: [1, 1], returnSequences: true, goBackwards: true },
  ] as const)('ConvLSTM2D %o', async (options) => {
    const model = new Sequential([
      new ConvLSTM2D(3, 2, 3, { ...options, dimOrdering, inputShape: sequence }),
    ])
    shaken(model)
    const y = await model.predict(movie)
    expect(y.shape.slice(1)).toEqual(model.outputShape?.slice(1))
    const weights = model.getWeights().map((w) => w.toArray())
    for (const [i, sample] of nested(y).entries()) {
      const order = 'goBackwards' in options ? [...frames[i]!].reverse() : frames[i]!
      const all = convLstm(order, weights, dimOrdering, options.borderMode, options.subsample)
      const expected = options.returnSequences ? all : all.slice(-1)
      const got = options.returnSequences ? (sample as unknown[]) : [sample]
      close(
        got.flatMap((frame) => numbers(last(frame, dimOrdering))),
        expected.flatMap(numbers),
      )
    }
  })

  test('ConvLSTM2D goes on where the batch before stopped', async () => {
    const layer = (steps: number, stateful: boolean) =>
      new ConvLSTM2D(2, 2, 2, {
        dimOrdering,
        borderMode: 'same',
        stateful,
        batchInputShape: [B, steps, ...inputShape],
      })
    const whole = new Sequential([layer(T, false)])
    const parts = new Sequential([layer(1, true)])
    parts.setWeights(whole.getWeights())
    const y = await whole.predict(movie)
    const steps = nested(movie) as unknown[][]
    const run = async () => {
      let z = y
      for (let t = 0; t < T; t++)
        z = await parts.predict(steps.map((s) => [s[t]]) as never, { batchSize: B })
      return z
    }
    close([...(await run()).data], [...y.data])
    parts.resetStates()
    close([...(await run()).data], [...y.data])
    expect(Sequential.fromConfig(parts.getConfig()).getConfig()).toEqual(parts.getConfig())
  })
})

test('a masked step is as if it were not there', async () => {
  const words = [
    [1, 2, 0],
    [1, 2, 3],
  ]
  const model = new Sequential([
    new Embedding(5, 12, { maskZero: true, inputLength: 3 }),
    new TimeDistributed(new Reshape([3, 2, 2])),
    new ConvLSTM2D(2, 2, 2, { borderMode: 'same' }),
  ])
  const short = new Sequential([
    new Embedding(5, 12, { inputLength: 2 }),
    new TimeDistributed(new Reshape([3, 2, 2])),
    new ConvLSTM2D(2, 2, 2, { borderMode: 'same' }),
  ])
  short.setWeights(model.getWeights())
  const y = await model.predict(words)
  close([...y.slice(0, 1).data], [...(await short.predict([[1, 2]])).data])
  expect([...y.slice(1, 2).data]).not.toEqual([...y.slice(0, 1).data])
})

test('a model of them learns', async () => {
  main.setSeed(5)
  const model = new Sequential([
    new ConvLSTM2D(3, 3, 3, {
      borderMode: 'same',
      dropoutW: 0.1,
      dropoutU: 0.1,
      inputShape: [4, 6, 6, 1],
    }),
    new MaxPooling2D(),
    new Flatten(),
    new Dense(1, { activation: 'sigmoid' }),
  ])
  model.compile({ loss: 'binary_crossentropy', optimizer: new main.Adam({ lr: 0.02 }) })
  // A bright spot that moves right, or does not.
  const N = 48
  const x = main.NDArray.from(new Float32Array(N * 4 * 36), [N, 4, 6, 6, 1])
  const y = Float32Array.from({ length: N }, (_, n) => n % 2)
  for (let n = 0; n < N; n++)
    for (let t = 0; t < 4; t++) x.data[(n * 4 + t) * 36 + (n % 6) * 6 + (n % 2 ? t : 1)] = 1
  const history = await model.fit(x, main.NDArray.from(y, [N, 1]), {
    nbEpoch: 40,
    batchSize: 16,
    verbose: 0,
  })
  const { loss = [] } = history.history
  expect(loss.at(-1)).toBeLessThan(0.3 * (loss[0] as number))
})

test('ConvLSTM2D says why it has no zoneout', () => {
  const options = { zoneout: 0.1 } as object
  expect(() => new ConvLSTM2D(2, 2, 2, options)).toThrow(
    expect.objectContaining({
      code: 'ERR_OPTION',
      message:
        'ConvLSTM2D: zoneout must be left out, got 0.1. It needs the step as an expression, and there are no convolutions in expressions.',
    }),
  )
})

describe('files', () => {
  const make = () =>
    new Sequential([
      new ConvLSTM2D(2, 2, 3, {
        dimOrdering: 'th',
        returnSequences: true,
        inputShape: [3, 1, 4, 5],
        borderMode: 'same',
      }),
      new TimeDistributed(new Convolution2D(3, 2, 2, { dimOrdering: 'th' })),
      new TimeDistributed(new Convolution2D(2, 3, 1)),
      new Reshape([3, 6]),
      new Convolution1D(2, 2),
      new GlobalMaxPooling1D(),
    ])
  const x = main.NDArray.from(uniform(9, [2, 3, 1, 4, 5]).data, [2, 3, 1, 4, 5])
  const y = main.NDArray.from(uniform(10, [2, 2]).data, [2, 2])

  /** Keras' convert_kernel, on nested arrays. */
  const flip = (kernel: unknown, th: boolean): unknown => {
    const k = kernel as number[][][][]
    if (!th) return [...k].reverse().map((row) => [...row].reverse())
    return k.map((a) => a.map((plane) => [...plane].reverse().map((row) => [...row].reverse())))
  }
  const flipped = (model: main.Sequential) =>
    model.layers.flatMap((layer) => {
      const inner = (layer as { layer?: main.Layer }).layer ?? layer
      const th = (inner.options as { dimOrdering?: string }).dimOrdering === 'th'
      return layer
        .getWeights()
        .map((w) => (w.shape.length === 4 ? flip(w.toArray(), th) : w.toArray()))
    })

  test("backend 'tensorflow' turns kernels and what the optimizer keeps for them", async () => {
    const model = make()
    model.compile({ loss: 'mse', optimizer: new main.SGD({ lr: 0.05, momentum: 0.9 }) })
    await model.trainOnBatch(x, y)
    await model.trainOnBatch(x, y)
    const here = path.join(root, 'here.h5')
    const there = path.join(root, 'there.h5')
    await model.save(here)
    const other = await main.loadModel(here, { backend: 'tensorflow' })
    expect(other.getWeights().map((w) => w.toArray())).toEqual(flipped(model))
    await other.save(there) // what TensorFlow would have written for this model
    const back = await main.loadModel(there, { backend: 'tensorflow' })
    expect(back.getWeights()).toEqual(model.getWeights())
    const loss = await model.trainOnBatch(x, y)
    expect(await back.trainOnBatch(x, y)).toBe(loss)
    expect(back.getWeights()).toEqual(model.getWeights()) // the velocities too
    expect(await other.trainOnBatch(x, y)).not.toBe(loss)
    const fresh = make()
    await fresh.loadWeights(there, { backend: 'tensorflow' })
    expect(fresh.getWeights()).toEqual((await main.loadModel(here)).getWeights())
    await expect(main.loadModel(here, { backend: 'cntk' as never })).rejects.toThrow(
      "backend must be 'theano' or 'tensorflow'",
    )
    for (const m of [model, other, back]) m.dispose()
  })
})
