/**
 * The bad calls whose error Keras recorded (case `errors` of g_fit), made here in the same way.
 * Where Keras raised, this package must raise a HiddenstateError with a stable code; where Keras
 * accepted, it must not crash (it may be stricter).
 */
import { HiddenstateError } from '../package.js'
import * as main from '../package.js'
import type { Check } from './compare.js'
import { find, has } from './driver.js'
import { NOT_YET } from './not-yet.js'

type Call = () => unknown

const zeros = (...shape: number[]): { data: Float32Array; shape: number[] } => ({
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  shape,
})
const ones = (...shape: number[]): { data: Float32Array; shape: number[] } => {
  const a = zeros(...shape)
  a.data.fill(1)
  return a
}
const x = zeros(4, 5, 3)
const y = zeros(4, 3)
const quiet = { verbose: 0, nbEpoch: 1 } as const

// What a wrong call passes is wrong on purpose: no types here.
// biome-ignore lint/suspicious/noExplicitAny: bad calls do not type-check
type Any = any
const make = (name: string, ...args: unknown[]): Any => new (find<Any>(name))(...args)
const seq = (...layers: unknown[]): Any => new (main.Sequential as Any)(layers)
const {
  Dense,
  GRU,
  SimpleRNN,
  Masking,
  Embedding,
  Flatten,
  Reshape,
  Activation,
  Dropout,
  Bidirectional,
} = main as Any

const build = (): Any =>
  seq(new GRU(4, { inputShape: [5, 3] }), new Dense(3, { activation: 'softmax' }))
const comp = (model: Any = build(), loss = 'categorical_crossentropy', more: object = {}): Any => {
  model.compile({ optimizer: 'sgd', loss, ...more })
  return model
}
const stateful = (): Any =>
  comp(seq(new GRU(3, { batchInputShape: [3, 5, 3], stateful: true })), 'mse')

const MODEL: Record<string, Call> = {
  'first layer without input shape': () => seq(new Dense(3)),
  'add a non-layer': () => seq(3),
  'empty model compile': () => comp(seq(), 'mse'),
  'pop on empty': () => seq().pop(),
  'fit before compile': () => build().fit(x, y, quiet),
  'train_on_batch before compile': () => build().trainOnBatch(x, y),
  'predict before compile': () => build().predict(x),
  'evaluate before compile': () => build().evaluate(x, y),
  'two inputs to one-input model': () => comp().fit([x, x], y, quiet),
  'dict of inputs with wrong name': () => comp().fit({ foo: x }, y, quiet),
  'unknown fit kwarg': () => comp().fit(x, y, { ...quiet, epochs: 3 }),
  'set_weights wrong count': () => build().layers[0].setWeights([zeros(3, 4)]),
  'set_weights wrong shape': () => build().layers[1].setWeights([zeros(3, 4), zeros(3)]),
  'get_layer bad name': () => build().getLayer({ name: 'foo' }),
  'get_layer bad index': () => build().getLayer({ index: 7 }),
  'reset_states on non stateful layer': () => build().layers[0].resetStates(),
  'reset_states on non stateful model': () => build().resetStates(),
  'duplicate layer names': () =>
    comp(seq(new Dense(3, { inputDim: 2, name: 'a' }), new Dense(3, { name: 'a' })), 'mse'),
  'shared layer added twice': () => {
    const d = new Dense(2, { inputDim: 2 })
    return seq(d, d)
  },
  'load_model missing file': () => find<Any>('loadModel')('/nonexistent.h5'),
}

const DATA: Record<string, Call> = {
  'predict wrong rank': () => build().predict(zeros(4, 3)),
  'predict wrong dim': () => build().predict(zeros(4, 6, 3)),
  'predict_on_batch wrong dim': () => build().predictOnBatch(zeros(4, 5, 2)),
  'fit target wrong shape': () => comp().fit(x, zeros(4, 2), quiet),
  'fit target int classes with cce': () => comp().fit(x, zeros(4, 1), quiet),
  'fit target wrong shape mse': () => comp(build(), 'mse').fit(x, zeros(4, 2), quiet),
  'x and y lengths differ': () => comp().fit(x, zeros(3, 3), quiet),
  'sample_weight length differs': () => comp().fit(x, y, { ...quiet, sampleWeight: ones(3) }),
  'sample_weight 2D without temporal': () =>
    comp().fit(x, y, { ...quiet, sampleWeight: ones(4, 2) }),
  'temporal with 2D output': () =>
    comp(build(), undefined, { sampleWeightMode: 'temporal' }).fit(x, y, {
      ...quiet,
      sampleWeight: ones(4, 2),
    }),
  'sample_weight_mode bad': () =>
    comp(build(), undefined, { sampleWeightMode: 'foo' }).fit(x, y, quiet),
  'class_weight 3D target': () => {
    const model = comp(seq(new GRU(3, { returnSequences: true, inputShape: [5, 3] })))
    return model.fit(x, zeros(4, 5, 3), { ...quiet, classWeight: { 0: 1 } })
  },
  'class_weight missing class': () => comp().fit(x, y, { ...quiet, classWeight: { 1: 1 } }),
  'x is a list of lists': () => comp().fit([[1, 2]], y, quiet),
  'x is None': () => comp().predict(null),
  'validation_split and data': () => comp().fit(x, y, { ...quiet, validationSplit: 1.5 }),
  'validation_data wrong len': () => comp().fit(x, y, { ...quiet, validationData: [x] }),
  'EarlyStopping unknown monitor': () =>
    comp().fit(x, y, { ...quiet, callbacks: [make('EarlyStopping', { monitor: 'val_loss' })] }),
  'stateful fit with n not divisible': () => stateful().fit(x, y, { ...quiet, batchSize: 3 }),
  'stateful predict with n not divisible': () => stateful().predict(x, { batchSize: 3 }),
  'stateful batch wrong size': () => stateful().trainOnBatch(x, y),
}

const OPTIONS: Record<string, Call> = {
  'unknown layer kwarg': () => new Dense(3, { units: 4 }),
  'unknown loss': () => comp(build(), 'nope'),
  'unknown optimizer': () => build().compile({ optimizer: 'nope', loss: 'mse' }),
  'unknown metric': () => comp(build(), 'mse', { metrics: ['nope'] }),
  'unknown activation': () => new Dense(3, { activation: 'nope' }),
  'unknown init': () => new Dense(3, { init: 'nope' }),
  'unknown regularizer': () => new Dense(3, { WRegularizer: 'nope' }),
  'unknown constraint': () => new Dense(3, { WConstraint: 'nope' }),
  'optimizer bad kwarg': () => make('SGD', { foo: 1 }),
  'stateful without batch size': () => seq(new GRU(3, { inputShape: [4, 2], stateful: true })),
  'stateful SimpleRNN without batch size': () =>
    seq(new SimpleRNN(3, { inputShape: [4, 2], stateful: true })),
  'unroll without length': () => seq(new GRU(3, { inputDim: 2, unroll: true })),
  'bad consume_less': () => seq(new GRU(3, { inputShape: [4, 2], consumeLess: 'foo' })),
  'bad consume_less SimpleRNN': () =>
    seq(new SimpleRNN(3, { inputShape: [4, 2], consumeLess: 'foo' })),
  'Bidirectional bad merge': () => new Bidirectional(new GRU(3), { mergeMode: 'foo' }),
  'layer weights arg wrong shape': () =>
    seq(new Dense(3, { inputDim: 2, weights: [zeros(3, 3), zeros(3)] })),
  'identity init non square': () => seq(new Dense(3, { inputDim: 2, init: 'identity' })),
  'Dropout level 1': () => seq(new Dropout(1, { inputShape: [3] })),
  'BatchNormalization mode 3': () => seq(make('BatchNormalization', { mode: 3, inputShape: [3] })),
  'conv bad border': () => make('Convolution1D', 3, 2, { borderMode: 'full' }),
}

const SHAPES: Record<string, Call> = {
  'rnn on 2D input': () => seq(new Dense(3, { inputDim: 2 }), new GRU(3)),
  'rnn after non-sequence rnn': () => seq(new GRU(3, { inputShape: [4, 2] }), new GRU(3)),
  'Bidirectional None in Sequential': () =>
    seq(new Bidirectional(new GRU(3), { mergeMode: null, inputShape: [4, 2] })),
  'mask into Flatten': () => seq(new Masking({ inputShape: [4, 2] }), new Flatten()),
  'mask into Conv1D': () =>
    seq(new Embedding(4, 2, { maskZero: true, inputLength: 5 }), make('Convolution1D', 3, 2)),
  'mask into pooling': () =>
    seq(new Embedding(4, 2, { maskZero: true, inputLength: 5 }), make('GlobalMaxPooling1D')),
  'Flatten with unknown length': () =>
    seq(new GRU(3, { inputDim: 2, returnSequences: true }), new Flatten()),
  'Reshape wrong size': () => seq(new Reshape([3, 5], { inputShape: [4, 2] })),
  'Merge with one': () => make('Merge', [new Dense(2, { inputDim: 2 })], { mode: 'sum' }),
  'Merge bad mode': () =>
    make('Merge', [new Dense(2, { inputDim: 2 }), new Dense(2, { inputDim: 2 })], { mode: 'foo' }),
  'Merge shape mismatch': () =>
    seq(
      make('Merge', [seq(new Dense(2, { inputDim: 2 })), seq(new Dense(3, { inputDim: 2 }))], {
        mode: 'sum',
      }),
    ),
  'Merge concat mismatch': () => {
    const branch = (steps: number): Any =>
      seq(new GRU(2, { returnSequences: true, inputShape: [steps, 2] }))
    return seq(make('Merge', [branch(3), branch(4)], { mode: 'concat' }))
  },
  'conv too long': () => seq(make('Convolution1D', 3, 9, { inputShape: [4, 2] })),
  'softmax on 4D': () => seq(new Activation('softmax', { inputShape: [2, 3, 4] })),
}

const PREPROCESSING: Record<string, Call> = {
  'pad_sequences bad padding': () => find<Any>('padSequences')([[1]], { padding: 'foo' }),
  'pad_sequences bad truncating': () => find<Any>('padSequences')([[1]], { truncating: 'foo' }),
  'pad_sequences not a list of lists': () => find<Any>('padSequences')([1, 2]),
  'pad_sequences inconsistent': () => find<Any>('padSequences')([[[1, 2]], [[1, 2, 3]]]),
  'Tokenizer bad mode': () => {
    const t = make('Tokenizer')
    t.fitOnTexts(['a'])
    return t.textsToMatrix(['a'], { mode: 'foo' })
  },
  'Tokenizer unfitted': () => make('Tokenizer').textsToSequences(['a']),
  'Tokenizer tfidf unfitted': () =>
    make('Tokenizer', { nbWords: 3 }).sequencesToMatrix([[1]], { mode: 'tfidf' }),
  'to_categorical out of range': () => find<Any>('toCategorical')([3], { nbClasses: 2 }),
  'to_categorical negative': () => find<Any>('toCategorical')([-1, 0], { nbClasses: 2 }),
}

const CALLS: Record<string, Call> = { ...MODEL, ...DATA, ...OPTIONS, ...SHAPES, ...PREPROCESSING }

/** Names in a call that the package may lack as yet. */
const NEEDS: [RegExp, string][] = [
  [/Merge/, 'Merge'],
  [/[Cc]onv/, 'Convolution1D'],
  [/pooling/, 'GlobalMaxPooling1D'],
  [/BatchNormalization/, 'BatchNormalization'],
]

/** Keras raised, this package does not: with the reason. */
const LENIENT: Record<string, string> = {}

export async function checkErrors(
  recorded: [string, string | null, string][],
  check: Check,
): Promise<void> {
  for (const [what, kind, text] of recorded) {
    const needs = NEEDS.find(([pattern]) => pattern.test(what))?.[1]
    if (needs && NOT_YET.has(needs) && !has(needs)) continue
    const call = CALLS[what]
    if (!call) {
      check.ok(`errors.ts has no call for "${what}"`, false)
      continue
    }
    let thrown: unknown
    try {
      await call()
    } catch (error) {
      thrown = error
    }
    if (thrown === undefined) {
      const fine = kind === null || LENIENT[what] !== undefined
      check.ok(`${what}: Keras raised ${kind} (${text.slice(0, 80)}), nothing was thrown`, fine)
      continue
    }
    const code = (thrown as { code?: unknown }).code
    const typed =
      thrown instanceof HiddenstateError && typeof code === 'string' && code !== 'ERR_INTERNAL'
    check.ok(
      `${what}: threw ${String(thrown)} (${String(code)}), not a HiddenstateError of the user's fault`,
      typed,
    )
  }
}
