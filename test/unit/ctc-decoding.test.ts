/** `ctcBatchCost`, `ctcDecode` and `ctcLabelDenseToSparse` of hiddenstate/backend. */
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { load } from '../golden/loader.js'
import { random } from '../arrays.js'
import { array, Dense, Sequential, setFloatx, TimeDistributed, backend, ctc } from '../package.js'

const { ctcBatchCost, ctcDecode, ctcLabelDenseToSparse } = backend

interface Golden {
  shape: number[]
  data: Float32Array | Float64Array | Int32Array
}
interface CtcCase {
  name: string
  y_true: Golden
  y_pred: Golden
  logits: Golden
  input_length: Golden
  label_length: Golden
  torch_blank_last: (number | 'inf')[]
  torch_grad_logits_blank_last: Golden
  torch_grad_logits_blank_0: Golden
  [field: string]: unknown
}
const golden = load<CtcCase>('j_ctc', 'float32')
const exact = (costs: (number | 'inf')[]): number[] =>
  costs.map((v) => (v === 'inf' ? Infinity : v))

/** Classes with the last in front of the others. */
function rolled({ data, shape }: Golden): Golden {
  const K = shape.at(-1)!
  const moved = data.slice()
  for (let i = 0; i < data.length; i++) moved[i - (i % K) + (((i % K) + 1) % K)] = data[i]!
  return { data: moved, shape }
}

describe("PyTorch's costs and gradients", () => {
  it('there are 40 cases, some of them impossible', () => {
    expect(golden.length).toBe(40)
    expect(golden.filter((c) => c.torch_blank_last.includes('inf')).length).toBeGreaterThan(1)
  })

  it.each(golden.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const expected = exact(c.torch_blank_last)
    const lengths = [c.input_length, c.label_length] as const
    const last = await ctcBatchCost(c.y_true, c.y_pred, ...lengths)
    expect(last.shape).toEqual([expected.length, 1])
    const labels = { ...c.y_true, data: c.y_true.data.map((k) => k + 1) }
    const first = await ctcBatchCost(labels, rolled(c.y_pred), ...lengths, { blank: 0 })
    for (const [b, cost] of expected.entries()) {
      // y_pred is rounded to float32
      for (const { data } of [last, first])
        if (cost === Infinity) expect(data[b]).toBe(Infinity)
        else expect(Math.abs(data[b]! - cost)).toBeLessThan(1e-5 * Math.max(1, cost))
    }
  })

  it.each(golden.map((c) => [c.name, c] as const))('gradients of %s', async (_, c) => {
    setFloatx('float64')
    try {
      const [B, T, K] = c.logits.shape as [number, number, number]
      for (const blank of [null, 0]) {
        const logits = blank === null ? c.logits : rolled(c.logits)
        const wanted = blank === null ? c.torch_grad_logits_blank_last : c.torch_grad_logits_blank_0
        for (let b = 0; b < B; b++) {
          // one frame after the other as a row of one-hot input, so that W is the logits
          const steps = c.input_length.data[b]!
          const dense = new Dense(K, { activation: 'softmax', bias: false })
          const model = new Sequential([new TimeDistributed(dense, { inputShape: [steps, steps] })])
          const from = b * T * K
          model.setWeights([array(logits.data.slice(from, from + steps * K), [steps, K])])
          model.compile({ optimizer: 'sgd', loss: ctc({ blank, zeroInfinity: true }) })
          const L = c.y_true.shape[1]!
          const shift = blank === null ? 0 : 1
          const label = Array.from(
            c.y_true.data.slice(b * L, b * L + c.label_length.data[b]!),
            (k) => k + shift,
          )
          const frames = new Float64Array(steps * steps)
          for (let t = 0; t < steps; t++) frames[t * steps + t] = 1
          const x = { data: frames, shape: [1, steps, steps] }
          const [gradient] = await model.gradients(x, [label])
          for (let i = 0; i < steps * K; i++)
            expect(Math.abs(gradient!.data[i]! - wanted.data[from + i]!)).toBeLessThan(1e-10)
          const cost = await model.testOnBatch(x, [label])
          const expected = exact(c.torch_blank_last)[b]!
          expect(cost).toBeCloseTo(expected === Infinity ? 0 : expected, 9)
        }
      }
    } finally {
      setFloatx('float32')
    }
  })
})

const half = [0.5, 0.5]

describe('ctcBatchCost', () => {
  it('takes lengths as vectors or columns, or none, and labels of any length', async () => {
    const p = [
      [half, half, half],
      [half, half, half],
    ]
    const padded = [
      [0, 0],
      [0, -1],
    ]
    const all = await Promise.all([
      ctcBatchCost(padded, p, [3, 3], [2, 1]),
      ctcBatchCost(padded, p, [[3], [3]], [[2], [1]]),
      ctcBatchCost(padded, p),
      ctcBatchCost([[0, 0], [0]] as number[][], p),
    ])
    for (const cost of all) expect(cost).toEqual(all[0])
    // 1 path of 8 is 0 - 0; 6 of 8 are one run of 0
    expect(Array.from(all[0]!.data, (c) => Math.exp(-c).toFixed(4))).toEqual(['0.1250', '0.7500'])
    expect((await ctcBatchCost([[0]], [[half, half]], [1])).data[0]).toBeCloseTo(Math.log(2), 12)
  })

  it('divides a frame by its sum', async () => {
    const a = await ctcBatchCost([[0]], [[[1, 3]]])
    expect(a.data[0]).toBeCloseTo(-Math.log(0.25), 12)
  })

  it.each([
    [() => ctcBatchCost([[0]], [half] as never), /yPred must be \[B, T, K\]/],
    [() => ctcBatchCost([[0], [0]], [[half]]), /yTrue must be \[1, L\]/],
    [
      () => ctcBatchCost([[1]], [[half]]),
      /label 0 of sample 0 must be an integer from 0 to 1 other than 1, the blank, got 1/,
    ],
    [() => ctcBatchCost([[0.5]], [[half]]), /label 0 of sample 0/],
    [() => ctcBatchCost([[0]], [[half]], [2]), /inputLength must be integers from 0 to 1, got 2/],
    [() => ctcBatchCost([[0]], [[half]], [1, 1]), /inputLength must be \[1\] or \[1, 1\]/],
    [
      () => ctcBatchCost([[0]], [[half]], [1], [2]),
      /labelLength must be integers from 0 to 1, got 2/,
    ],
    [
      () => ctcBatchCost([[0]], [[[Number.NaN, 1]]]),
      /yPred of sample 0, frame 0 must be probabilities/,
    ],
    [() => ctcBatchCost([[0]], [[[0, 0]]]), /probabilities: numbers from 0, not all 0/],
    [() => ctcBatchCost([[0]], [[[-1, 2]]]), /probabilities/],
    [() => ctcBatchCost([[0]], [[half]], [1], [1], { blank: 2 }), /blank must be a class/],
    [() => ctcBatchCost([[0]], [[half]], [1], [1], { blnk: 0 } as never), /blnk/],
  ] as const)('refuses what it cannot use, %#', async (call, message) => {
    await expect(call()).rejects.toThrow(message)
  })

  it('rejects with the reason of a signal', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(ctcBatchCost([[0]], [[half]], null, null, { signal })).rejects.toThrow('enough')
  })
})

/** Outputs of a net that is not sure, [B, T, K]. */
function outputs(seed: number, B: number, T: number, K: number) {
  const next = random(seed)
  const data = Float32Array.from({ length: B * T * K }, () => Math.exp(6 * next()))
  for (let row = 0; row < B * T; row++) {
    const part = data.subarray(row * K, (row + 1) * K)
    const sum = part.reduce((a, b) => a + b, 0)
    for (const [k, v] of part.entries()) part[k] = v / sum
  }
  return { data, shape: [B, T, K] }
}

describe('ctcDecode', () => {
  it('greedy: the best path, merged, without blanks; with its probability', async () => {
    const one = (k: number) => [0, 1, 2].map((j) => (j === k ? 0.8 : 0.1))
    const p = [[0, 0, 2, 0, 1, 1].map(one), [2, 2, 2, 1, 0, 0].map(one)]
    const [[labels], logProb] = await ctcDecode(p, [6, 4])
    expect(labels!.toArray()).toEqual([
      [0, 0, 1],
      [1, -1, -1],
    ])
    expect(labels!.data).toBeInstanceOf(Int32Array)
    expect(logProb.shape).toEqual([2, 1])
    expect(logProb.data[0]).toBeCloseTo(6 * Math.log(0.8), 6)
    expect(logProb.data[1]).toBeCloseTo(4 * Math.log(0.8), 6)
    const [[first]] = await ctcDecode(p, null, { blank: 0 })
    expect(first!.toArray()).toEqual([
      [2, 1],
      [2, 1],
    ])
  })

  it('search: labels with the probabilities that ctcBatchCost gives them', async () => {
    const p = outputs(1, 3, 12, 5)
    const [paths, logProb] = await ctcDecode(p, [12, 5, 0], {
      greedy: false,
      beamWidth: 50,
      topPaths: 4,
    })
    expect(paths.length).toBe(4)
    for (const [i, labels] of paths.entries()) {
      const costs = await ctcBatchCost(labels, p, [12, 5, 0])
      for (let b = 0; b < 2; b++) expect(logProb.get(b, i)).toBeCloseTo(-costs.get(b, 0), 10)
      if (i > 0) expect(logProb.get(0, i)).toBeLessThanOrEqual(logProb.get(0, i - 1))
    }
    // no frames: the empty label, and no other
    expect([0, 1, 2, 3].map((i) => logProb.get(2, i))).toEqual([0, -Infinity, -Infinity, -Infinity])
    const [[greedy]] = await ctcDecode(p, [12, 5, 0])
    const ofGreedy = await ctcBatchCost(greedy!, p, [12, 5, 0])
    expect(logProb.get(0, 0)).toBeGreaterThanOrEqual(-ofGreedy.get(0, 0) - 1e-9)
  })

  it('a language model as n-grams or as a function changes the choice', async () => {
    // a or b, about as likely, after c
    const p = [
      [
        [0.05, 0.05, 0.85, 0.05],
        [0.45, 0.46, 0.04, 0.05],
      ],
    ] // prettier-ignore
    const arpa = [
      '\\data\\',
      'ngram 1=3',
      '\\1-grams:',
      '-0.5 a',
      '-0.5 b',
      '-0.5 c',
      '\\2-grams:',
      '-0.1 c a',
      '-2 c b',
      '\\end\\',
    ].join('\n')
    const labels = ['a', 'b', 'c', '']
    const decode = async (options: object) => {
      const [[found]] = await ctcDecode(p, null, { greedy: false, ...options })
      return found!.toArray()
    }
    expect(await decode({})).toEqual([[2, 1]])
    expect(await decode({ languageModel: { arpa, labels } })).toEqual([[2, 0]])
    expect(await decode({ languageModel: { arpa, labels, weight: 0 } })).toEqual([[2, 1]])
    const asked: number[][] = []
    const score = (prefix: readonly number[]) => {
      asked.push([...prefix])
      return prefix.at(-1) === 2 ? [-0.2, -5, -1, 0] : [-1, -1, -1, 0]
    }
    expect(await decode({ languageModel: { score } })).toEqual([[2, 0]])
    expect(asked[0]).toEqual([])
    const later = async (prefix: readonly number[]) => {
      await setImmediate()
      return score(prefix)
    }
    expect(await decode({ languageModel: { score: later } })).toEqual([[2, 0]])
    // a bonus for labels makes them longer
    expect(await decode({ languageModel: { score: () => [0, 0, 0, 0], bonus: -10 } })).toEqual([[]])
  })

  it('words are scored when they end', async () => {
    // "ab" or "aa", then the separator
    const p = [
      [
        [0.9, 0.05, 0.02, 0.03],
        [0.02, 0.02, 0.02, 0.94],
        [0.51, 0.45, 0.02, 0.02],
        [0.03, 0.02, 0.9, 0.05],
      ],
    ] // prettier-ignore
    const arpa = '\\data\\\nngram 1=2\n\\1-grams:\n-0.1 ab\n-3 aa\n\\end\\\n'
    const languageModel = { arpa, labels: ['a', 'b', ' ', ''], unit: 'word' } as const
    const [[without]] = await ctcDecode(p, null, { greedy: false })
    expect(without!.toArray()).toEqual([[0, 0, 2]])
    const [[found]] = await ctcDecode(p, null, { greedy: false, languageModel })
    expect(found!.toArray()).toEqual([[0, 1, 2]])
  })

  it('leaves the event loop free, and stops when told to', async () => {
    const p = outputs(3, 1, 3000, 40) // minutes, if nothing stopped it
    const stop = new AbortController()
    let ticks = 0
    const timer = setInterval(() => {
      if (++ticks === 3) stop.abort(new Error('enough'))
    }, 1)
    try {
      const options = { greedy: false, beamWidth: 3000, signal: stop.signal }
      await expect(ctcDecode(p, null, options)).rejects.toThrow('enough')
      expect(ticks).toBeGreaterThanOrEqual(3)
    } finally {
      clearInterval(timer)
    }
    // and works on
    expect((await ctcDecode(outputs(4, 1, 5, 3)))[1].shape).toEqual([1, 1])
  })

  const p = outputs(5, 1, 4, 3)
  const labels = ['a', 'b', '']
  const search = (languageModel: unknown) => () =>
    ctcDecode(p, null, { greedy: false, languageModel: languageModel as never })
  it.each([
    [() => ctcDecode(p, null, { topPaths: 2 }), /topPaths must be 1 with greedy: true, got 2/],
    [
      () => ctcDecode(p, null, { greedy: false, beamWidth: 2, topPaths: 3 }),
      /topPaths must be at most beamWidth, 2/,
    ],
    [() => ctcDecode(p, null, { greedy: false, beamWidth: 0 }), /beamWidth/],
    [() => ctcDecode(p, null, { greedy: false, beamWidth: 2 ** 40 }), /ctcDecode/],
    [() => ctcDecode(p, [5]), /inputLength must be integers from 0 to 4/],
    [
      () => ctcDecode(p, null, { languageModel: { score: () => [0, 0, 0] } }),
      /languageModel must be null with greedy: true/,
    ],
    [search({ score: 3 }), /score must be a function/],
    [search({ score: () => [0] }), /what score gives must be 3 numbers/],
    [search({ score: () => [0, Number.NaN, 0] }), /score of class 1 must be a logarithm/],
    [
      search({
        score: () => {
          throw new Error('of the model')
        },
      }),
      /of the model/,
    ], // prettier-ignore
    [search({ arpa: 'hello', labels }), /languageModel.arpa: line 1 must be/],
    [search({ arpa: '\\data\\', labels: ['a'] }), /labels must be 3 texts/],
    [search({ arpa: '\\data\\', labels, unit: 'word' }), /separator must be one of labels/],
    [search({ arpa: '\\data\\', labels, unit: 'phone' }), /unit must be 'label' or 'word'/],
    [search({ arpa: '\\data\\', labels, weight: Number.NaN }), /weight must be a finite number/],
    [search({ text: '' }), /unknown option `text`/],
  ] as const)('refuses what it cannot use, %#', async (call, message) => {
    await expect(call()).rejects.toThrow(
      expect.objectContaining({ message: expect.stringMatching(message) }),
    )
  })
})

describe('ctcLabelDenseToSparse', () => {
  it('gives places and values', () => {
    const { indices, values, shape } = ctcLabelDenseToSparse(
      [
        [4, 5, 0],
        [6, 0, 0],
      ],
      [[2], [0]],
    ) // prettier-ignore
    expect(indices.toArray()).toEqual([
      [0, 0],
      [0, 1],
    ]) // prettier-ignore
    expect(values.toArray()).toEqual([4, 5])
    expect(shape).toEqual([2, 3])
    expect(() => ctcLabelDenseToSparse([1] as never, [1])).toThrow(/labels must be \[B, L\]/)
    expect(() => ctcLabelDenseToSparse([[1]], [2])).toThrow(/labelLengths must be integers/)
  })
})
