/**
 * The table of the layers of Keras 2 and 3: one entry a class. A class without an entry is written
 * as Keras 1.2.2 writes it, but for the keys of every layer (`EVERY`). Where Keras 2 computes
 * something that an option of Keras 1.2.2 cannot say, the entry refuses it.
 */
import { ANY, type Config, type Rule } from './rule.js'
import {
  border,
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
    activity_regularizer: ['activity_regularizer', regularizer],
    dtype: ['dtype', precision],
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
    kernel_initializer: ['init', initialization],
    kernel_regularizer: ['W_regularizer', regularizer],
    bias_regularizer: ['b_regularizer', regularizer],
    kernel_constraint: ['W_constraint', constraint],
    bias_constraint: ['b_constraint', constraint],
  },
  ignored: { bias_initializer: ANY },
}

const recurrent: Rule = {
  keys: {
    units: 'output_dim',
    kernel_initializer: ['init', initialization],
    recurrent_initializer: ['inner_init', initialization],
    kernel_regularizer: ['W_regularizer', regularizer],
    recurrent_regularizer: ['U_regularizer', regularizer],
    bias_regularizer: ['b_regularizer', regularizer],
    use_bias: 'bias',
    dropout: 'dropout_W',
    recurrent_dropout: 'dropout_U',
    implementation: ['consume_less', consumeLess],
  },
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
  keys: { ...gated.keys, unit_forget_bias: ['forget_bias_init', forgetBias] },
}

const { use_bias: _bias, ...withoutBias } = lstm.keys ?? {}

/**
 * Layers of the cuDNN library, which have no options for what they compute;
 * cudnn.ts reads their weights.
 */
const cudnn = (as: string, rule: Rule, own: Config = {}): Rule => ({
  ...rule,
  as,
  implied: { activation: 'tanh', inner_activation: 'sigmoid', ...own },
})

const noise = (keys: NonNullable<Rule['keys']>): Rule => ({
  keys,
  ignored: { noise_shape: [null] },
})

/** Layers of filters: the same as `dense`, with windows. */
const filters: Rule = {
  keys: {
    ...dense.keys,
    filters: 'nb_filter',
    kernel_size: ['filter_length', single],
    strides: ['subsample_length', single],
    padding: ['border_mode', border],
    dilation_rate: [
      'atrous_rate',
      (value, refuse) => (single(value, refuse) === 1 ? undefined : single(value, refuse)),
    ],
  },
  ignored: { ...dense.ignored, groups: [1] },
}

const pooling: Rule = {
  keys: {
    pool_size: ['pool_length', single],
    strides: ['stride', single],
    padding: ['border_mode', (value) => (value === 'same' ? 'same_tf' : value)],
  },
}
const globalPooling: Rule = { ignored: { keepdims: [false] } }

/** Layers of several inputs, each of which is a mode of Merge in Keras 1. */
const merged = (mode: string): Rule => ({
  as: 'Merge',
  implied: { mode, accept_mask: undefined },
})

/** Layers of rows and columns; channels come last in all of them. */
const windows2D: Rule = {
  keys: {
    strides: ['strides', pairOf],
    pool_size: ['pool_size', pairOf],
    padding: ['border_mode', (value) => (value === 'same' ? 'same_tf' : value)],
  },
}

export const TABLE: Readonly<Record<string, Rule>> = {
  Add: merged('sum'),
  Average: merged('ave'),
  AveragePooling1D: pooling,
  AveragePooling2D: windows2D,
  BatchNormalization: {
    keys: {
      axis: ['axis', single],
      gamma_initializer: ['gamma_init', initialization],
      beta_initializer: ['beta_init', initialization],
      gamma_regularizer: ['gamma_regularizer', regularizer],
      beta_regularizer: ['beta_regularizer', regularizer],
    },
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
  Bidirectional: { keys: { backward_layer: ['backward_layer', mirrored] } },
  Conv1D: {
    ...filters,
    as: ({ dilation_rate: rate }) =>
      [rate ?? 1].flat()[0] === 1 ? 'Convolution1D' : 'AtrousConvolution1D',
  },
  Conv2D: {
    keys: {
      ...dense.keys,
      filters: 'nb_filter',
      kernel_size: ['nb_row', rowsOf],
      strides: ['subsample', pairOf],
      padding: [
        'border_mode',
        (value, refuse, config) =>
          value === 'causal' ? refuse("'valid' or 'same'") : border(value, refuse, config),
      ],
    },
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
      padding: ['border_mode', (value) => (value === 'same' ? 'same_tf' : value)],
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
  Dense: dense,
  Dot: { ...merged('dot'), keys: { axes: 'dot_axes' }, ignored: { normalize: [false] } },
  Dropout: noise({ rate: 'p' }),
  Embedding: {
    keys: {
      embeddings_initializer: ['init', initialization],
      embeddings_regularizer: ['W_regularizer', regularizer],
      embeddings_constraint: ['W_constraint', constraint],
    },
    ignored: { sparse: [false] },
  },
  GRU: gated,
  GlobalAveragePooling1D: globalPooling,
  GlobalMaxPooling1D: globalPooling,
  GaussianDropout: noise({ rate: 'p' }),
  GaussianNoise: noise({ stddev: 'sigma' }),
  InputLayer: { keys: { batch_shape: 'batch_input_shape' }, ignored: { optional: [false] } },
  LSTM: lstm,
  LeakyReLU: { keys: { negative_slope: 'alpha' } },
  LocallyConnected1D: { ...filters, ignored: { ...filters.ignored, implementation: [1] } },
  MaxPooling1D: pooling,
  MaxPooling2D: windows2D,
  Maximum: merged('max'),
  Multiply: merged('mul'),
  PReLU: {
    keys: { alpha_initializer: ['init', initialization] },
    ignored: { alpha_regularizer: [null], alpha_constraint: [null] },
  },
  SimpleRNN: recurrent,
  Softmax: { keys: { axis: ['axis', single] } },
  SpatialDropout1D: noise({ rate: 'p' }),
  UpSampling1D: { keys: { size: ['length', single] } },
  UpSampling2D: {
    keys: { size: ['size', pairOf] },
    ignored: { interpolation: ['nearest'] },
  },
  ZeroPadding2D: { keys: { padding: ['padding', sidesOf] } },
}
