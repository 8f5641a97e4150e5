/**
 * One or more samples of every layer: how it is made and what it is fed. The registry is the
 * package's own exports; a layer without a sample fails `every layer has a sample`, so a new layer
 * is in every contract from its first day.
 */
import * as main from '../package.js'
import { backend, Dense, GRU, type Layer, LSTM, SimpleRNN } from '../package.js'
import { integers, type Plain, uniform } from '../arrays.js'

export interface Sample {
  /** `LSTM masked`: the class, and what is special. */
  readonly title: string
  readonly className: string
  /** `options` are added to those of the sample. */
  make(options?: Record<string, unknown>): Layer
  /** Without the batch. */
  readonly inputShape: readonly number[]
  /** Word indices instead of reals. */
  readonly vocabulary?: number
  /** Puts a Masking in front, and zeros into the data. */
  readonly masked?: boolean
  /** Zeros in the data, as where `masked`, for a Masking inside. */
  readonly padded?: boolean
  /**
   * A layer of this many inputs, each of `inputShape`,
   * which can only be the first and knows its input.
   */
  readonly inputs?: number
  /** Whether it is a model, which knows its input. */
  readonly knowsInput?: boolean
}

type Class = (new (...args: never[]) => Layer) & { className: string }

/**
 * Every layer class the package exports: subclasses of Layer with a class name of their own. Models
 * and where they begin have tests of their own.
 */
export const LAYERS: Class[] = (Object.values(main) as unknown[]).filter(
  (e): e is Class =>
    typeof e === 'function' &&
    e.prototype instanceof main.Layer &&
    Object.hasOwn(e, 'className') &&
    ![main.Sequential, main.Model, main.InputLayer].includes(e as never),
)

type Make = (options: Record<string, unknown>) => Layer
const sample = (
  title: string,
  inputShape: number[],
  make: Make,
  more: Partial<Sample> = {},
): Sample => ({
  title,
  className: title.split(' ')[0] as string,
  inputShape,
  make: (options = {}) => make(options),
  ...more,
})

/** The sums of the steps so far. */
function sumsOfSteps(x: backend.Expr): backend.Expr {
  const { at, permuteDimensions, scan, zerosLike } = backend
  const [sums] = scan((x, sum) => [sum.add(x)], {
    sequences: permuteDimensions(x, [1, 0, 2]),
    outputsInfo: [zerosLike(at(x, 0, 1))],
  })
  return permuteDimensions(sums, [1, 0, 2])
}

/** An expression for a Lambda, the same one in each sample that is made. */
const bothSigns = (x: backend.Expr) => backend.concat(x, backend.sub(0, x))

const [B, T, D, H] = [3, 4, 3, 5]
const sequence = [T, D]

const recurrent = (
  [
    ['SimpleRNN', SimpleRNN],
    ['GRU', GRU],
    ['LSTM', LSTM],
  ] as const
).flatMap(([name, Class]) => {
  const make = (more: object) => (options: Record<string, unknown>) =>
    new Class(H, { ...more, ...options } as never)
  return [
    sample(name, sequence, make({})),
    sample(`${name} sequences`, sequence, make({ returnSequences: true })),
    sample(`${name} backwards`, sequence, make({ goBackwards: true, returnSequences: true })),
    sample(`${name} masked`, sequence, make({ returnSequences: true }), { masked: true }),
    sample(`${name} masked backwards`, sequence, make({ goBackwards: true }), { masked: true }),
    sample(`${name} without bias`, sequence, make({ bias: false, returnSequences: true })),
    sample(`${name} learned states`, sequence, make({ initialState: 'learned' }), { masked: true }),
    sample(`${name} fused`, sequence, make({ activation: 'sigmoid', consumeLess: 'gpu' })),
    sample(
      `${name} regularized`,
      sequence,
      make({ WRegularizer: 'l2', URegularizer: 'l2', bRegularizer: 'l2' }),
    ),
    ...(['concat', 'sum', 'mul', 'ave'] as const).map((mergeMode) =>
      sample(`Bidirectional ${name} ${mergeMode}`, sequence, (options) => {
        const inner = new Class(H, { returnSequences: mergeMode !== 'ave' } as never)
        return new main.Bidirectional(inner, { mergeMode, ...options } as never)
      }),
    ),
  ]
})

/** Cells that are expressions, and built-in ones that zoneout, here of no share, makes so. */
const written = [
  sample('PeepholeLSTM', sequence, (o) => new main.PeepholeLSTM(H, o)),
  sample('PeepholeLSTM matrices', sequence, (o) => {
    return new main.PeepholeLSTM(H, { peepholes: 'matrix', returnSequences: true, ...o })
  }),
  sample('ProjectedLSTM', sequence, (o) => new main.ProjectedLSTM(H, { projectionDim: 2, ...o })),
  sample('LayerNormLSTM', sequence, (o) => new main.LayerNormLSTM(H, o)),
  sample('RatedRecurrentUnit', sequence, (o) => new main.RatedRecurrentUnit(H, o)),
  sample('MinimalGatedUnit', sequence, (o) => new main.MinimalGatedUnit(H, o)),
  sample('IndRNN', sequence, (o) => new main.IndRNN(H, { returnSequences: true, ...o })),
  sample('GRU written', sequence, (o) => new GRU(H, { zoneout: { h: 0 }, ...o }), { masked: true }),
  sample(
    'LSTM written',
    sequence,
    (o) => new LSTM(H, { zoneout: { c: 0 }, returnSequences: true, initialState: 'learned', ...o }),
    { masked: true },
  ),
]

/** A model of attention of the steps to all steps. */
const toItself = ({ name, ...options }: Record<string, unknown>) => {
  const x = main.Input({ shape: sequence })
  const y = new main.Attention(options).call([x, x])
  return new main.Model({ input: x, output: y, ...(name ? { name: name as string } : {}) })
}

/** Branches whose outputs go together, from two or three inputs [T, D]. */
const merge = (
  title: string,
  make: () => Layer[][],
  more: object,
  rest: Partial<Sample> = {},
): Sample =>
  sample(
    `Merge ${title}`,
    sequence,
    ({ inputShape: _, ...options }) => {
      const branches = make().map((layers) => new main.Sequential(layers))
      return new main.Merge(branches, { ...more, ...options })
    },
    { inputs: make().length, ...rest },
  )
const flat = () => [new LSTM(H, { inputShape: sequence }), new Dense(2)]
const steps = () => [new GRU(H, { inputShape: sequence, returnSequences: true })]
const padded = () => [
  new main.Masking({ inputShape: sequence }),
  new GRU(H, { returnSequences: true }),
]

const {
  Activation,
  ActivityRegularization,
  BatchNormalization,
  Bidirectional,
  Dropout,
  ELU,
  Embedding,
} = main
const {
  GaussianDropout,
  GaussianNoise,
  Highway,
  Lambda,
  LeakyReLU,
  MaxoutDense,
  ParametricSoftplus,
  PReLU,
} = main
const { ReLU, Softmax, SpatialDropout1D, SReLU, ThresholdedReLU } = main
const {
  AtrousConvolution1D,
  AveragePooling1D,
  AveragePooling2D,
  Convolution1D,
  Convolution2D,
  ConvLSTM2D,
} = main
const {
  Cropping1D,
  GlobalAveragePooling1D,
  GlobalMaxPooling1D,
  LocallyConnected1D,
  MaxPooling1D,
  MaxPooling2D,
} = main
const { UpSampling1D, UpSampling2D, ZeroPadding1D, ZeroPadding2D } = main
const { Flatten, Masking, Permute, RepeatVector, Reshape, TimeDistributed, TimeDistributedDense } =
  main

const image = [4, 3, 2]
const images = [3, ...image]
const windows = [
  sample('Convolution1D', sequence, (o) => new Convolution1D(H, 2, { activation: 'tanh', ...o })),
  sample(
    'Convolution1D same',
    sequence,
    (o) => new Convolution1D(H, 3, { borderMode: 'same', subsampleLength: 2, ...o }),
  ),
  sample(
    'Convolution1D full',
    sequence,
    (o) => new Convolution1D(H, 3, { borderMode: 'full', bias: false, ...o }),
  ),
  sample(
    'Convolution1D regularized',
    sequence,
    (o) =>
      new Convolution1D(H, 2, {
        WRegularizer: 'l2',
        bRegularizer: 'l1',
        activityRegularizer: 'activity_l2',
        ...o,
      }),
  ),
  sample(
    'Convolution1D same_tf',
    sequence,
    (o) => new Convolution1D(H, 2, { borderMode: 'same_tf', ...o }),
  ),
  sample(
    'Convolution1D causal',
    sequence,
    (o) => new Convolution1D(H, 3, { borderMode: 'causal', ...o }),
  ),
  sample(
    'AtrousConvolution1D',
    sequence,
    (o) => new AtrousConvolution1D(H, 2, { atrousRate: 2, ...o }),
  ),
  sample(
    'LocallyConnected1D',
    sequence,
    (o) => new LocallyConnected1D(H, 2, { activation: 'tanh', ...o }),
  ),
  ...[MaxPooling1D, AveragePooling1D].flatMap((Class) => [
    sample(Class.className, sequence, (o) => new Class({ poolLength: 2, ...o })),
    sample(
      `${Class.className} same`,
      sequence,
      (o) => new Class({ poolLength: 3, stride: 2, borderMode: 'same', ...o }),
    ),
  ]),
  sample('GlobalMaxPooling1D', sequence, (o) => new GlobalMaxPooling1D(o)),
  sample('GlobalAveragePooling1D', sequence, (o) => new GlobalAveragePooling1D(o)),
  sample('UpSampling1D', sequence, (o) => new UpSampling1D({ length: 3, ...o })),
  sample('ZeroPadding1D', sequence, (o) => new ZeroPadding1D({ padding: [1, 2], ...o })),
  sample(
    'ZeroPadding1D sides',
    sequence,
    (o) => new ZeroPadding1D({ padding: { rightPad: 2 }, ...o }),
  ),
  sample('Cropping1D', sequence, (o) => new Cropping1D({ cropping: [1, 0], ...o })),
  ...(['tf', 'th'] as const).flatMap((dimOrdering) => [
    sample(
      `Convolution2D ${dimOrdering}`,
      image,
      (o) =>
        new Convolution2D(H, 3, 2, {
          borderMode: 'same',
          subsample: [2, 1],
          dimOrdering,
          activation: 'tanh',
          ...o,
        }),
    ),
    sample(
      `MaxPooling2D ${dimOrdering}`,
      image,
      (o) => new MaxPooling2D({ dimOrdering, borderMode: 'same', ...o }),
    ),
    sample(
      `AveragePooling2D ${dimOrdering}`,
      image,
      (o) => new AveragePooling2D({ dimOrdering, poolSize: [2, 1], strides: [1, 2], ...o }),
    ),
    sample(
      `UpSampling2D ${dimOrdering}`,
      image,
      (o) => new UpSampling2D({ size: [2, 3], dimOrdering, ...o }),
    ),
    sample(
      `ZeroPadding2D ${dimOrdering}`,
      image,
      (o) => new ZeroPadding2D({ padding: [1, 0, 2, 1], dimOrdering, ...o }),
    ),
    sample(
      `ConvLSTM2D ${dimOrdering}`,
      images,
      (o) =>
        new ConvLSTM2D(2, 2, 2, { dimOrdering, borderMode: 'same', returnSequences: true, ...o }),
    ),
    sample(
      `ConvLSTM2D backwards ${dimOrdering}`,
      images,
      (o) =>
        new ConvLSTM2D(2, 2, 1, {
          dimOrdering,
          goBackwards: true,
          subsample: [1, 2],
          WRegularizer: 'l2',
          ...o,
        }),
    ),
  ]),
  sample(
    'TimeDistributed Convolution2D',
    images,
    (o) => new TimeDistributed(new Convolution2D(H, 2, 2), o as never),
  ),
]

export const SAMPLES: Sample[] = [
  ...windows,
  ...recurrent,
  ...written,
  sample('Attention', sequence, ({ inputShape: _, ...o }) => toItself(o), { knowsInput: true }),
  sample('CRF marginals', sequence, (o) => new main.CRF(3, { returns: 'marginals', ...o })),
  sample('AttentionPooling', sequence, (o) => new main.AttentionPooling(o)),
  sample(
    'AttentionPooling masked',
    sequence,
    (o) => new main.AttentionPooling({ units: 2, ...o }),
    {
      masked: true,
    },
  ),
  ...(['sum', 'mul', 'ave', 'max', 'concat'] as const).flatMap((mode) => [
    merge(mode, () => [flat(), flat(), flat()], { mode }),
    merge(`${mode} sequences`, () => [steps(), steps()], { mode }),
  ]),
  merge('concat steps', () => [steps(), steps()], { mode: 'concat', concatAxis: 1 }),
  merge('concat masked', () => [padded(), steps()], { mode: 'concat' }, { padded: true }),
  merge(
    'concat masked steps',
    () => [padded(), steps()],
    { mode: 'concat', concatAxis: 1 },
    { padded: true },
  ),
  merge('sum masked', () => [padded(), padded()], { mode: 'sum' }, { padded: true }),
  merge('dot', () => [flat(), flat()], { mode: 'dot' }),
  merge('dot sequences', () => [steps(), steps()], { mode: 'dot' }),
  merge('dot of steps and one', () => [steps(), [new LSTM(H, { inputShape: sequence })]], {
    mode: 'dot',
  }),
  merge('dot of other axes', () => [steps(), steps()], { mode: 'dot', dotAxes: [1, 1] }),
  merge('cos', () => [flat(), flat()], { mode: 'cos' }),
  sample('GRU resetAfter', sequence, (o) => new GRU(H, { resetAfter: true, ...o })),
  sample('GRU resetAfter masked', sequence, (o) => new GRU(H, { resetAfter: true, ...o }), {
    masked: true,
  }),
  sample('Bidirectional masked', sequence, (o) => new Bidirectional(new LSTM(H), o as never), {
    masked: true,
  }),
  sample('Dense', [D], (o) => new Dense(H, { activation: 'tanh', ...o })),
  sample('Dense 3D', sequence, (o) => new Dense(H, o)),
  sample(
    'Dense without bias',
    [D],
    (o) => new Dense(H, { bias: false, activation: 'softmax', ...o }),
  ),
  sample(
    'Dense activity',
    [D],
    (o) => new Dense(H, { activityRegularizer: 'activity_l2', WRegularizer: 'l2', ...o }),
  ),
  ...[
    'tanh',
    'sigmoid',
    'softplus',
    'softsign',
    'softmax',
    'linear',
    'elu',
    'relu',
    'hard_sigmoid',
  ].map((name) => sample(`Activation ${name}`, sequence, (o) => new Activation(name as never, o))),
  sample('ActivityRegularization', [D], (o) => new ActivityRegularization({ l2: 0.1, ...o })),
  ...([0, 1, 2] as const).flatMap((mode) => [
    sample(`BatchNormalization mode ${mode}`, [D], (o) => new BatchNormalization({ mode, ...o })),
    sample(
      `BatchNormalization mode ${mode} 3D`,
      sequence,
      (o) => new BatchNormalization({ mode, ...o }),
    ),
  ]),
  sample(
    'BatchNormalization axis 1',
    sequence,
    (o) => new BatchNormalization({ axis: 1, gammaRegularizer: 'l2', ...o }),
  ),
  sample(
    'BatchNormalization bare',
    sequence,
    (o) => new BatchNormalization({ center: false, scale: false, ...o }),
  ),
  sample('BatchNormalization masked', sequence, (o) => new BatchNormalization(o), { masked: true }),
  sample('Dropout', [D], (o) => new Dropout(0, o)),
  sample('ELU', sequence, (o) => new ELU({ alpha: 0.5, ...o })),
  sample('GaussianDropout', [D], (o) => new GaussianDropout(0, o)),
  sample('GaussianNoise', sequence, (o) => new GaussianNoise(0, o)),
  sample('Highway', [D], (o) => new Highway({ activation: 'tanh', bRegularizer: 'l2', ...o })),
  sample('Lambda', sequence, (o) => new Lambda(bothSigns, o)),
  sample('Lambda with a loop', sequence, (o) => new Lambda(sumsOfSteps, o)),
  sample('Lambda over steps', sequence, (o) => new Lambda((x) => backend.mean(x, 1), o)),
  sample('LeakyReLU', sequence, (o) => new LeakyReLU(o)),
  sample(
    'ReLU',
    sequence,
    (o) => new ReLU({ maxValue: 0.9, negativeSlope: 0.2, threshold: 0.1, ...o }),
  ),
  sample('Softmax', sequence, (o) => new Softmax(o)),
  sample('Softmax steps', sequence, (o) => new Softmax({ axis: 1, ...o })),
  sample('Dense swish', sequence, (o) => new Dense(H, { activation: 'swish', ...o })),
  sample(
    'LSTM swish',
    sequence,
    (o) => new LSTM(H, { activation: 'swish', innerActivation: 'swish', ...o }),
  ),
  sample(
    'MaxoutDense',
    [D],
    (o) => new MaxoutDense(H, { nbFeature: 3, activityRegularizer: 'activity_l2', ...o }),
  ),
  sample('ParametricSoftplus', sequence, (o) => new ParametricSoftplus(o)),
  sample('PReLU', sequence, (o) => new PReLU({ init: 'uniform', ...o })),
  sample('PReLU shared', sequence, (o) => new PReLU({ sharedAxes: [1], ...o })),
  sample('SpatialDropout1D', sequence, (o) => new SpatialDropout1D(0, o)),
  sample('SReLU', sequence, (o) => new SReLU(o)),
  sample('SReLU shared', [D], (o) => new SReLU({ sharedAxes: 1, ...o })),
  sample('ThresholdedReLU', sequence, (o) => new ThresholdedReLU({ theta: 0.2, ...o })),
  sample('Flatten', sequence, (o) => new Flatten(o)),
  sample('Masking', sequence, (o) => new Masking(o)),
  sample('Permute', sequence, (o) => new Permute([2, 1], o)),
  sample('RepeatVector', [D], (o) => new RepeatVector(4, o)),
  sample('Reshape', sequence, (o) => new Reshape([D, -1], o)),
  sample('TimeDistributed Dense', sequence, (o) => new TimeDistributed(new Dense(H), o as never)),
  sample('TimeDistributed LSTM', [2, T, D], (o) => new TimeDistributed(new LSTM(H), o as never)),
  sample(
    'TimeDistributed Dense masked',
    sequence,
    (o) => new TimeDistributed(new Dense(H), o as never),
    {
      masked: true,
    },
  ),
  sample(
    'TimeDistributed BatchNormalization',
    sequence,
    (o) => new TimeDistributed(new BatchNormalization(), o as never),
  ),
  sample(
    'TimeDistributed MaxoutDense',
    sequence,
    (o) => new TimeDistributed(new MaxoutDense(H), o as never),
  ),
  sample('TimeDistributed PReLU', sequence, (o) => new TimeDistributed(new PReLU(), o as never)),
  sample('TimeDistributedDense', sequence, (o) => new TimeDistributedDense(H, o)),
  sample('Embedding', [T], (o) => new Embedding(7, D, o), { vocabulary: 7 }),
  sample('Embedding masked', [T], (o) => new Embedding(7, D, { maskZero: true, ...o }), {
    vocabulary: 7,
  }),
]

/**
 * Data for a sample: `batch` of them; where it is masked, the last step of the first and all of the
 * second are zeros. A list where it has several inputs.
 */
export function dataFor(s: Sample, batch = B, seed = 5): Plain | Plain[] {
  if (s.inputs) return Array.from({ length: s.inputs }, (_, i) => oneFor(s, batch, seed + i))
  return oneFor(s, batch, seed)
}

function oneFor(s: Sample, batch: number, seed: number): Plain {
  const shape = [batch, ...s.inputShape]
  if (s.vocabulary) return integers(seed, shape, 0, s.vocabulary)
  const x = uniform(seed, shape)
  if (s.masked || s.padded) {
    x.data.fill(0, (T - 1) * D, T * D)
    if (batch > 1) x.data.fill(0, T * D, 2 * T * D)
  }
  return x
}

/** The sample as a model, in front of it a Masking where it is to be masked. */
export function modelFor(s: Sample, options: Record<string, unknown> = {}): main.Sequential {
  if (!s.masked) return new main.Sequential([s.make({ inputShape: s.inputShape, ...options })])
  return new main.Sequential([
    new Masking({ inputShape: s.inputShape as number[] }),
    s.make(options),
  ])
}
