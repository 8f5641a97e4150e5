/** `model.session()`: what a step is given, states, and what happens meanwhile. */
import { describe, expect, it } from 'vitest'
import { expectSameBits, uniform } from '../arrays.js'
import {
  ConfigError,
  Dense,
  Embedding,
  GRU,
  LambdaCallback,
  LSTM,
  Sequential,
  ShapeError,
  StateError,
  setSeed,
} from '../package.js'
import { slow } from './models.js'

const inputShape = [null, 3] as const
const series = { inputShape, returnSequences: true }

/** One LSTM that reads and one number that comes out. */
function reader(): Sequential {
  setSeed(4)
  return new Sequential([new LSTM(5, { inputShape }), new Dense(1)])
}

describe('what a step is given', () => {
  it('has the shape of one step', async () => {
    const session = reader().session()
    const batch = reader().session({ batchSize: 2 })
    const refused = async (
      made: () => unknown,
      text: RegExp,
      kind: typeof ShapeError | typeof ConfigError = ShapeError,
    ) => {
      await expect((async () => made())()).rejects.toThrow(text)
      await expect((async () => made())()).rejects.toThrow(kind)
    }
    await refused(() => session.step([1, 2]), /x must be \[3\], got \[2\]/)
    await refused(
      () => session.stepSync([[1, 2, 3]]),
      /must be \[3\], got \[1, 3\]\. predict takes several steps; model\.session\(\{ batchSize \}\)/,
    )
    await refused(() => session.predict([1, 2, 3]), /x must be \[T, 3\], got \[3\]/)
    await refused(
      () => session.predict({ data: new Float32Array(0), shape: [0, 3] }),
      /\[T, 3\], got \[0, 3\]/,
    )
    await refused(() => batch.step([1, 2, 3]), /x must be \[2, 3\], got \[3\]/)
    await refused(
      () => batch.predict(uniform(1, [3, 4, 3])),
      /x must be \[2, T, 3\], got \[3, 4, 3\]/,
    )
    await refused(() => session.step(5), /x must be \[3\], got \[\]/)
    await refused(() => session.step('word' as never), /an NDArray, a nested array/, ConfigError)
    const words = new Sequential([new Embedding(5, 2), new GRU(2)]).session()
    await refused(() => words.step(5), /integers from 0 to 4, got 5/, ConfigError)
    await refused(() => words.step([1]), /x must be \[\], got \[1\]/)
    await refused(() => words.predict([1, 0.5]), /integers from 0 to 4, got 0\.5/, ConfigError)
    await refused(() => reader().session({ batchSize: 0 }), /batchSize/, ConfigError)
    await refused(() => reader().session({ batch: 1 } as never), /batch/, ConfigError)
    expect(words.stepSync(4).shape).toEqual([2])
    expect(
      batch.stepSync([
        [1, 2, 3],
        [4, 5, 6],
      ]).shape,
    ).toEqual([2, 1])
  })

  it('of one feature may be a number', () => {
    const model = new Sequential([new GRU(2, { inputShape: [null, 1] })])
    const [session, batch] = [model.session(), model.session({ batchSize: 2 })]
    const y = session.stepSync(0.5)
    expect(batch.stepSync([0.5, 0.5]).data).toEqual(Float32Array.of(...y.data, ...y.data))
    expect(session.fork().stepSync([0.1])).toEqual(session.stepSync(0.1))
  })
})

describe('states', () => {
  it('are plain arrays by layer and name, copied in and out', async () => {
    const model = new Sequential([new LSTM(2, series), new GRU(1)])
    const session = model.session({ batchSize: 2 })
    const zeros = session.state
    expect(zeros).toEqual({
      [model.layers[0]!.name]: { h: new Float32Array(4), c: new Float32Array(4) },
      [model.layers[1]!.name]: { h: new Float32Array(2) },
    })
    const x = uniform(1, [2, 3])
    const y = await session.step(x)
    const [{ state }, saved] = [session, session.save()]
    for (const each of Object.values(session.state)) each.h!.fill(9)
    expect(session.save()).toEqual(saved)
    const z = await session.step(x)
    session.state = state
    for (const each of Object.values(state)) each.h!.fill(9)
    expectSameBits(await session.step(x), z)
    session.state = zeros
    expectSameBits(await session.step(x), y)
  })

  it('begin as the model has learned', () => {
    const model = new Sequential([new GRU(2, { inputShape, initialState: 'learned', name: 'g' })])
    const weights = model.getWeights()
    model.setWeights([...weights.slice(0, -1), [0.25, -0.5]])
    const session = model.session({ batchSize: 2 })
    expect(session.state.g!.h).toEqual(Float32Array.of(0.25, -0.5, 0.25, -0.5))
    session.stepSync(uniform(1, [2, 3]))
    model.setWeights([...weights.slice(0, -1), [1, 2]])
    expect(session.state.g!.h).not.toEqual(Float32Array.of(1, 2, 1, 2))
    session.reset()
    expect(session.state.g!.h).toEqual(Float32Array.of(1, 2, 1, 2))
  })

  it('of float64 models go through JSON to the bit', () => {
    const model = new Sequential([new LSTM(3, { inputShape, dtype: 'float64' })])
    const session = model.session()
    session.stepSync([0.1, 0.2, 0.3])
    const again = model.session({ state: JSON.parse(JSON.stringify(session.save())) })
    expect(again.state).toEqual(session.state)
    expect(Object.values(again.state)[0]!.h).toBeInstanceOf(Float64Array)
    expect(again.stepSync([1, 2, 3])).toEqual(session.stepSync([1, 2, 3]))
  })

  it('of another model, or batch size, are refused, and nothing changes', () => {
    const model = new Sequential([new LSTM(2, { inputShape, name: 'read' })])
    const session = model.session()
    session.stepSync([1, 2, 3])
    const { state } = session
    const { h, c } = state.read!
    const wrong: [unknown, RegExp, typeof ShapeError | typeof ConfigError][] = [
      [{ read: { h } }, /state of read of state 'c' must be given/, ConfigError],
      [{ reed: { h, c } }, /Did you mean 'read'/, ConfigError],
      [
        { read: { h, c, d: h } },
        /name in state of read must be one of the states \(h, c\)/,
        ConfigError,
      ],
      [
        { read: { h: [...h!, 1], c } },
        /state read\/h must be 2 numbers for \[1, 2\], got 3/,
        ShapeError,
      ],
      [{ read: { h: [1, null], c } }, /must be a number, got null/, ConfigError],
      [{ read: [h, c] }, /state of read must be an object/, ConfigError],
      [[h, c], /state must be an object/, ConfigError],
      [{}, /state of layer 'read' must be given/, ConfigError],
    ]
    for (const [given, text, kind] of wrong) {
      expect(() => (session.state = given as never)).toThrow(text)
      expect(() => model.session({ state: given as never })).toThrow(kind)
    }
    expect(() => model.session({ batchSize: 2, state })).toThrow(/4 numbers for \[2, 2\], got 2/)
    expect(session.state).toEqual(state)
  })

  it('are not those of a stateful model', async () => {
    setSeed(3)
    const layer = new LSTM(4, { batchInputShape: [2, 5, 3], stateful: true })
    const model = new Sequential([layer, new Dense(1)])
    await model.predict(uniform(1, [2, 5, 3]))
    const before = layer.getStates()
    const session = model.session()
    const x = uniform(2, [1, 7, 3]) // any number of sequences, of any length
    const y = await session.predict({ data: x.data, shape: [7, 3] })
    for (const [i, state] of layer.getStates().entries()) expectSameBits(state, before[i]!)
    const plain = new Sequential([new LSTM(4, { inputShape }), new Dense(1)])
    plain.setWeights(model.getWeights())
    expect([...y.data]).toEqual([...(await plain.predict(x)).data])
    model.resetStates()
    expectSameBits(await session.fork().step([1, 2, 3]), await session.step([1, 2, 3]))
  })
})

describe('weights are those of the model', () => {
  /** A session of a model of its own with the same weights and states. */
  const apart = (model: Sequential, state: object) => {
    const other = Sequential.fromConfig(model.getConfig())
    other.setWeights(model.getWeights())
    return other.session({ state: state as never })
  }

  it('of the moment of a step', async () => {
    const model = reader()
    model.compile({ loss: 'mse', optimizer: 'adam' })
    const session = model.session()
    const [x, y] = [uniform(1, [4, 6, 3]), uniform(2, [4, 1])]
    await session.step([1, 2, 3])
    const first = session.fork()
    for (let i = 0; i < 3; i++) {
      await model.trainOnBatch(x, y)
      const expected = await apart(model, session.save()).step([4, 5, 6])
      expect((await session.step([4, 5, 6])).data).toEqual(expected.data)
      const sync = apart(model, session.save()).stepSync([1, 0, 1])
      expect(session.stepSync([1, 0, 1]).data).toEqual(sync.data)
    }
    model.setWeights(model.getWeights().map((w, i) => uniform(i, [...w.shape])))
    const expected = await apart(model, first.save()).step([4, 5, 6])
    model.compile({ loss: 'mse', optimizer: 'sgd' }) // another plan
    expect((await first.step([4, 5, 6])).data).toEqual(expected.data)
    await model.trainOnBatch(x, y)
    const trained = await apart(model, first.save()).step([4, 5, 6])
    expect((await first.step([4, 5, 6])).data).toEqual(trained.data)
  })

  it('also where another model with the same layers has them', async () => {
    const model = reader()
    const other = new Sequential([model, new Dense(2)])
    other.compile({ loss: 'mse', optimizer: 'sgd' })
    const session = model.session()
    await session.step([1, 2, 3])
    await other.trainOnBatch(uniform(1, [4, 6, 3]), uniform(2, [4, 2]))
    const expected = await apart(model, session.save()).step([4, 5, 6])
    expect((await session.step([4, 5, 6])).data).toEqual(expected.data)
    await other.predict(uniform(1, [4, 6, 3]))
    const next = apart(model, session.save()).stepSync([4, 5, 6])
    expect(session.stepSync([4, 5, 6]).data).toEqual(next.data)
  })
})

describe('meanwhile', () => {
  const step = Array.from({ length: 16 }, (_, i) => i / 16)

  it('steps run between the batches of a fit; at once only in its callbacks', async () => {
    const { model, x, y } = slow()
    const session = model.session()
    await session.step(step)
    let inCallback = 0
    const onBatchEnd = () => {
      inCallback += session.stepSync(step).data.length
    }
    const callbacks = [new LambdaCallback({ onBatchEnd })]
    const fitting = model.fit(x, y, { nbEpoch: 1, verbose: 0, callbacks })
    let done = false
    const end = fitting.then(() => {
      done = true
    })
    expect(() => session.stepSync(step)).toThrow(StateError)
    expect(() => session.stepSync(step)).toThrow(
      /model\.session\(\)\.stepSync: the model must be idle/,
    )
    let between = 0
    while (!done) {
      await model.session().step(step)
      if (!done) between++
    }
    await end
    expect(between).toBeGreaterThan(1)
    expect(inCallback).toBeGreaterThan(0)
  })

  it('a session is busy until its steps are done, others are not', async () => {
    const { model } = slow()
    const [session, other] = [model.session(), model.session()]
    await other.step(step)
    const first = session.step(step)
    const second = session.step(step)
    const busy: (() => unknown)[] = [
      () => session.state,
      () => (session.state = other.state),
      () => session.fork(),
      () => session.save(),
      () => session.reset(),
      () => session.stepSync(step),
    ]
    for (const call of busy) expect(call).toThrow(expect.objectContaining({ code: 'ERR_BUSY' }))
    expect(Object.keys(other.state)).toHaveLength(1)
    await Promise.all([first, second])
    expect(session.stepSync(step).shape).toEqual([2])
  })

  it('a step that fails leaves the states', async () => {
    const session = reader().session()
    await session.step([1, 2, 3])
    const { state } = session
    const [, failed] = await Promise.allSettled([session.step([1, 2, 3]), session.step([1])])
    expect(failed!.status).toBe('rejected')
    const after = session.fork()
    session.state = state
    await session.step([1, 2, 3])
    expect(session.state).toEqual(after.state)
  })

  it('nothing goes on with what was disposed of, or has changed', async () => {
    const model = reader()
    const session = model.session()
    const running = session.step([1, 2, 3])
    session.dispose()
    session.dispose()
    await expect(running).rejects.toThrow(/the session|session must be in use/)
    await expect(session.step([1, 2, 3])).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    expect(() => session.state).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }))

    const [one, two] = [model.session(), model.session()]
    await one.step([1, 2, 3])
    model.add(new Dense(2))
    await expect(one.step([1, 2, 3])).rejects.toMatchObject({ code: 'ERR_NOT_BUILT' })
    expect(() => one.save()).toThrow(/model\.session\(\) makes a new one/)
    const anew = model.session()
    expect((await anew.step([1, 2, 3])).shape).toEqual([2])

    const late = anew.step([1, 2, 3])
    model.dispose()
    await expect(late).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    for (const each of [one, two, anew])
      await expect(each.step([1, 2, 3])).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    expect(() => model.session()).toThrow(/model\.session: model must be in use/)
  })

  it('layers that are given other names keep their sessions', async () => {
    const model = new Sequential([new GRU(2, { inputShape, name: 'old' })])
    const session = model.session()
    await session.step([1, 2, 3])
    model.layers[0]!.name = 'new'
    const again = model.session()
    expect(Object.keys(again.state)).toEqual(['new'])
    model.compile({ loss: 'mse', optimizer: 'sgd' })
    again.state = { new: session.state.old! }
    expect((await session.step([1, 2, 3])).data).toEqual((await again.step([1, 2, 3])).data)
  })
})
