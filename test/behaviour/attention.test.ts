/** Attention beside its published formulas. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Attention,
  type AttentionOptions,
  AttentionPooling,
  Dense,
  GRU,
  Input,
  LSTM,
  Masking,
  Model,
  modelFromJson,
  Sequential,
  setFloatx,
  setSeed,
  SGD,
  type Tensor,
} from '../../lib/index.js'
import { type Plain, uniform } from '../arrays.js'

beforeAll(() => setFloatx('float64'))
afterAll(() => setFloatx('float32'))

const [B, S, T, D, A] = [3, 2, 4, 3, 5]
const queries = uniform(1, [B, S, D])
const values = uniform(2, [B, T, D])
// Of sample 1 the last step is masked, of sample 2 every step.
values.data.fill(0, (1 * T + 3) * D, (1 * T + 4) * D)
values.data.fill(0, 2 * T * D, 3 * T * D)
const isReal = (b: number, t: number) => b === 0 || (b === 1 && t < 3)

const row = ({ data, shape }: Plain, ...at: number[]): number[] => {
  const width = shape.at(-1)!
  const start = at.reduce((sum, i, axis) => sum * shape[axis]! + i, 0) * width
  return Array.from(data.slice(start, start + width))
}
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((s, x, i) => s + x * b[i]!, 0)
const times = (x: readonly number[], W: Plain) =>
  Array.from({ length: W.shape[1]! }, (_, j) =>
    dot(
      x,
      x.map((_x, i) => row(W, i)[j]!),
    ),
  )

type Score = (q: number[], k: number[], w: Plain[]) => number
const scores: Record<AttentionOptions['score'], Score> = {
  additive: (q, k, [W, U, v]) => {
    const [ofQ, ofK] = [times(q, W!), times(k, U!)]
    return dot(
      ofQ.map((x, i) => Math.tanh(x + ofK[i]!)),
      Array.from(v!.data),
    )
  },
  dot: (q, k) => dot(q, k),
  general: (q, k, [W]) => dot(times(q, W!), k),
}

/** Weights [T] of the real steps of sample b. */
function softmax(b: number, score: (t: number) => number): number[] {
  const all = Array.from({ length: T }, (_, t) => (isReal(b, t) ? Math.exp(score(t)) : 0))
  const sum = all.reduce((x, y) => x + y)
  return all.map((x) => (sum === 0 ? 0 : x / sum))
}
const mean = (b: number, shares: readonly number[]) =>
  Array.from({ length: D }, (_, d) => shares.reduce((s, w, t) => s + w * row(values, b, t)[d]!, 0))

const far = (a: ArrayLike<number>, b: readonly number[]) =>
  Math.max(...b.map((x, i) => Math.abs(x - a[i]!)))

function modelOf(options: Partial<AttentionOptions>, queryShape: number[]) {
  setSeed(1)
  const [q, v] = [Input({ shape: queryShape }), Input({ shape: [T, D] })]
  const layer = new Attention({ units: A, ...options, name: 'attention' })
  const model = new Model({ input: [q, v], output: layer.call([q, new Masking().call(v)]) })
  const weights = model.getWeights().map(({ shape }, i) => uniform(5 + i, [...shape]))
  model.setWeights(weights)
  return { model, weights }
}

describe.each(Object.entries(scores))('attention by %s', (name, score) => {
  const options = { score: name as AttentionOptions['score'] }
  const sharesOf = (q: number[], b: number, weights: Plain[]) =>
    softmax(b, (t) => score(q, row(values, b, t), weights))

  it('weighs the real values by the published scores', async () => {
    const { model, weights } = modelOf(options, [S, D])
    const look = modelOf({ ...options, returns: 'weights' }, [S, D])
    const all = Array.from({ length: B * S }, (_, i) => {
      const [b, s] = [Math.floor(i / S), i % S]
      return { b, shares: sharesOf(row(queries, b, s), b, weights) }
    })
    const y = await model.predict([queries, values])
    expect(y.shape).toEqual([B, S, D])
    expect(
      far(
        y.data,
        all.flatMap(({ b, shares }) => mean(b, shares)),
      ),
    ).toBeLessThan(1e-12)
    const shares = await look.model.predict([queries, values])
    expect(shares.shape).toEqual([B, S, T])
    expect(
      far(
        shares.data,
        all.flatMap((each) => each.shares),
      ),
    ).toBeLessThan(1e-12)
  })

  it('takes a single query', async () => {
    const { model, weights } = modelOf(options, [D])
    const single = uniform(3, [B, D])
    const y = await model.predict([single, values])
    const expected = Array.from({ length: B }, (_, b) =>
      mean(b, sharesOf(row(single, b), b, weights)),
    ).flat()
    expect(y.shape).toEqual([B, D])
    expect(far(y.data, expected)).toBeLessThan(1e-12)
  })

  it('has gradients that are differences of the loss', async () => {
    const { model } = modelOf(options, [S, D])
    const [q, v] = model.input as never as [Tensor, Tensor]
    const trained = new Model({ input: [q, v], output: new Dense(1).call(model.output as never) })
    trained.compile({ loss: 'mse', optimizer: new SGD({ lr: 1 }) })
    const y = uniform(4, [B, S, 1])
    const before = trained.getWeights().map((w) => ({ ...w, data: Float64Array.from(w.data) }))
    const loss = () => trained.evaluate([queries, values], y, { verbose: 0 }) as Promise<number>
    await trained.trainOnBatch([queries, values], y)
    const after = trained.getWeights()
    const h = 1e-5
    for (const [k, { data, shape }] of before.entries()) {
      const at = (3 * k) % data.length
      const losses: number[] = []
      for (const by of [h, -h]) {
        const moved = before.map((w) => ({ data: w.data.slice(), shape: w.shape }))
        moved[k]!.data[at]! += by
        trained.setWeights(moved)
        losses.push(await loss())
      }
      const gradient = data[at]! - after[k]!.data[at]!
      expect(Math.abs(gradient - (losses[0]! - losses[1]!) / (2 * h))).toBeLessThan(1e-8)
      expect(shape).toEqual(after[k]!.shape)
    }
  })

  it('comes back from JSON as its own class', async () => {
    const { model } = modelOf(options, [S, D])
    const copy = modelFromJson(model.toJson())
    copy.setWeights(model.getWeights())
    const layer = (copy as never as Model).getLayer({ name: 'attention' })!
    expect(layer).toBeInstanceOf(Attention)
    expect(layer.options).toMatchObject({ ...options, units: A, returns: 'context' })
    const [a, b] = await Promise.all(
      [model, copy].map((m) => m.predict([queries, values] as never)),
    )
    expect(a!.data).toEqual(b!.data)
  })
})

describe('attention pooling', () => {
  const layers = (more: object) => [
    new Masking({ inputShape: [T, D] }),
    new AttentionPooling({ units: A, ...more }),
  ]
  it('is the mean of real steps, weighted by what it learns', async () => {
    const model = new Sequential(layers({}))
    const [W, b, v] = model.getWeights().map(({ shape }, i) => uniform(5 + i, [...shape]))
    model.setWeights([W!, b!, v!])
    const y = await model.predict(values)
    const expected = Array.from({ length: B }, (_, n) => {
      const score = (t: number) =>
        dot(
          times(row(values, n, t), W!).map((x, i) => Math.tanh(x + b!.data[i]!)),
          Array.from(v!.data),
        )
      return softmax(n, score)
    })
    expect(
      far(
        y.data,
        expected.flatMap((shares, n) => mean(n, shares)),
      ),
    ).toBeLessThan(1e-12)
    const look = new Sequential(layers({ returns: 'weights' }))
    look.setWeights(model.getWeights())
    expect(far((await look.predict(values)).data, expected.flat())).toBeLessThan(1e-12)
  })
})

describe('what attention refuses', () => {
  const [q, v] = [Input({ shape: [S, D] }), Input({ shape: [T, 4] })]
  it.each([
    [
      () => new Attention().call(q),
      /Attention: inputs must be two tensors: \[query, values\], got 1/,
    ],
    [
      () => new Attention({ score: 'dot' }).call([q, v]),
      /inputs must be \[B, S, Dq\] or \[B, Dq\], and \[B, T, D\] with D = Dq, got \[B, 2, 3\] and \[B, 4, 4\]/,
    ],
    [
      () => new Attention().call([q, new LSTM(2).call(v)]),
      /Does the layer before it need returnSequences: true\?/,
    ],
    [
      () => new Attention({ score: 'cosine' as never }).call([q, v]),
      /score must be 'additive' or 'dot' or 'general', got the string 'cosine'/,
    ],
    [
      () => new AttentionPooling().call(new GRU(2).call(v)),
      /AttentionPooling: input must be \[B, T, D\], got \[B, 2\]/,
    ],
  ])('%#', (make, message) => {
    expect(make).toThrow(message)
  })
})
