/**
 * The table of the layers of Keras 2 and 3, for both ways: one entry a class. A class without an
 * entry is read as Keras 1.2.2 writes it, but for the keys of every layer (`EVERY`), and never
 * written. Where Keras 2 computes something that an option of Keras 1.2.2 cannot say, or the other
 * way round, the entry refuses it.
 */
import {
  asIs,
  initializer,
  limit,
  paddingOf,
  paddingOfWindows,
  penalty,
  unitForgetBias,
} from './back.js'
import { ANY, type Config, type Rule } from './rule.js'
import {
  border,
  borderOfWindows,
  constraint,
  consumeLess,
  forgetBias,
  initialization,
  mirrored,
  pairOf,
  precision,
  regularizer,
  rowsOf,
  sidesOf,
  single,
} from './values.js'

/** The rule of every layer. Keras 2 lets masks into all of them. */
export const EVERY: Rule = {
  implied: { accept_mask: true },
  keys: {
    activity_regularizer: ['activity_regularizer', regularizer, penalty],
    dtype: ['dtype', precision, asIs],
  },
  same: ['name', 'trainable'],
  dropped: {
    accept_mask: ANY,
    batch_input_shape: ANY, // an InputLayer says it
    input_dtype: ANY,
    input_dim: ANY,
    input_length: ANY,
    dim_ordering: ['tf'],
    sparse: [false],
  },
  ignored: {
    activity_regularizer: [null],
    ragged: [false],
    sparse: [false],
    autocast: [true],
    build_input_shape: ANY,
    data_format: ['channels_last', null], // null: Keras' own default, which is that
    quantization_config: [null],
    lora_rank: [null],
    lora_alpha: [null],
    seed: ANY, // it would not draw the same numbers here
  },
}

const dense: Rule = {
  keys: {
    units: 'output_dim',
    use_bias: 'bias',
    kernel_initializer: ['init', initialization, initializer],
    kernel_regularizer: ['W_regularizer', regularizer, penalty],
    bias_regularizer: ['b_regularizer', regularizer, penalty],
    kernel_constraint: ['W_constraint', constraint, limit],
    bias_constraint: ['b_constraint', constraint, limit],
  },
  same: ['activation'],
  ignored: { bias_initializer: ANY },
}

const recurrent: Rule = {
  keys: {
    units: 'output_dim',
    kernel_initializer: ['init', initialization, initializer],
    recurrent_initializer: ['inner_init', initialization, initializer],
    kernel_regularizer: ['W_regularizer', regularizer, penalty],
    recurrent_regularizer: ['U_regularizer', regularizer, penalty],
    bias_regularizer: ['b_regularizer', regularizer, penalty],
    use_bias: 'bias',
    dropout: 'dropout_W',
    recurrent_dropout: 'dropout_U',
    implementation: ['consume_less', consumeLess],
  },
  same: [
    'activation',
    'go_backwards',
    'return_sequences',
    'stateful',
    'unroll',
    'zero_output_for_mask',
  ],
  // how a step is computed, and what is kept of it, changes no result
  dropped: { consume_less: ANY, checkpoint: ANY, initial_state: ['zero'] },
  ignored: {
    bias_initializer: ANY,
    kernel_constraint: [null],
    recurrent_constraint: [null],
    bias_constraint: [null],
    return_state: [false],
    time_major: [false],
    use_cudnn: ANY,
  },
}
const gated: Rule = {
  ...recurrent,
  keys: { ...recurrent.keys, recurrent_activation: 'inner_activation' },
}

const lstm: Rule = {
  ...gated,
  keys: { ...gated.keys, unit_forget_bias: ['forget_bias_init', forgetBias, unitForgetBias] },
}

const { use_bias: _bias, ...withoutBias } = lstm.keys ?? {}

/**
 * Layers of the cuDNN library, which have no options for what they compute;
 * cudnn.ts reads their weights.
 */
const cudnn = (as: string, rule: Rule, own: Config = {}): Rule => ({
  ...rule,
  as,
  from: [], // a layer of cuDNN is read, never written
  implied: { activation: 'tanh', inner_activation: 'sigmoid', ...own },
})

const noise = (keys: NonNullable<Rule['keys']>): Rule => ({
  keys,
  ignored: { noise_shape: [null] },
  dropped: { seed: ANY },
})

/** Layers of filters: the same as `dense`, with windows. */
const filters: Rule = {
  keys: {
    ...dense.keys,
    filters: 'nb_filter',
    kernel_size: ['filter_length', single, asIs],
    strides: ['subsample_length', single, asIs],
    padding: ['border_mode', border, paddingOf],
    dilation_rate: [
      'atrous_rate',
      (value, refuse) => (single(value, refuse) === 1 ? undefined : single(value, refuse)),
      asIs,
    ],
  },
  same: ['activation'],
  ignored: { ...dense.ignored, groups: [1] },
}

const pooling: Rule = {
  keys: {
    pool_size: ['pool_length', single, asIs],
    strides: ['stride', single, asIs],
    padding: ['border_mode', borderOfWindows, paddingOfWindows],
  },
}
const globalPooling: Rule = { ignored: { keepdims: [false] } }

/** Of a Merge whose mode is a function, which is refused by its mode. */
const OF_FUNCTIONS = [
  'arguments',
  'mode_type',
  'output_shape',
  'output_shape_type',
  'output_mask',
  'output_mask_type',
]

/** Layers of several inputs, each of which is a mode of Merge in Keras 1. */
const merged = (mode: string): Rule => ({
  as: 'Merge',
  implied: { mode, accept_mask: undefined },
  dropped: {
    ...Object.fromEntries(OF_FUNCTIONS.map((key) => [key, ANY])),
    concat_axis: ANY,
    dot_axes: ANY,
  },
})

/** Layers of rows and columns; channels come last in all of them. */
const windows2D: Rule = {
  keys: {
    strides: ['strides', pairOf, asIs],
    pool_size: ['pool_size', pairOf, asIs],
    padding: ['border_mode', borderOfWindows, paddingOfWindows],
  },
}

export const TABLE: Readonly<Record<string, Rule>> = {
  Activation: { same: ['activation'] },
  ActivityRegularization: { same: ['l1', 'l2'] },
  Add: merged('sum'),
  // two inputs, [query, value]; ours of its name has other ways to score, too
  Attention: {
    ignored: { score_mode: ['dot'], use_scale: [false], dropout: [0] },
    implied: { score: 'dot' },
  },
  Average: merged('ave'),
  AveragePooling1D: pooling,
  AveragePooling2D: windows2D,
  BatchNormalization: {
    keys: {
      axis: ['axis', single, asIs],
      gamma_initializer: ['gamma_init', initialization, initializer],
      beta_initializer: ['beta_init', initialization, initializer],
      gamma_regularizer: ['gamma_regularizer', regularizer, penalty],
      beta_regularizer: ['beta_regularizer', regularizer, penalty],
    },
    same: ['center', 'epsilon', 'momentum', 'scale'],
    dropped: { mode: [0] },
    ignored: {
      moving_mean_initializer: ANY,
      moving_variance_initializer: ANY,
      gamma_constraint: [null],
      beta_constraint: [null],
      synchronized: [false],
      renorm: [false],
      renorm_clipping: ANY,
      renorm_momentum: ANY,
    },
  },
  Bidirectional: { keys: { backward_layer: ['backward_layer', mirrored] }, same: ['merge_mode'] },
  Conv1D: {
    ...filters,
    as: ({ dilation_rate: rate }) =>
      [rate ?? 1].flat()[0] === 1 ? 'Convolution1D' : 'AtrousConvolution1D',
    from: ['Convolution1D', 'AtrousConvolution1D'],
  },
  Conv2D: {
    keys: {
      ...dense.keys,
      filters: 'nb_filter',
      kernel_size: ['nb_row', rowsOf, (rows, _refuse, { nb_col: columns }) => [rows, columns]],
      strides: ['subsample', pairOf, asIs],
      padding: [
        'border_mode',
        (value, refuse, config) =>
          value === 'causal' ? refuse("'valid' or 'same'") : border(value, refuse, config),
        paddingOf,
      ],
    },
    same: ['activation'],
    dropped: { nb_col: ANY },
    ignored: { ...dense.ignored, groups: [1], dilation_rate: [[1, 1], 1] },
    implied: ({ kernel_size: size }) => ({ nb_col: [size].flat().at(-1) }),
    as: 'Convolution2D',
  },
  ConvLSTM2D: {
    keys: {
      ...withoutBias,
      filters: 'nb_filter',
      kernel_size: ['nb_row', rowsOf],
      strides: 'subsample',
      padding: ['border_mode', borderOfWindows],
    },
    ignored: {
      ...lstm.ignored,
      use_bias: [true],
      unroll: ANY,
      dilation_rate: [[1, 1], 1],
      implementation: ANY,
      zero_output_for_mask: [false],
    },
    implied: ({ kernel_size: size }) => ({
      nb_col: [size].flat().at(-1),
      inner_border_mode: 'same_tf',
    }),
  },
  CuDNNGRU: cudnn('GRU', gated, { reset_after: true }),
  CuDNNLSTM: cudnn('LSTM', lstm),
  Concatenate: { ...merged('concat'), keys: { axis: 'concat_axis' } },
  Cropping1D: { same: ['cropping'] },
  Dense: dense,
  Dot: { ...merged('dot'), keys: { axes: 'dot_axes' }, ignored: { normalize: [false] } },
  Dropout: noise({ rate: 'p' }),
  Embedding: {
    keys: {
      embeddings_initializer: ['init', initialization, initializer],
      embeddings_regularizer: ['W_regularizer', regularizer, penalty],
      embeddings_constraint: ['W_constraint', constraint, limit],
    },
    same: ['input_dim', 'mask_zero', 'output_dim'],
    ignored: { sparse: [false] },
    dropped: { dropout: [0] },
  },
  ELU: { same: ['alpha'] },
  Flatten: {},
  GRU: {
    ...gated,
    same: [...(recurrent.same ?? []), 'reset_after'],
    otherwise: { reset_after: false },
  },
  GlobalAveragePooling1D: globalPooling,
  GlobalMaxPooling1D: globalPooling,
  GaussianDropout: noise({ rate: 'p' }),
  GaussianNoise: noise({ stddev: 'sigma' }),
  InputLayer: { keys: { batch_shape: 'batch_input_shape' }, ignored: { optional: [false] } },
  LSTM: lstm,
  LeakyReLU: { keys: { negative_slope: 'alpha' }, same: ['alpha'] },
  LocallyConnected1D: { ...filters, ignored: { ...filters.ignored, implementation: [1] } },
  Masking: { same: ['mask_value'] },
  MaxPooling1D: pooling,
  MaxPooling2D: windows2D,
  Maximum: merged('max'),
  Multiply: merged('mul'),
  PReLU: {
    keys: { alpha_initializer: ['init', initialization, initializer] },
    same: ['shared_axes'],
    ignored: { alpha_regularizer: [null], alpha_constraint: [null] },
  },
  Permute: { same: ['dims'] },
  ReLU: { same: ['max_value', 'negative_slope', 'threshold'] },
  RepeatVector: { same: ['n'] },
  Reshape: { same: ['target_shape'] },
  SimpleRNN: recurrent,
  Softmax: { keys: { axis: ['axis', single, asIs] } },
  // it has no weights, and Keras 3 refuses to be told whether they train
  SpatialDropout1D: { ...noise({ rate: 'p' }), dropped: { seed: ANY, trainable: ANY } },
  ThresholdedReLU: { same: ['theta'] },
  TimeDistributed: {},
  UpSampling1D: { keys: { size: ['length', single, asIs] } },
  UpSampling2D: {
    keys: { size: ['size', pairOf, asIs] },
    ignored: { interpolation: ['nearest'] },
  },
  ZeroPadding1D: { same: ['padding'] },
  ZeroPadding2D: { keys: { padding: ['padding', sidesOf] } },
}
