/** The texts of errors, as users read them: where, what, expected, got, hint. A change of a text is a decision. */
import { describe, expect, it } from 'vitest'
import { filled } from '../arrays.js'
import * as main from '../package.js'
import { Dense, Embedding, Flatten, GRU, HiddenstateError, LSTM, Masking, Sequential, SGD } from '../package.js'

// biome-ignore lint/suspicious/noExplicitAny: bad calls do not type-check
type Any = any

/** "where: what must be expected, got actual. hint", or "where: unknown option `x`. hint" */
const GRAMMAR = /^[^:]+: (.+ must be .+, got .+\.|unknown option `.+`\.)/s

/** Automatic names count up over the whole process. */
const steady = (text: string): string => text.replace(/\b([a-z]+)_\d+\b/g, '$1_N')

async function textOf(call: () => unknown): Promise<string> {
  try {
    await call()
  } catch (error) {
    expect(error).toBeInstanceOf(HiddenstateError)
    const { name, code, message } = error as HiddenstateError
    expect(message).toMatch(GRAMMAR)
    return `${name} ${code}\n${steady(message)}`
  }
  return 'nothing was thrown'
}

const lstm = () => new Sequential([new LSTM(4, { inputShape: [5, 3] }), new Dense(2)]) as Any
const compiled = () => {
  const model = lstm()
  model.compile({ optimizer: 'sgd', loss: 'mse' })
  return model
}
const x = filled(0, 4, 5, 3)
const y = filled(0, 4, 2)

describe('texts of errors', () => {
  it('a misspelt option', async () => {
    expect(await textOf(() => new LSTM(4, { returnSequence: true } as Any))).toMatchInlineSnapshot()
  })
  it("a later Keras' option", async () => {
    expect(await textOf(() => new (Dense as Any)(4, { kernelInitializer: 'zero' }))).toMatchInlineSnapshot()
  })
  it('a missing argument', async () => {
    expect(await textOf(() => new (LSTM as Any)())).toMatchInlineSnapshot()
  })
  it('an argument of the wrong type', async () => {
    expect(await textOf(() => new (LSTM as Any)('4'))).toMatchInlineSnapshot()
  })
  it('an unknown activation', async () => {
    expect(await textOf(() => new Dense(4, { activation: 'sigmod' as Any }))).toMatchInlineSnapshot()
  })
  it('a first layer without input shape', async () => {
    expect(await textOf(() => new Sequential([new LSTM(4)]))).toMatchInlineSnapshot()
  })
  it('a recurrent layer on [B, D]', async () => {
    const layers = () => [new GRU(4, { inputShape: [5, 3] }), new GRU(4)]
    expect(await textOf(() => new Sequential(layers()))).toMatchInlineSnapshot()
  })
  it('a mask into a layer that has no use for it', async () => {
    const layers = () => [new Masking({ inputShape: [5, 3] }), new Flatten()]
    expect(await textOf(() => new Sequential(layers()))).toMatchInlineSnapshot()
  })
  it('Flatten of an unknown length', async () => {
    const layers = () => [new LSTM(4, { inputShape: [null, 3], returnSequences: true }), new Flatten()]
    expect(await textOf(() => new Sequential(layers()))).toMatchInlineSnapshot()
  })
  it('stateful without a batch size', async () => {
    const layer = () => new LSTM(4, { inputShape: [5, 3], stateful: true })
    expect(await textOf(() => new Sequential([layer()]))).toMatchInlineSnapshot()
  })
  it('something that is no layer', async () => {
    expect(await textOf(() => new Sequential().add(3 as Any))).toMatchInlineSnapshot()
  })
  it('an unknown optimizer', async () => {
    expect(await textOf(() => lstm().compile({ optimizer: 'adm', loss: 'mse' }))).toMatchInlineSnapshot()
  })
  it('an unknown loss', async () => {
    expect(await textOf(() => lstm().compile({ optimizer: 'sgd', loss: 'crossentropy' }))).toMatchInlineSnapshot()
  })
  it('an optimizer option of a later Keras', async () => {
    expect(await textOf(() => new SGD({ learningRate: 1 } as Any))).toMatchInlineSnapshot()
  })
  it('training before compile', async () => {
    expect(await textOf(() => lstm().fit(x, y))).toMatchInlineSnapshot()
  })
  it('inputs of the wrong shape', async () => {
    expect(await textOf(() => compiled().predict(filled(0, 4, 6, 3)))).toMatchInlineSnapshot()
  })
  it('targets of the wrong shape', async () => {
    expect(await textOf(() => compiled().trainOnBatch(x, filled(0, 4, 3)))).toMatchInlineSnapshot()
  })
  it('other numbers of samples', async () => {
    expect(await textOf(() => compiled().fit(x, filled(0, 3, 2)))).toMatchInlineSnapshot()
  })
  it('ragged data', async () => {
    expect(
      await textOf(() =>
        compiled().predict([
          [[1, 2, 3]],
          [
            [1, 2, 3],
            [4, 5, 6],
          ],
        ]),
      ),
    ).toMatchInlineSnapshot()
  })
  it('weights that are transposed', async () => {
    const weights = [filled(0, 3, 2), filled(0, 3)]
    const model = () => new Sequential([new Dense(3, { inputDim: 2, name: 'out' })])
    expect(await textOf(() => model().setWeights(weights))).toMatchInlineSnapshot()
  })
  it('a word index that is out of range', async () => {
    const model = () => new Sequential([new Embedding(5, 2, { inputLength: 2 })])
    expect(await textOf(() => model().predict([[1, 5]]))).toMatchInlineSnapshot()
  })
  it('two layers of one name', async () => {
    const layers = () => [new Dense(3, { inputDim: 2, name: 'a' }), new Dense(3, { name: 'a' })]
    expect(
      await textOf(() => new Sequential(layers()).compile({ optimizer: 'sgd', loss: 'mse' })),
    ).toMatchInlineSnapshot()
  })
  it('a disposed model', async () => {
    const model = compiled()
    model.dispose()
    expect(await textOf(() => model.predict(x))).toMatchInlineSnapshot()
  })
  it('a file that is not there', async () => {
    expect(await textOf(() => main.loadModel('no-such-file.h5'))).toMatchInlineSnapshot()
  })
  it('a precision that does not exist', async () => {
    expect(await textOf(() => main.setFloatx('float16' as Any))).toMatchInlineSnapshot()
  })
})
