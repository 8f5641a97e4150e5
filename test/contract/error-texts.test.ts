/**
 * The texts of errors, as users read them: where, what, expected, got, hint.
 * A change of a text is a decision.
 */
import { describe, expect, it } from 'vitest'
import { filled } from '../arrays.js'
import * as main from '../package.js'
import {
  Dense,
  Embedding,
  Flatten,
  GRU,
  HiddenstateError,
  LSTM,
  Masking,
  Sequential,
  SGD,
  TimeDistributed,
} from '../package.js'

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
    const { name, code, message, layer } = error as HiddenstateError
    expect(message).toMatch(GRAMMAR)
    return `${name} ${code}${layer ? ` in ${steady(layer)}` : ''}\n${steady(message)}`
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
    expect(await textOf(() => new LSTM(4, { returnSequence: true } as Any))).toMatchInlineSnapshot(`
      "ConfigError ERR_OPTION
      LSTM: unknown option \`returnSequence\`. Did you mean \`returnSequences\`?"
    `)
  })
  it("a later Keras' option", async () => {
    expect(
      await textOf(() => new (Dense as Any)(4, { kernelInitializer: 'zero' })),
    ).toMatchInlineSnapshot(`
      "ConfigError ERR_OPTION
      Dense: unknown option \`kernelInitializer\`. Did you mean \`init\`?"
    `)
  })
  it('a missing argument', async () => {
    expect(await textOf(() => new (LSTM as Any)())).toMatchInlineSnapshot(`
      "ConfigError ERR_OPTION
      LSTM: outputDim must be argument 1, got nothing."
    `)
  })
  it('an argument of the wrong type', async () => {
    expect(await textOf(() => new (LSTM as Any)('4'))).toMatchInlineSnapshot(`
      "ConfigError ERR_OPTION
      LSTM: outputDim must be a positive integer, got the string '4'."
    `)
  })
  it('an unknown activation', async () => {
    expect(
      await textOf(() => new Dense(4, { activation: 'sigmod' as Any })),
    ).toMatchInlineSnapshot(`
      "ConfigError ERR_UNKNOWN_NAME
      Dense: activation: activation must be one of softmax, elu, softplus, softsign, relu, tanh, sigmoid, hard_sigmoid, linear, selu, exponential, swish, got the string 'sigmod'. Did you mean 'sigmoid'?"
    `)
  })
  it('a first layer without input shape', async () => {
    expect(await textOf(() => new Sequential([new LSTM(4)]))).toMatchInlineSnapshot(`
      "ConfigError ERR_OPTION in lstm_N (LSTM)
      lstm_N (LSTM): first layer of a model must be given an inputShape or batchInputShape, got one without. For example inputShape: [28, 64]."
    `)
  })
  it('a recurrent layer on [B, D]', async () => {
    const layers = () => [new GRU(4, { inputShape: [5, 3] }), new GRU(4)]
    expect(await textOf(() => new Sequential(layers()))).toMatchInlineSnapshot(`
      "ShapeError ERR_SHAPE in gru_N (GRU)
      gru_N (GRU): input must be [B, T, D], got [B, 4]. Does the layer before it need returnSequences: true?"
    `)
  })
  it('a mask into a layer that has no use for it', async () => {
    const layers = () => [new Masking({ inputShape: [5, 3] }), new Flatten()]
    expect(await textOf(() => new Sequential(layers()))).toMatchInlineSnapshot(`
      "ConfigError ERR_OPTION in flatten_N (Flatten)
      flatten_N (Flatten): input must be without a mask, which this layer does not support, got one with a mask (from Masking, Embedding with maskZero, or sequences of several lengths). Put a recurrent layer without returnSequences before it."
    `)
  })
  it('Flatten of an unknown length', async () => {
    const layers = () => [
      new LSTM(4, { inputShape: [null, 3], returnSequences: true }),
      new Flatten(),
    ]
    expect(await textOf(() => new Sequential(layers()))).toMatchInlineSnapshot(`
      "ShapeError ERR_SHAPE in flatten_N (Flatten)
      flatten_N (Flatten): every extent of the input must be known, got [B, null, 4]. Give the first layer its full inputShape."
    `)
  })
  it('stateful without a batch size', async () => {
    const layer = () => new LSTM(4, { inputShape: [5, 3], stateful: true })
    expect(await textOf(() => new Sequential([layer()]))).toMatchInlineSnapshot(`
      "ShapeError ERR_SHAPE in lstm_N (LSTM)
      lstm_N (LSTM): batch size of a stateful layer must be known, got [B, …]. Give the first layer batchInputShape: [batch, T, D]."
    `)
  })
  it('something that is no layer', async () => {
    expect(await textOf(() => new Sequential().add(3 as Any))).toMatchInlineSnapshot(`
      "ConfigError ERR_OPTION
      model.add: layer must be an instance of Layer, got 3."
    `)
  })
  it('an unknown optimizer', async () => {
    expect(
      await textOf(() => lstm().compile({ optimizer: 'adm', loss: 'mse' })),
    ).toMatchInlineSnapshot(`
      "ConfigError ERR_UNKNOWN_NAME
      compile: optimizer: optimizer must be one of sgd, rmsprop, adagrad, adadelta, adam, adamax, nadam, or an instance, got the string 'adm'. Did you mean 'adam'?"
    `)
  })
  it('an unknown loss', async () => {
    expect(
      await textOf(() => lstm().compile({ optimizer: 'sgd', loss: 'crossentropy' })),
    ).toMatchInlineSnapshot(`
      "ConfigError ERR_UNKNOWN_NAME
      compile: loss: loss must be one of mean_squared_error, mean_absolute_error, mean_absolute_percentage_error, mean_squared_logarithmic_error, squared_hinge, hinge, categorical_crossentropy, sparse_categorical_crossentropy, binary_crossentropy, kullback_leibler_divergence, poisson, cosine_proximity, ctc, crf, sparse_crf, got the string 'crossentropy'. Did you mean 'binary_crossentropy'?"
    `)
  })
  it('an optimizer option of a later Keras', async () => {
    expect(await textOf(() => new SGD({ learningRate: 1 } as Any))).toMatchInlineSnapshot(`
      "ConfigError ERR_OPTION
      SGD: unknown option \`learningRate\`. Did you mean \`lr\`?"
    `)
  })
  it('training before compile', async () => {
    expect(await textOf(() => lstm().fit(x, y))).toMatchInlineSnapshot(`
      "StateError ERR_NOT_COMPILED
      model.fit: model must be compiled, got one that is not (or whose layers have changed since). Call model.compile({ optimizer, loss }) first."
    `)
  })
  it('inputs of the wrong shape', async () => {
    expect(await textOf(() => compiled().predict(filled(0, 4, 6, 3)))).toMatchInlineSnapshot(`
      "ShapeError ERR_SHAPE in lstm_N (LSTM)
      lstm_N (LSTM): x must be [B, 5, 3], got [4, 6, 3]."
    `)
  })
  it('targets of the wrong shape', async () => {
    expect(await textOf(() => compiled().trainOnBatch(x, filled(0, 4, 3)))).toMatchInlineSnapshot(`
      "ShapeError ERR_SHAPE in dense_N (Dense)
      dense_N (Dense): y must be [B, 2], got [4, 3]."
    `)
  })
  it('other numbers of samples', async () => {
    expect(await textOf(() => compiled().fit(x, filled(0, 3, 2)))).toMatchInlineSnapshot(`
      "ShapeError ERR_SHAPE
      y: number of samples must be 4, as x has, got 3."
    `)
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
    ).toMatchInlineSnapshot(`
      "ShapeError ERR_SHAPE
      x[1]: row must be an array of length 1, as the first one is, got an array of length 2. The array is ragged; padSequences of hiddenstate/preprocessing makes sequences equally long."
    `)
  })
  it('weights that are transposed', async () => {
    const weights = [filled(0, 3, 2), filled(0, 3)]
    const model = () => new Sequential([new Dense(3, { inputDim: 2, name: 'out' })])
    expect(await textOf(() => model().setWeights(weights))).toMatchInlineSnapshot(`
      "ShapeError ERR_SHAPE
      out/W: shape must be [2, 3], got [3, 2]. Transposed?"
    `)
  })
  it('a word index that is out of range', async () => {
    const model = () => new Sequential([new Embedding(5, 2, { inputLength: 2 })])
    expect(await textOf(() => model().predict([[1, 5]]))).toMatchInlineSnapshot(`
      "ConfigError ERR_OPTION in embedding_N (Embedding)
      embedding_N (Embedding): word indices in x (sample 0) must be integers from 0 to 4, got 5. inputDim must be the largest index + 1."
    `)
  })
  it('two layers of one name', async () => {
    const layers = () => [new Dense(3, { inputDim: 2, name: 'a' }), new Dense(3, { name: 'a' })]
    expect(
      await textOf(() => new Sequential(layers()).compile({ optimizer: 'sgd', loss: 'mse' })),
    ).toMatchInlineSnapshot(`
      "ConfigError ERR_OPTION in a (Dense)
      model: layer names must be unique, got 'a' twice: a (Dense) and a (Dense). Give one of the layers another \`name\`: set layer.name."
    `)
  })
  it('two layers of one name inside wrappers', async () => {
    const inner = () =>
      new TimeDistributed(new Dense(2, { name: 'd' }), { inputShape: [3, 2], name: 'w' })
    const outer = (name: string) => new TimeDistributed(new Dense(2, { name: 'd' }), { name })
    expect(
      await textOf(() =>
        new Sequential([inner(), outer('v')]).compile({ optimizer: 'sgd', loss: 'mse' }),
      ),
    ).toMatchInlineSnapshot(`
      "ConfigError ERR_OPTION in d (Dense)
      model: layer names must be unique, got 'd' twice: d (Dense) in w (TimeDistributed) and d (Dense) in v (TimeDistributed). Give one of the layers another \`name\`: set layer.name."
    `)
    const same = new TimeDistributed(new Dense(2, { name: 'd' }), { name: 'd', inputShape: [1, 2] })
    expect((await new Sequential([same]).predict([[[1, 2]]])).shape).toEqual([1, 1, 2])
  })
  it('targets of another length than the data', async () => {
    const model = new Sequential([
      new LSTM(2, { inputShape: [null, 1], returnSequences: true, name: 'out' }),
    ])
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    expect(await textOf(() => model.trainOnBatch([[[1], [2]]], [[[1, 1]]]))).toMatchInlineSnapshot(`
      "ShapeError ERR_SHAPE in out (LSTM)
      out (LSTM): y must be [B, 2, 2], got [1, 1, 2]."
    `)
  })
  it('a name with a colon in front', async () => {
    expect(await textOf(() => new Dense(1, { name: ':input' }))).toMatchInlineSnapshot(`
      "ConfigError ERR_OPTION
      Dense: name must be a non-empty string that can be a path in a file (no empty part or '.' between slashes, no NUL, well-formed, not beginning with ':' or U+FEFF), got the string ':input'."
    `)
  })
  it('a disposed model', async () => {
    const model = compiled()
    model.dispose()
    expect(await textOf(() => model.predict(x))).toMatchInlineSnapshot(`
      "StateError ERR_DISPOSED
      model.predict: model must be in use, got one that was disposed."
    `)
  })
  it('a file that is not there', async () => {
    expect(await textOf(() => main.loadModel('no-such-file.h5'))).toMatchInlineSnapshot(`
      "FormatError ERR_FILE_SYSTEM
      no-such-file.h5: file must be readable, got ENOENT: no such file or directory, open 'no-such-file.h5'."
    `)
  })
  it('a precision that does not exist', async () => {
    expect(await textOf(() => main.setFloatx('float16' as Any))).toMatchInlineSnapshot(`
      "ConfigError ERR_UNKNOWN_NAME
      setFloatx: name must be 'float32', 'float64' or 'mixed_bfloat16', got the string 'float16'. Did you mean 'float32'?"
    `)
  })
})
