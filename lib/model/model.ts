/**
 * What all models are: compiled, trained, asked, saved. Keras 1.2.2 `keras.engine.training.Model`.
 */
import type { Source } from '../training/batches.js'
import type { History } from '../callbacks/index.js'
import type { CALLED } from '../layers/base/called.js'
import { setClassName } from '../console-text.js'
import { ConfigError, fail } from '../errors.js'
import { tensorList } from '../layers/base/graph-checks.js'
import type { Decode } from '../layers/base/layer.js'
import { Tensor } from '../layers/base/tensor.js'
import { describe, type NDArray } from '../ndarray.js'
import type { Ragged } from '../ragged.js'
import { resolveOptions } from '../options.js'
import { isRecord } from '../per-name.js'
import { KERAS_VERSION } from '../saving/layout.js'
import { loadWeights, type LoadWeightsOptions } from '../saving/model-files.js'
import { saveModel, type SaveOptions, saveWeights } from '../saving/save.js'
import * as running from '../training/evaluate.js'
import * as generators from '../training/fit-generator.js'
import type { FitGeneratorOptions, GeneratorOptions } from '../training/fit-generator.js'
import * as byRows from '../training/fit-rows.js'
import type { FitOptions } from '../training/fit.js'
import type {
  EvaluateOptions,
  Inputs,
  PredictOptions,
  NoMetrics,
  PredictionsOf,
  RaggedPredictions,
  Scored,
  Scores,
  ScoresOf,
  Tensors,
  TensorsOf,
  TrainOnBatchOptions,
} from '../training/results.js'
import type { Rows } from '../training/row-source.js'
import { emitYaml } from '../yaml/emit.js'
import type { CompileOptions, Metrics, MetricsByName } from './compile.js'
import { CompiledModel } from './compiled-model.js'
import { graphFromConfig } from './graph.js'
import { modelClass, modelDecode } from './model-classes.js'
import { quantized, type QuantizedTo } from './quantize.js'
import { recordRunner, runnersOf } from './layer-runners.js'
import { type ModelSession, sessionOf, type SessionOptions } from './session.js'

/** Options of {@link Model}. */
export interface ModelOptions<O extends Tensors = Tensors> {
  /** What `Input` gave: a tensor, or a list of them. */
  input: Tensors
  /** What layers and models gave that were called on those: a tensor, or a list. */
  output: O
  /** Default `'model_1'`, `'model_2'`, … */
  name?: string | null
}

/** In place of options, from a subclass that builds its graph layer by layer. */
export const CHAIN: unique symbol = Symbol('chain')

/**
 * All layers between input tensors and output tensors, any number of each, as one thing that is
 * compiled, trained, asked and saved. It is a layer itself: `model.call(tensor)` puts it behind
 * others, with the weights it has. {@link Sequential} is the model of layers in a row.
 *
 * Data for several inputs, and targets for several outputs, go in as lists or as objects with the
 * names of the layers: `model.fit([a, b], { kind: y, amount: z })`. Several outputs come out as a
 * list.
 *
 * @param options tensors in and out, and a name; also `new Model(input, output, { name })`
 * @throws ConfigError `ERR_OPTION` for what are no tensors, for outputs that need another input,
 *   and for layer names used twice
 * @example
 * import { Dense, Input, merge, Model } from 'hiddenstate'
 * const [a, b] = [Input({ shape: [2], name: 'a' }), Input({ shape: [3], name: 'b' })]
 * const both = merge([a, b], { mode: 'concat' })
 * const kind = new Dense(2, { activation: 'softmax', name: 'kind' }).call(both)
 * const amount = new Dense(1, { name: 'amount' }).call(both)
 * const model = new Model({ input: [a, b], output: [kind, amount] })
 * model.compile({ optimizer: 'sgd', loss: { kind: 'categorical_crossentropy', amount: 'mse' } })
 * await model.trainOnBatch({ a: [[1, 2]], b: [[3, 4, 5]] }, { kind: [[0, 1]], amount: [[7]] })
 * const [p, q] = await model.predict([[[1, 2]], [[3, 4, 5]]])
 * console.log(p.shape, q.shape) // [ 1, 2 ] [ 1, 1 ]
 * @see keras.models.Model
 */
// biome-ignore lint/suspicious/noExplicitAny: a model whose outputs are not known
export class Model<const O extends Tensors = any> extends CompiledModel {
  static override readonly className: string = 'Model'
  static {
    setClassName(Model, 'Model')
    modelClass(Model)
  }
  /** @internal */
  declare readonly [CALLED]: TensorsOf<O>

  constructor(options: ModelOptions<O>)
  constructor(input: Tensors, output: O, options?: { name?: string | null })
  /** @internal */
  constructor(chain: typeof CHAIN, options: { name?: string | null } | undefined)
  constructor(...given: unknown[]) {
    const [first, second, third] = given
    const isChain = first === CHAIN
    const isPositional = first instanceof Tensor || Array.isArray(first)
    const options = isPositional ? { ...(third as object), input: first, output: second } : first
    const nothing = { input: undefined, output: undefined, name: null as string | null }
    const resolved = isChain ? null : resolveOptions('Model', nothing, options)
    super(resolved ? { name: resolved.name } : (second as { name?: string | null } | undefined))
    if (!resolved) return
    const inputs = tensorList(this.where, 'input', resolved.input)
    const outputs = tensorList(this.where, 'output', resolved.output)
    this.assemble(inputs, outputs)
    const others = new Set(this.layers.flatMap((layer) => [...runnersOf(layer)]))
    for (const other of others) if (other !== this.runner) this.runner.join(other)
    for (const layer of this.layers) recordRunner(layer, this.runner)
  }

  /**
   * A model, with new weights, from what {@link Container.getConfig} gave.
   *
   * @param decode makes the layers; default: as they are called in Keras
   * @throws ConfigError ERR_OPTION, ERR_UNKNOWN_NAME; ShapeError ERR_SHAPE
   */
  static override fromConfig(config: object, decode?: Decode): Model {
    const where = 'Model.fromConfig'
    if (!isRecord(config)) {
      const expected = '{ name, layers, input_layers, output_layers }'
      fail(ConfigError, 'ERR_OPTION', { where, what: 'config', expected, actual: describe(config) })
    }
    const { name = null } = config as { name?: string | null }
    return new Model({ ...graphFromConfig(where, config, decode ?? modelDecode()), name })
  }

  /**
   * Says how to train. The optimizer starts anew;
   * the weights stay, and so do the states of stateful layers.
   *
   * @returns the model, as a type that knows what `evaluate` and `trainOnBatch` give: `number`, or
   *   a tuple with the metrics
   * @throws ConfigError ERR_OPTION, ERR_UNKNOWN_NAME (naming the nearest); StateError ERR_BUSY
   *   while a call works on the model, ERR_NOT_BUILT without layers
   * @example
   * import { Dense, RMSprop, Sequential } from 'hiddenstate'
   * const model = new Sequential([new Dense(1, { inputDim: 3 })])
   * model.compile({ loss: 'mse', optimizer: new RMSprop({ lr: 0.01 }), metrics: ['mae'] })
   * console.log(model.metricsNames) // [ 'loss', 'mean_absolute_error' ]
   */
  compile<const M extends Metrics | MetricsByName | NoMetrics>(
    options: CompileOptions<M>,
  ): Scored<ScoresOf<M, O>> & this {
    this.compileWith(options as CompileOptions)
    return this as Scored<ScoresOf<M, O>> & this
  }

  // ---- training ----

  /**
   * Trains for a number of epochs.
   *
   * @param x `[N, …]`, as the first layer takes it;
   *   copied at once (an `HDF5Matrix` is read batch by batch); sequences of different lengths as a
   *   {@link Ragged} or a list of arrays
   * @param y `[N, …]`, as the output; `[N]` counts as `[N, 1]`
   * @returns the history: `history.loss`, `history.acc`,
   *   `history.val_loss`, … with one value per epoch
   * @throws StateError ERR_NOT_COMPILED, ERR_BUSY, ERR_NAN (with `onNaN: 'throw'`); ShapeError
   *   ERR_SHAPE; ConfigError ERR_OPTION; the reason of the signal when aborted.
   *   Always as a rejection.
   * @example
   * import { Dense, Sequential, setSeed } from 'hiddenstate'
   * setSeed(1)
   * const model = new Sequential([new Dense(1, { inputDim: 1 })])
   * model.compile({ loss: 'mse', optimizer: 'sgd' })
   * const { history } = await model.fit([0, 1, 2, 3], [0, 2, 4, 6], { nbEpoch: 20, verbose: 0 })
   * console.log(history.loss[19] < history.loss[0]) // true
   */
  async fit(x: Rows, y: Rows, options?: FitOptions): Promise<History> {
    return byRows.fit(this, x, y, options)
  }

  /**
   * Trains on batches that an iterable or async iterable yields: `[x, y]` or
   * `[x, y, sampleWeight]`. The next batch is fetched while native code works on the present one. A
   * source that ends and can be iterated again (a list) starts anew; in the end it is closed, as a
   * for-of loop does.
   *
   * @throws as {@link Model.fit}; ConfigError ERR_OPTION when the source ends too early
   */
  async fitGenerator(source: Source, options: FitGeneratorOptions): Promise<History> {
    return generators.fitGenerator(this, source, options)
  }

  /**
   * One update of the weights with x as one batch.
   *
   * @returns the loss before the update, or `[loss, …metrics]`; NaN where it is not a number (then
   *   the weights stay)
   * @throws as {@link Model.fit}
   */
  async trainOnBatch(x: Inputs, y: Inputs, options?: TrainOnBatchOptions): Promise<Scores> {
    return running.onBatch(this, 'train', x, y, options)
  }

  /**
   * The gradients of the loss with x as one batch that {@link Model.trainOnBatch} would follow now:
   * with penalties and this batch's dropout, before clipping. Changes nothing, no state either.
   * @returns an array for each weight that trains (as of `compile`), in the order and the shapes of
   *   `getWeights`: Keras' `model.trainable_weights`. Not finite where the loss is not.
   * @throws as {@link Model.testOnBatch}
   * @example
   * const model = new Sequential([new Dense(1, { inputDim: 1, weights: [[[2]], [0]] })])
   * model.compile({ loss: 'mse', optimizer: 'sgd' })
   * const [dW, db] = await model.gradients([[3]], [[5]]) // of (2·3 - 5)²
   * console.log(dW.toArray(), db.toArray()) // [ [ 6 ] ] [ 2 ]
   */
  async gradients(x: Inputs, y: Inputs, options?: TrainOnBatchOptions): Promise<NDArray[]> {
    return running.gradients(this, x, y, options)
  }

  // ---- asking ----

  /**
   * Loss (and metrics) on a data set, in batches.
   *
   * @returns the loss, or `[loss, …metrics]` in the order of `metricsNames`
   * @throws StateError ERR_NOT_COMPILED; ShapeError ERR_SHAPE; ConfigError ERR_OPTION
   */
  async evaluate(x: Rows, y: Rows, options?: EvaluateOptions): Promise<Scores> {
    return byRows.evaluate(this, x, y, options)
  }

  /**
   * Loss (and metrics) on `valSamples` samples of a source of batches.
   *
   * @throws as {@link Model.evaluate}
   */
  async evaluateGenerator(source: Source, options: GeneratorOptions): Promise<Scores> {
    return generators.evaluateGenerator(this, source, options)
  }

  /**
   * Loss (and metrics) with x as one batch; changes nothing but states.
   *
   * @throws as {@link Model.evaluate}
   */
  async testOnBatch(
    x: Inputs,
    y: Inputs,
    options?: Pick<TrainOnBatchOptions, 'sampleWeight'>,
  ): Promise<Scores> {
    return running.onBatch(this, 'test', x, y, options)
  }

  /**
   * The outputs for x, in batches. Needs no compile.
   *
   * @param x `[N, …]`; sequences of different lengths as a {@link Ragged} or a list of arrays
   * @returns `[N, …]`; for sequences, outputs of each step are a Ragged
   * @throws ShapeError ERR_SHAPE; ConfigError ERR_OPTION; StateError ERR_DISPOSED
   */
  async predict(x: Ragged, options?: PredictOptions): Promise<RaggedPredictions>
  async predict(x: Rows, options?: PredictOptions): Promise<PredictionsOf<O>>
  async predict(x: Rows, options?: PredictOptions): Promise<PredictionsOf<O> | RaggedPredictions> {
    return (await byRows.predict(this, x, options)) as PredictionsOf<O>
  }

  /**
   * The outputs for `valSamples` samples of a source;
   * it may yield x, or `[x, y]` whose y is ignored.
   *
   * @throws as {@link Model.predict}
   */
  async predictGenerator(
    source: Source<unknown>,
    options: GeneratorOptions,
  ): Promise<PredictionsOf<O>> {
    return (await generators.predictGenerator(this, source, options)) as PredictionsOf<O>
  }

  /** The outputs for x as one batch. @throws as {@link Model.predict} */
  async predictOnBatch(x: Ragged): Promise<RaggedPredictions>
  async predictOnBatch(x: Inputs): Promise<PredictionsOf<O>>
  async predictOnBatch(x: Inputs): Promise<PredictionsOf<O> | RaggedPredictions> {
    return (await running.predictOnBatch(this, x, 'predictOnBatch')) as PredictionsOf<O>
  }

  /**
   * {@link Model.predictOnBatch} at once, on this thread, with the initial values that are due: the
   * shortest way for small steps such as sampling. Not in Keras.
   *
   * @throws StateError ERR_BUSY while a fit runs (callbacks may call it) or a batch of this model
   *   runs; ShapeError ERR_SHAPE
   */
  predictOnBatchSync(x: Ragged): RaggedPredictions
  predictOnBatchSync(x: Inputs): PredictionsOf<O>
  predictOnBatchSync(x: Inputs): PredictionsOf<O> | RaggedPredictions {
    return running.predictOnBatchSync(this, x) as PredictionsOf<O>
  }

  /**
   * What a layer of the model gives for x: Keras' `K.function([model.input], [layer.output])`.
   *
   * @param name of one of `layers`
   * @returns `[N, …]`; a list for a model with several outputs
   * @throws ConfigError ERR_UNKNOWN_NAME for a name of no layer, ERR_OPTION for one of a layer that
   *   is called more than once: `layer.getOutputAt` and a Model of it tell them apart; as {@link
   *   Model.predict}
   * @example
   * const model = new Sequential([new LSTM(4, { inputShape: [5, 3], name: 'read' }), new Dense(1)])
   * const series = Array.from({ length: 5 }, () => [1, 2, 3])
   * console.log((await model.outputOf('read', [series])).shape) // [ 1, 4 ]
   */
  // biome-ignore lint/suspicious/noExplicitAny: an array, or a list where the layer has several
  async outputOf(name: string, x: Rows, options?: PredictOptions): Promise<any> {
    this.requireAlive('outputOf')
    const probe = new Model({ input: [...this.network.inputs], output: this.outputsOf(name) })
    try {
      return await probe.predict(x, options)
    } finally {
      probe.dispose()
    }
  }

  /**
   * Steps through a sequence, from states that are the session's own: for streams, and for decoding
   * word by word, without a `stateful` copy of the model. Needs no compile. Not in Keras.
   *
   * Recurrent layers (SimpleRNN, LSTM, GRU, those of `defineCell`) on the sequence go on from step
   * to step; what lies around them must treat each step by itself, as Dense, Embedding, Masking,
   * TimeDistributed, BatchNormalization, Dropout and Attention (of queries that are steps) do.
   * The outputs are those of `predict` for the whole sequence, to the bit.
   *
   * @returns a session at the beginning; any number of them may go side by side
   * @throws ConfigError `ERR_OPTION` for a layer that needs more than one step at a time, such as
   *   Bidirectional, and for bad options; ShapeError `ERR_SHAPE`; StateError `ERR_DISPOSED`
   * @example
   * import { Dense, LSTM, Sequential } from 'hiddenstate'
   * const model = new Sequential([new LSTM(8, { inputShape: [null, 3] }), new Dense(1)])
   * const session = model.session()
   * await session.step([1, 2, 3])
   * console.log((await session.step([4, 5, 6])).shape) // [ 1 ]
   * console.log(Object.keys(session.state)) // [ 'lstm_1' ]
   */
  session(options?: SessionOptions): ModelSession<O> {
    return sessionOf<O>(this, options)
  }

  /**
   * A copy of the model with weights of few bits, for predicting: a quarter or half of the size in
   * a file of `save('model.safetensors')`, and faster steps where weights come from far. Not in
   * Keras.
   *
   * `'int8'`: the weights of products, and the rows of an Embedding, are integers of 8 bits, with a
   * scale for each output of a layer; what they are multiplied with is rounded likewise, with a
   * scale for each sample and step. Such a model can be compiled and evaluated, but not trained.
   * `'bfloat16'`: weights have 8 significant bits, and it computes as `'mixed_bfloat16'` does.
   *
   * Biases and other arrays of one axis, and those of PReLU and its like, stay float32. An input
   * that is not finite makes its whole row NaN with `'int8'`. Other formats than
   * `'model.safetensors'` keep the rounded weights as float32, and a model that is loaded from them
   * computes in float32.
   *
   * @param to default `'int8'`
   * @returns a model of the same layers (of a subclass of Sequential or Model: one of those), not
   *   compiled, without the states of stateful layers; this one stays as it is
   * @throws ConfigError `ERR_OPTION` for a float64 model, one of integers that is to be of
   *   bfloat16, weights that are not finite, and layers that have no configuration; StateError
   * @example
   * import { LSTM, Sequential } from 'hiddenstate'
   * const model = new Sequential([new LSTM(8, { inputShape: [5, 3] })])
   * const small = await model.quantize('int8')
   * const series = [Array.from({ length: 5 }, (_, t) => [t, -t, 1])]
   * console.log((await small.predict(series)).shape) // [ 1, 8 ]
   * await small.save('small.safetensors')
   */
  async quantize(to: QuantizedTo = 'int8'): Promise<this> {
    this.requireAlive('quantize')
    return quantized(this, to)
  }

  // ---- files ----

  /**
   * Writes the model to a file: an `.h5` file of Keras 1.2.2 with architecture, weights, training
   * configuration and optimizer state, or what the format given, or that of the ending, holds of
   * them: `.onnx` and `.safetensors` hold what predicts.
   *
   * @see saveModel
   */
  async save(path: string, options?: SaveOptions): Promise<void> {
    this.requireAlive('save')
    return saveModel(this, path, options)
  }

  /** Writes the weights alone: to an `.h5` file of Keras 1.2.2, or one of the `format` given. */
  async saveWeights(path: string, options?: SaveOptions): Promise<void> {
    this.requireAlive('saveWeights')
    return saveWeights(this, path, options)
  }

  /**
   * Sets the weights from a file of `saveWeights` or `save`, of this package or Keras 1.x.
   * All or none.
   *
   * @returns the names of the layers that have got theirs: with `byName`, those in the file
   */
  async loadWeights(path: string, options?: LoadWeightsOptions): Promise<string[]> {
    this.runner.checkIdle('loadWeights', true)
    this.requireAlive('loadWeights')
    return loadWeights(this, path, options)
  }

  /** What `JSON.stringify(model)` writes: as {@link Model.toJson}. */
  override toJSON(): object {
    return { ...super.toJSON(), keras_version: KERAS_VERSION }
  }

  /** The architecture as Keras 1.2.2's JSON; `modelFromJson` reads it. */
  toJson(): string {
    return JSON.stringify(this)
  }

  /** The same as YAML; `modelFromYaml` reads it. */
  toYaml(): string {
    return emitYaml(this.toJSON())
  }
}
