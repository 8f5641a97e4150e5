/**
 * What must and must not compile: checked by tsc through types.test.ts (and by `npm run
 * typecheck`). Never run.
 */
import {
  AtrousConvolution1D,
  BatchNormalization,
  Bidirectional,
  Conv1D,
  Convolution1D,
  Dense,
  Embedding,
  fbetaScore,
  GRU,
  LSTM,
  l2,
  Merge,
  ParametricSoftplus,
  PReLU,
  RMSprop,
  Sequential,
  TimeDistributed,
  topKCategoricalAccuracy,
} from '../package.js'

export const model = new Sequential([new LSTM(4, { inputShape: [5, 3] })])

// ---- layers ----
new LSTM(128, {
  returnSequences: true,
  dropoutW: 0.2,
  WRegularizer: 'l2',
  URegularizer: l2({ l: 0.1 }),
})
new GRU(8, { consumeLess: 'gpu', innerActivation: 'sigmoid', batchInputShape: [null, null, 3] })
new Embedding(100, 8, { maskZero: true, inputLength: null })
new Bidirectional(new LSTM(3), { mergeMode: 'sum' })
new TimeDistributed(new Dense(3, { activation: 'softmax' }))
new Sequential([
  new Conv1D(4, 3, { inputShape: [8, 2] }),
  new AtrousConvolution1D(4, 3, { atrousRate: 2 }),
])

new Merge([model, new Sequential([new GRU(4, { inputShape: [5, 3] })])], {
  mode: 'dot',
  dotAxes: [1, 1],
  name: 'm',
})
new Sequential([new TimeDistributed(model, { inputShape: [2, 5, 3] }), model])
model.add(new Sequential()).layers[0]?.trainable satisfies boolean | undefined
model.getConfig() satisfies { class_name: string }[]

// @ts-expect-error Merge wants models, not layers
new Merge([new Dense(2), new Dense(2)])
// @ts-expect-error an unknown mode
new Merge([model, model], { mode: 'avg' })
// @ts-expect-error two axes at most
new Merge([model, model], { mode: 'dot', dotAxes: [1, 1, 1] })
// @ts-expect-error a Merge takes its shape from its branches
new Merge([model, model], { inputShape: [3] })
// @ts-expect-error Bidirectional wants a recurrent layer
new Bidirectional(model)
// @ts-expect-error an option of AtrousConvolution1D alone
new Convolution1D(4, 3, { atrousRate: 2 })
// @ts-expect-error an option of a later Keras
new LSTM(8, { units: 3 })
// @ts-expect-error the Python spelling
new LSTM(8, { return_sequences: true })
// @ts-expect-error a missing argument
new LSTM()
// @ts-expect-error a string for a number
new LSTM('8')
// @ts-expect-error an unknown activation
new Dense(3, { activation: 'gelu2' })
// @ts-expect-error an unknown mode
new GRU(3, { consumeLess: 'fast' })
// @ts-expect-error an unknown merge mode
new Bidirectional(new LSTM(3), { mergeMode: 'avg' })
// @ts-expect-error a regularizer is a name or a regularizer
new Dense(3, { WRegularizer: 0.01 })
// @ts-expect-error SimpleRNN and LSTM have no resetAfter, only GRU
new LSTM(3, { resetAfter: true })
// @ts-expect-error Embedding needs both extents
new Embedding(100)
// @ts-expect-error TimeDistributed wraps a layer
new TimeDistributed('dense')
// @ts-expect-error a shape is a list of numbers and nulls
new Dense(3, { inputShape: ['a'] })

// ---- compile ----
model.compile({ optimizer: 'adam', loss: 'mse' })
model.compile({
  optimizer: new RMSprop({ lr: 0.01, clipnorm: 1 }),
  loss: 'kld',
  metrics: ['accuracy', 'mse'],
})
// @ts-expect-error an unknown loss
model.compile({ optimizer: 'adam', loss: 'mean_sqared_error' })
// @ts-expect-error an unknown optimizer
model.compile({ optimizer: 'adamw', loss: 'mse' })
// @ts-expect-error no loss
model.compile({ optimizer: 'adam' })
// @ts-expect-error an unknown metric
model.compile({ optimizer: 'adam', loss: 'mse', metrics: ['acccuracy'] })
model.compile({
  optimizer: 'adam',
  loss: 'mse',
  metrics: [topKCategoricalAccuracy({ k: 3 }), fbetaScore({ beta: 2 }), 'acc'],
})
// @ts-expect-error fbeta_score has no k
fbetaScore({ k: 3 })
// @ts-expect-error a mode that there is not
new BatchNormalization({ mode: 3 })
// @ts-expect-error a number where an initialization is wanted
new PReLU({ init: 0 })
new ParametricSoftplus({ alphaInit: 0.5 })
// @ts-expect-error an unknown sample weight mode
model.compile({ optimizer: 'adam', loss: 'mse', sampleWeightMode: 'temporally' })
// @ts-expect-error an option of another optimizer
new RMSprop({ beta1: 0.9 })

// ---- fit and its kin ----
function* endless() {
  for (;;) yield [[[[1]]], [1]]
}
model.fitGenerator(endless(), { samplesPerEpoch: 1, nbEpoch: 1 })
// @ts-expect-error a batch is a list
model.fitGenerator([1], { samplesPerEpoch: 1, nbEpoch: 1 })
const quiet = { verbose: 0, batchSize: 2 }
model.fit([[[1]]], [[1]], quiet)
model.evaluate([[[1]]], [[1]], quiet)
model.predict([[[1]]], quiet)
model.fit([[[1]]], [[1]], { verbose: false })
model.fitGenerator([], { samplesPerEpoch: 1, nbEpoch: 1, verbose: true })
// @ts-expect-error verbosity is a number or a boolean
model.fit([[[1]]], [[1]], { verbose: 'auto' })
model.fit([[[1]]], [[1]], { nbEpoch: 2, batchSize: 8, shuffle: 'batch', validationSplit: 0.1 })
model.fit({ data: new Float32Array(3), shape: [1, 1, 3] }, [[1]])
// @ts-expect-error the name of a later Keras
model.fit([[[1]]], [[1]], { epochs: 2 })
// @ts-expect-error shuffle is true, false or 'batch'
model.fit([[[1]]], [[1]], { shuffle: 'yes' })
// @ts-expect-error no targets
model.fit([[[1]]])
// @ts-expect-error data is no string
model.predict('abc')
// @ts-expect-error a generator needs to know how long an epoch is
model.fitGenerator([[[1]]], { nbEpoch: 1 })
// @ts-expect-error options are one object
model.predict([[[1]]], 32)
// @ts-expect-error nothing to save to
model.save()
