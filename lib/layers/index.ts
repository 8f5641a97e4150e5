/**
 * The layers. One line publishes one: the registry of `layerFromConfig` is this module's namespace.
 */
export { Activation } from './activation.js'
export {
  ActivityRegularization,
  type ActivityRegularizationOptions,
} from './activity-regularization.js'
export { Attention, type AttentionOptions } from './attention.js'
export { AttentionPooling, type AttentionPoolingOptions } from './attention-pooling.js'
export { BatchNormalization, type BatchNormalizationOptions } from './batch-normalization.js'
export { Bidirectional, type BidirectionalOptions, type MergeMode } from './bidirectional.js'
export {
  AtrousConvolution1D as AtrousConv1D,
  AtrousConvolution1D,
  type AtrousConvolution1DOptions,
  Convolution1D as Conv1D,
  Convolution1D,
  type Convolution1DOptions,
} from './convolution-1d.js'
export {
  Convolution2D as Conv2D,
  Convolution2D,
  type Convolution2DOptions,
} from './convolution-2d.js'
export { ConvLSTM2D, type ConvLSTM2DOptions } from './conv-lstm-2d.js'
export { Cropping1D, type Cropping1DOptions } from './cropping-1d.js'
export {
  type CellClass,
  type CellDefinition,
  type CellOptions,
  type CellState,
  type CellWeight,
  defineCell,
  type StepResult,
} from './define-cell.js'
export {
  type DefinedClass,
  type DefinedOptions,
  defineLayer,
} from './define-layer.js'
export type { LayerDefinition, LayerWeight, WeightShapeOf } from './base/layer-definition.js'
export { CRF, type CRFOptions } from './crf.js'
export { Dense, type DenseOptions } from './dense.js'
export { Dropout, type DropoutOptions } from './dropout.js'
export { ELU, type ELUOptions } from './elu.js'
export { Embedding, type EmbeddingOptions } from './embedding.js'
export { Flatten } from './flatten.js'
export { GaussianDropout } from './gaussian-dropout.js'
export { GaussianNoise } from './gaussian-noise.js'
export { GRU, type GRUOptions } from './gru.js'
export { Highway, type HighwayOptions } from './highway.js'
export { IndRNN } from './ind-rnn.js'
export { Input, InputLayer, type InputOptions } from './input-layer.js'
export { Lambda, type LambdaFunction } from './lambda.js'
export { LayerNormLSTM, type LayerNormOptions } from './layer-norm-lstm.js'
export { LeakyReLU, type LeakyReLUOptions } from './leaky-relu.js'
export { GlobalAveragePooling1D, GlobalMaxPooling1D } from './global-pooling-1d.js'
export { LocallyConnected1D, type LocallyConnected1DOptions } from './locally-connected-1d.js'
export { LSTM, type LSTMOptions } from './lstm.js'
export { Masking, type MaskingOptions } from './masking.js'
export { MaxoutDense, type MaxoutDenseOptions } from './maxout-dense.js'
export {
  Merge,
  merge,
  type MergeFunction,
  type MergeLayerMode,
  type MergeOptions,
} from './merge.js'
export { MinimalGatedUnit } from './minimal-gated-unit.js'
export { ParametricSoftplus, type ParametricSoftplusOptions } from './parametric-softplus.js'
export { PeepholeLSTM, type PeepholeOptions } from './peephole-lstm.js'
export { Permute } from './permute.js'
export { PReLU, type PReLUOptions } from './prelu.js'
export { ProjectedLSTM, type ProjectionOptions } from './projected-lstm.js'
export { AveragePooling1D, MaxPooling1D, type Pooling1DOptions } from './pooling-1d.js'
export { AveragePooling2D, MaxPooling2D, type Pooling2DOptions } from './pooling-2d.js'
export { RatedRecurrentUnit } from './rated-recurrent-unit.js'
export { ReLU, type ReLUOptions } from './relu.js'
export { RepeatVector } from './repeat-vector.js'
export { Reshape } from './reshape.js'
export { SimpleRNN, type SimpleRNNOptions } from './simple-rnn.js'
export { Softmax, type SoftmaxOptions } from './softmax.js'
export { SpatialDropout1D, type SpatialDropout1DOptions } from './spatial-dropout-1d.js'
export { SReLU, type SReLUOptions } from './srelu.js'
export { ThresholdedReLU, type ThresholdedReLUOptions } from './thresholded-relu.js'
export { TimeDistributed } from './time-distributed.js'
export { TimeDistributedDense, type TimeDistributedDenseOptions } from './time-distributed-dense.js'
export {
  UpSampling1D,
  type UpSampling1DOptions,
  UpSampling2D,
  type UpSampling2DOptions,
} from './up-sampling.js'
export type { BorderMode, DimOrdering } from './base/windows.js'
export {
  type FourSidePadding,
  type SidePadding,
  ZeroPadding1D,
  type ZeroPadding1DOptions,
  ZeroPadding2D,
  type ZeroPadding2DOptions,
} from './zero-padding.js'
