/** The loss 'ctc' in a model: targets, masks, weights, errors, files (decision 0045). */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { integers, type Plain, uniform } from '../arrays.js'
import {
  Activation,
  array,
  Bidirectional,
  Convolution1D,
  ctc,
  Dense,
  Embedding,
  floatx,
  GRU,
  Input,
  labelErrorRate,
  LSTM,
  loadModel,
  Masking,
  Model,
  Ragged,
  Sequential,
  setFloatx,
  setSeed,
  TimeDistributed,
} from '../package.js'

const quiet = { verbose: 0 } as const
const [N, T, D, K] = [6, 9, 3, 4]
const x = uniform(1, [N, T, D])
const labels = [[0, 1], [2], [], [1, 1, 1], [0, 1, 2, 0], [2, 2]]

const recogniser = (loss: 'ctc' | ReturnType<typeof ctc> = 'ctc', masked = false): Sequential => {
  setSeed(3)
  const model = new Sequential([
    ...(masked ? [new Masking({ inputShape: [null, D] })] : []),
    new Bidirectional(
      new GRU(5, { returnSequences: true }),
      masked ? {} : { inputShape: [null, D] },
    ),
    new TimeDistributed(new Dense(K, { activation: 'softmax' })),
  ])
  model.compile({ optimizer: 'sgd', loss, metrics: ['label_error_rate'] })
  return model
}

/** A net whose softmax gets just the logits that it is given, as its weights: [T, K]. */
function givenLogits(logits: number[][], loss = ctc()): { model: Sequential; frames: Plain } {
  const steps = logits.length
  const dense = new Dense(logits[0]!.length, { activation: 'softmax', bias: false })
  const model = new Sequential([new TimeDistributed(dense, { inputShape: [steps, steps] })])
  model.setWeights([logits])
  model.compile({ optimizer: 'sgd', loss })
  const data = new Float32Array(steps * steps)
  for (let t = 0; t < steps; t++) data[t * steps + t] = 1
  return { model, frames: { data, shape: [1, steps, steps] } }
}

describe('the cost', () => {
  it('is -log of the sum over paths, by hand', async () => {
    // two frames, label a: (a a), (a -), (- a), of which each frame has the shares 1/2 and 1/2
    const { model, frames } = givenLogits([
      [0, 0],
      [0, 0],
    ])
    expect(await model.testOnBatch(frames, [[0]])).toBeCloseTo(-Math.log(3 / 4), 6)
    const [gradient] = await model.gradients(frames, [[0]])
    // softmax - occupancy: of 3 equal paths, 2 have a in either frame
    const rounded = Array.from(gradient!.data, (v) => Math.round(v * 1e6) / 1e6)
    expect(rounded).toEqual([-0.166667, 0.166667, -0.166667, 0.166667])
  })

  it('takes the blank from any class', async () => {
    const logits = Array.from({ length: 5 }, (_, t) => [t, 1, -t, 2])
    const rolled = logits.map(([a, b, c, blank]) => [blank!, a!, b!, c!])
    const last = givenLogits(logits)
    const first = givenLogits(rolled, ctc({ blank: 0 }))
    expect(await first.model.testOnBatch(first.frames, [[1, 3, 3]])).toBeCloseTo(
      (await last.model.testOnBatch(last.frames, [[0, 2, 2]])) as number,
      5,
    )
  })

  it('has a value and a gradient where softmax is 0', async () => {
    // The probability of class 0 is e^-1000 at each frame: 0 in float32 and in float64.
    const { model, frames } = givenLogits(Array.from({ length: 50 }, () => [0, 1000]))
    expect(await model.testOnBatch(frames, [[0]])).toBeCloseTo(1000 - Math.log(50), 2)
    const [gradient] = await model.gradients(frames, [[0]])
    const [first] = gradient!.toArray() as number[][]
    // The label is in one of 50 frames.
    expect(first![0]).toBeCloseTo(-1 / 50, 5)
    expect(first![1]).toBeCloseTo(1 / 50, 5)
  })

  it('is the same whichever layers make the softmax, and predictions stay probabilities', async () => {
    const softmax = () => new Activation('softmax')
    const results = []
    for (const layers of [
      [new Dense(K, { activation: 'softmax' })],
      [new TimeDistributed(new Dense(K, { activation: 'softmax' }))],
      [new Dense(K), softmax()],
      [new TimeDistributed(new Sequential([new Dense(K, { inputDim: 4 }), softmax()]))],
      [new Convolution1D(K, 1, { activation: 'softmax' })],
    ]) {
      const lstm = new LSTM(4, { returnSequences: true, inputShape: [T, D] })
      const model = new Sequential([lstm, ...layers])
      for (const [i, variable] of model.getWeights().entries()) {
        const weights = model.getWeights()
        weights[i] = array(uniform(i + 1, [...variable.shape]))
        model.setWeights(weights)
      }
      const before = await model.predict(x)
      model.compile({ optimizer: 'sgd', loss: 'ctc' })
      expect(await model.predict(x)).toEqual(before)
      const gradients = await model.gradients(x, labels)
      results.push([
        await model.testOnBatch(x, labels),
        ...gradients.flatMap(({ data }) => [...data]),
      ])
    }
    for (const result of results)
      for (const [i, value] of result.entries())
        expect(Math.abs(value - results[0]![i]!)).toBeLessThan(1e-6)
    // 4 gates of W, U, b, then the softmax
    expect(results[0]!.length).toBe(1 + 4 * (3 * 4 + 4 * 4 + 4) + 4 * K + K)
  })

  it('gradients are the slopes, in float64', async () => {
    const before = floatx()
    setFloatx('float64')
    try {
      const model = recogniser('ctc', true)
      const masked = { ...x, data: Float32Array.from(x.data) }
      for (const [n, t] of [
        [0, 2],
        [1, 0],
        [1, 8],
        [5, 7],
        [5, 8],
      ] as const) // prettier-ignore
        masked.data.fill(0, (n * T + t) * D, (n * T + t + 1) * D)
      const weighting = { sampleWeight: [1, 2, 0, 0.5, 1, 3] }
      const gradients = await model.gradients(masked, labels, weighting)
      const weights = model.getWeights()
      const lossAt = async (i: number, j: number, by: number) => {
        const moved = weights.map(({ data, shape }) => ({ data: Float64Array.from(data), shape }))
        moved[i]!.data[j]! += by
        model.setWeights(moved)
        return (await model.testOnBatch(masked, labels, weighting))[0]!
      }
      for (const i of weights.keys()) {
        for (const j of [0, weights[i]!.size - 1]) {
          const slope = ((await lossAt(i, j, 1e-5)) - (await lossAt(i, j, -1e-5))) / 2e-5
          expect(Math.abs(gradients[i]!.data[j]! - slope)).toBeLessThan(1e-7)
        }
      }
    } finally {
      setFloatx(before)
    }
  })
})

describe('targets', () => {
  it('of any length are what padded ones are, in every call', async () => {
    const padded = labels.map((label) => [...label, -1, -1, -1, -1].slice(0, 4))
    const typed = labels.map((label) => Int32Array.from(label))
    const losses = []
    for (const y of [
      labels,
      padded,
      typed,
      { data: Int8Array.from(padded.flat()), shape: [N, 4] },
    ]) {
      const model = recogniser()
      const fit = await model.fit(x, y as number[][], {
        ...quiet,
        nbEpoch: 2,
        batchSize: 4,
        validationData: [x, y as number[][]],
      })
      const generated = await model.evaluateGenerator([[x, y as number[][]]], { valSamples: N })
      losses.push([fit.history, await model.evaluate(x, y as number[][], quiet), generated])
      expect(Object.keys(fit.history)).toEqual([
        'loss',
        'label_error_rate',
        'val_loss',
        'val_label_error_rate',
      ])
    }
    expect(losses[1]).toEqual(losses[0])
    expect(losses[2]).toEqual(losses[0])
    expect(losses[3]).toEqual(losses[0])
  })

  it('go with sequences of any length, without a mask layer', async () => {
    const model = recogniser()
    const short = [9, 4, 2, 5, 6, 3].map((length, n) =>
      array(x)
        .slice(n, n + 1)
        .data.slice(0, length * D),
    )
    const sequences = short.map((data) => array({ data, shape: [data.length / D, D] }))
    const { history } = await model.fit(sequences, labels, {
      ...quiet,
      nbEpoch: 2,
      batchSize: 4,
      validationData: [sequences, labels],
    })
    expect(history.val_loss!.every((loss) => loss > 0 && Number.isFinite(loss))).toBe(true)
    const whole = await model.evaluate(sequences, labels, { ...quiet, batchSize: 2 })
    let mean = 0
    for (const [n, one] of sequences.entries()) {
      const [loss] = await model.testOnBatch(array({ data: one.data, shape: [1, ...one.shape] }), [
        labels[n]!,
      ])
      mean += loss! / N
    }
    expect(whole[0]).toBeCloseTo(mean, 5)
    const typed = labels.map((label) => array(Int32Array.from(label)))
    expect(await model.evaluate(sequences, typed, { ...quiet, batchSize: 2 })).toEqual(whole)
    const some = Ragged.from([[0, 1], [2], [1], [1, 1, 1], [0, 1, 2, 0], [2, 2]])
    expect(await model.testOnBatch(sequences, some)).toEqual(
      await model.testOnBatch(sequences, [[0, 1], [2], [1], [1, 1, 1], [0, 1, 2, 0], [2, 2]]),
    )
  })

  it('validationSplit and batches of other lengths work', async () => {
    const model = recogniser()
    const { history } = await model.fit(x, labels, { ...quiet, nbEpoch: 1, validationSplit: 0.5 })
    expect(history.val_loss![0]).toBeGreaterThan(0)
    function* batches() {
      for (;;) {
        yield [x, labels] as const
        yield [uniform(2, [2, 5, D]), [[1], [2, 0, 1]]] as const
      }
    }
    const { history: more } = await model.fitGenerator(batches() as never, {
      ...quiet,
      samplesPerEpoch: 16,
      nbEpoch: 2,
    })
    expect(more.loss!.every(Number.isFinite)).toBe(true)
  })

  it.each([
    [
      'the blank',
      [[0], [K - 1], [], [], [], []],
      /y: label of sample 1 must be integers .* got 3 at 0/,
    ],
    ['no class', [[0], [1, K], [], [], [], []], /label of sample 1 .* got 4 at 1/],
    ['a fraction', [[0.5], [], [], [], [], []], /label of sample 0 .* got 0.5 at 0/],
    [
      'a label behind the padding',
      [[0, -1, 1], [], [], [], [], []],
      /then -1 to the end, got 1 at 2/,
    ],
    [
      'text',
      [['a'], [], [], [], [], []],
      /label of sample 0 must be a list of integers, got string/,
    ],
    ['too many axes', [[[0]], [[1]], [[1]], [[1]], [[1]], [[1]]], /list of integers/],
    ['too few samples', [[0], [1]], /number of samples must be 6/],
  ])('%s is refused', async (_, y, message) => {
    const model = recogniser()
    const before = model.getWeights()
    await expect(model.fit(x, y as number[][], quiet)).rejects.toThrow(message)
    expect(model.getWeights()).toEqual(before)
  })

  it('class weights are refused, sample weights are meant', async () => {
    const model = recogniser()
    await expect(model.fit(x, labels, { ...quiet, classWeight: { 0: 1 } })).rejects.toThrow(
      /classWeight: value must be left out with the loss 'ctc'/,
    )
    const pair = { data: x.data.subarray(0, 2 * T * D), shape: [2, T, D] }
    const one = { data: x.data.subarray(0, T * D), shape: [1, T, D] }
    const [alone] = await model.testOnBatch(one, [[0, 1]])
    const [weighted] = await model.testOnBatch(pair, [[0, 1], [2]], { sampleWeight: [2, 0] })
    expect(weighted).toBeCloseTo(2 * alone!, 5)
  })
})

describe('frames', () => {
  it('that a mask leaves out are not there, wherever they are', async () => {
    const model = recogniser('ctc', true)
    const word = uniform(8, [1, 4, D])
    const shifted = new Float32Array(T * D)
    shifted.set(word.data, 3 * D) // padded before and behind
    const [a] = await model.testOnBatch(word, [[1, 2]])
    const [b] = await model.testOnBatch({ data: shifted, shape: [1, T, D] }, [[1, 2]])
    expect(b).toBeCloseTo(a!, 5)
  })

  it('come from the mask of an Embedding, too', async () => {
    setSeed(2)
    const model = new Sequential([
      new Embedding(10, 4, { maskZero: true, inputLength: 6 }),
      new LSTM(4, { returnSequences: true }),
      new TimeDistributed(new Dense(K, { activation: 'softmax' })),
    ])
    model.compile({ optimizer: 'sgd', loss: 'ctc' })
    await expect(model.testOnBatch([[1, 2, 3, 0, 0, 0]], [[1, 2, 2]])).rejects.toThrow(
      'ctc: frames of sample 0 must be at least 4, for 3 labels and 1 repeats, got 3.',
    )
    expect(await model.testOnBatch([[1, 2, 3, 4, 0, 0]], [[1, 2, 2]])).toBeGreaterThan(0)
  })

  it('fewer than a label needs are an error that names the sample, before anything is trained', async () => {
    const model = recogniser()
    const before = model.getWeights()
    const late = [...labels.slice(0, 5), [0, 0, 1, 1, 2, 2, 0]] // 7 and 3: one more than T
    const fit = model.fit(x, late, { ...quiet, batchSize: 1, shuffle: false })
    await expect(fit).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_SHAPE',
        message: expect.stringMatching(
          /frames of sample 5 must be at least 10, for 7 labels and 3 repeats, got 9/,
        ),
      }),
    )
    expect(model.getWeights()).toEqual(before)
    const lenient = recogniser(ctc({ zeroInfinity: true }))
    const [loss] = await lenient.testOnBatch(x, late)
    const [of5] = await lenient.testOnBatch(x, [...labels.slice(0, 5), []], {
      sampleWeight: [1, 1, 1, 1, 1, 0],
    })
    expect(loss).toBeCloseTo((of5! * 5) / 6, 5)
  })

  it('a sample is named by its place in the data where batches are shuffled', async () => {
    const model = recogniser('ctc', true)
    const some = { data: Float32Array.from(x.data), shape: x.shape }
    some.data.fill(0, (4 * T + 2) * D, 5 * T * D) // two frames of sample 4, which has 4 labels
    await expect(model.fit(some, labels, { ...quiet, batchSize: 1, nbEpoch: 3 })).rejects.toThrow(
      /frames of sample 4 must be at least 4, for 4 labels and 0 repeats, got 2/,
    )
  })
})

describe('compile', () => {
  const last = (...layers: ConstructorParameters<typeof Sequential>[0] & object) =>
    new Sequential([new LSTM(4, { inputShape: [T, D], returnSequences: true }), ...layers])
  const softmax = () => new Dense(K, { activation: 'softmax' })
  const compiled = (model: Sequential, options: object = {}) =>
    model.compile({ optimizer: 'sgd', loss: 'ctc', ...options })

  it.each([
    [
      'no softmax',
      () => compiled(last(new Dense(K))),
      /output for the loss 'ctc' must be a softmax/,
    ],
    [
      'another activation',
      () => compiled(last(new Dense(K, { activation: 'sigmoid' }))),
      /got the activation 'sigmoid'/,
    ],
    [
      'a layer of another activation',
      () => compiled(last(new Dense(K), new Activation('tanh'))),
      /got the activation 'tanh'/,
    ],
    [
      'no steps',
      () => compiled(new Sequential([new Dense(3, { inputDim: 3, activation: 'softmax' })])),
      /output must be \[B, T, K\]/,
    ],
    [
      'a blank beyond the classes',
      () => compiled(last(softmax()), { loss: ctc({ blank: K }) }),
      /blank must be a class of the output, 0 to 3, got 4/,
    ],
    [
      'weights by step',
      () => compiled(last(softmax()), { sampleWeightMode: 'temporal' }),
      /weights are of samples/,
    ],
    ['targetDim', () => compiled(last(softmax()), { targetDim: 1 }), /targetDim/],
    [
      'accuracy',
      () => compiled(last(softmax()), { metrics: ['accuracy'] }),
      /'label_error_rate' alone/,
    ],
    [
      'its metric elsewhere',
      () => compiled(last(softmax()), { loss: 'mse', metrics: [labelErrorRate()] }),
      /needs the loss 'ctc'/,
    ],
    ['a bad option', () => ctc({ blank: -1 }), /ctc: blank must be a class/],
    [
      'another bad option',
      () => ctc({ zeroInfinity: 1 as never }),
      /zeroInfinity must be true or false/,
    ],
  ] as const)('%s is refused', (_, use, message) => {
    expect(use).toThrow(message)
  })

  it('is one loss among several outputs', async () => {
    setSeed(1)
    const input = Input({ shape: [T, D], name: 'frames' })
    const states = new LSTM(4, { returnSequences: true }).call(input)
    const text = new Dense(K, { activation: 'softmax', name: 'text' }).call(states)
    const speaker = new Dense(2, { activation: 'softmax', name: 'speaker' }).call(
      new LSTM(3).call(states),
    )
    const model = new Model({ input, output: [text, speaker] })
    model.compile({
      optimizer: 'adam',
      loss: { text: ctc(), speaker: 'sparse_categorical_crossentropy' },
      metrics: { text: labelErrorRate({ name: 'ler' }), speaker: ['accuracy'] },
    })
    const y = { text: labels as never, speaker: integers(3, [N, 1], 0, 2) }
    expect(model.metricsNames).toEqual([
      'loss',
      'text_loss',
      'speaker_loss',
      'text_ler',
      'speaker_acc',
    ])
    const { history } = await model.fit(x, y, { ...quiet, nbEpoch: 30 })
    expect(history.text_loss!.at(-1)).toBeLessThan(history.text_loss![0]!)
  })

  it('is what it was in a file, with its options', async () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'ctc-')), 'model.h5')
    for (const loss of ['ctc', ctc({ blank: 1, zeroInfinity: true })] as const) {
      const model = recogniser(loss)
      const y = loss === 'ctc' ? labels : labels.map((label) => label.map((k) => (k === 1 ? 3 : k)))
      await model.fit(x, y, { ...quiet, nbEpoch: 1 })
      await model.save(file)
      const loaded = (await loadModel(file)) as Sequential
      expect(await loaded.evaluate(x, y, quiet)).toEqual(await model.evaluate(x, y, quiet))
    }
  })
})

describe('the label error rate', () => {
  it('is the edit distance of the best path over the length, by hand', async () => {
    // frames of one class each: 0 0 - 1 1 2 -> 0 1 2
    const classes = [0, 0, 3, 1, 1, 2]
    const frames = classes.map((k) => [0, 1, 2, 3].map((j) => (j === k ? 9 : 0)))
    const model = new Sequential([new Activation('softmax', { inputShape: [6, 4] })])
    model.compile({ optimizer: 'sgd', loss: 'ctc', metrics: [labelErrorRate({ name: 'ler' })] })
    const rate = async (label: number[]) => (await model.testOnBatch([frames], [label]))[1]
    expect(await rate([0, 1, 2])).toBe(0)
    expect(await rate([0, 1])).toBeCloseTo(1 / 2, 6)
    expect(await rate([1, 1, 2, 0])).toBeCloseTo(2 / 4, 6)
    expect(await rate([])).toBe(3)
    expect(
      (
        await model.testOnBatch(
          [frames, frames],
          [
            [0, 1, 2],
            [0, 1],
          ],
        )
      )[1],
    ).toBeCloseTo(1 / 4, 6)
    expect(model.metricsNames).toEqual(['loss', 'ler'])
  })
})
