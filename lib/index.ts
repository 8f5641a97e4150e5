/** The public surface. */
export type { Resumable, Source } from './training/batches.js'
export {
  type CardInfo,
  device,
  type DeviceInfo,
  type DeviceName,
  epsilon,
  type Floatx,
  type Precision,
  floatx,
  type Info,
  info,
  setDevice,
  setFloatx,
  setThreads,
} from './backend.js'
export type { ActivationFunction, ActivationLike, ActivationName } from './activations.js'
export * from './callbacks/index.js'
export type { DeviceChoice, DeviceEstimate } from './device-choice.js'
export type { CompileOptions, Metrics, MetricsByName, PerOutput } from './model/compile.js'
export {
  Constraint,
  type ConstraintFunction,
  type ConstraintLike,
  type ConstraintName,
  MaxNorm,
  MinMaxNorm,
  maxnorm,
  minMaxNorm,
  NonNeg,
  type NormAxis,
  nonneg,
  UnitNorm,
  unitnorm,
} from './constraints.js'
export type { Arrays, ClassWeight, ClassWeights, SampleWeights } from './training/data.js'
export {
  ConfigError,
  type ErrorCode,
  FormatError,
  HiddenstateError,
  InternalError,
  ShapeError,
  StateError,
} from './errors.js'
export type {
  EvaluateOptions,
  Inputs,
  PredictionsOf,
  PredictOptions,
  RaggedPredictions,
  Scored,
  Scores,
  ScoresOf,
  Tensors,
  TensorsOf,
  TrainOnBatchOptions,
} from './training/results.js'
export type { FitGeneratorOptions, GeneratorOptions } from './training/fit-generator.js'
export type { FitOptions, Triple } from './training/fit.js'
export type { FitParams } from './training/hooks.js'
export {
  identity,
  type Init,
  type Initializer,
  type InitName,
  normal,
  orthogonal,
  uniform,
} from './initializations.js'
export { distribute, type DistributeOptions, World } from './world/distribute.js'
export { ctc, type CtcLoss, type CtcOptions } from './ctc.js'
export type { Container } from './layers/base/container.js'
export * from './layers/index.js'
export { Tensor } from './layers/base/tensor.js'
export { Layer, type LayerConfig, type LayerOptions } from './layers/base/layer.js'
export {
  fbetaScore,
  labelErrorRate,
  type Metric,
  type MetricFunction,
  type MetricName,
  topKCategoricalAccuracy,
} from './metrics.js'
export type { Limits } from './limits.js'
export { loadModel, modelFromJson, modelFromYaml, type ModelTextOptions } from './model/models.js'
export {
  type ArrayObject,
  array,
  type DType,
  NDArray,
  type Nested,
  type TensorLike,
  type TypedArray,
} from './ndarray.js'
export type { LossFunction, ObjectiveName } from './objectives.js'
export * from './optimizers/classes.js'
export type { OptimizerName } from './optimizers/by-name.js'
export { Optimizer, type OptimizerOptions } from './optimizers/optimizer.js'
export type { Verbose } from './progress.js'
export { Ragged } from './ragged.js'
export { setSeed } from './random.js'
export type { Rows, RowSource } from './training/row-source.js'
export type { Samples } from './training/data.js'
export {
  activityL1,
  activityL1l2,
  activityL2,
  EigenvalueRegularizer,
  L1L2Regularizer as ActivityRegularizer,
  L1L2Regularizer,
  L1L2Regularizer as WeightRegularizer,
  l1,
  l1l2,
  l2,
  type Regularizer,
  type RegularizerFunction,
  type RegularizerLike,
  type RegularizerName,
} from './regularizers.js'
export type { FormatName } from './saving/formats.js'
export type { LoadModelOptions, LoadWeightsOptions } from './saving/model-files.js'
export type { SaveOptions } from './saving/save.js'
export type { Backend } from './saving/kernels.js'
export { Model, type ModelOptions } from './model/model.js'
export type { QuantizedTo } from './model/quantize.js'
export { Sequential } from './model/sequential.js'
export { Batcher } from './model/batcher.js'
export type { BatcherOptions, GatheredBatch, GatherOptions } from './model/batcher-options.js'
export type {
  ModelSession,
  SavedSession,
  SessionOptions,
  SessionState,
} from './model/session.js'
export type { StepInputs } from './model/session-inputs.js'
export type { CheckpointOptions } from './training/checkpoint.js'
export type { Plain } from './training/plain-data.js'
export type { ResumeOptions } from './training/resume.js'
export type { Shape } from './spec.js'
