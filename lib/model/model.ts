/**
 * What all models are: compiled, trained, asked, saved. Keras 1.2.2 `keras.engine.training.Model`.
 */
import type { Source } from '../training/batches.js'
import type { History } from '../callbacks/index.js'
import {
  chosenByCompile,
  type Compiled,
  type CompileOptions,
  type Metrics,
  resolveCompile,
} from './compile.js'
import type { TargetSlot } from '../training/data.js'
import { fail, StateError } from '../errors.js'
import * as running from '../training/evaluate.js'
import type {
  EvaluateOptions,
  Inputs,
  PredictOptions,
  Scored,
  Scores,
  ScoresOf,
  TrainOnBatchOptions,
} from '../training/evaluate.js'
import * as generators from '../training/fit-generator.js'
import type { FitGeneratorOptions, GeneratorOptions } from '../training/fit-generator.js'
import * as byRows from '../training/fit-rows.js'
import type { FitOptions } from '../training/fit.js'
import { Container } from '../layers/base/container.js'
import { withChildren } from '../layers/base/members.js'
import type { Layer } from '../layers/base/layer.js'
import { renames } from '../layers/base/names.js'
import { type KerasArray, type Variable, writeKerasArrays } from '../layers/base/variable.js'
import type { LayerNames } from '../layers/base/weights.js'
import { checkModelNames, lowerModel, type Training } from '../engine/lowering.js'
import type { NativeArray } from '../native.js'
import type { NDArray, TensorLike } from '../ndarray.js'
import * as state from '../engine/optimizer-state.js'
import type { Optimizer } from '../optimizers/optimizer.js'
import { classesOf, warnUnlessProbabilities } from '../training/predictions.js'
import {
  loadWeights,
  type LoadWeightsOptions,
  saveModel,
  type SaveOptions,
  saveWeights,
} from '../saving/model-files.js'
import { KERAS_VERSION } from '../saving/layout.js'
import type { Rows } from '../training/row-source.js'
import { Session } from '../engine/session.js'
import type { Shape, Spec } from '../spec.js'
import { setConsoleText } from '../console-text.js'
import { modelText, printSummary } from './summary.js'
import { emitYaml } from '../yaml/emit.js'

/**
 * A model: layers that are compiled, trained, asked and saved together. {@link Sequential} says how
 * they are put together.
 */
export abstract class Model extends Container {
  static {
    setConsoleText(Model, modelText)
    chosenByCompile(Model)
  }
  /** Set to true (by a callback) to end a fit after the epoch. */
  stopTraining = false
  /** Of the last fit. */
  history: History | undefined
  /** @internal */
  readonly session: Session
  #compiled: Compiled | null = null
  /** Why the file it comes from could not compile it; null: there is nothing to tell. */
  #whyUncompiled: string | null = null
  /** What the optimizer has state for: what was trainable when `compile` was called. */
  #trained: ReadonlySet<Variable> = new Set()
  /** Of the model as it is now; null: to be made anew. */
  #spec: Spec | null = null
  /** What the layers were called when #spec was made. */
  #names: LayerNames = new Map()
  /** The {@link renames} for which the names are known to differ. */
  #namesAt = -1

  protected constructor(options?: { name?: string | null }) {
    super(options)
    this.session = new Session({
      layers: () => this.layers,
      spec: () => this.#lowered('predict'),
      names: () => this.#names,
      hyper: () => this.#compiled?.optimizer.hyper(this.layers[0]?.floatx) ?? null,
    })
  }

  /** To be called when layers have changed: the model must be compiled again. */
  protected changed(): void {
    this.#compiled = null
    this.#whyUncompiled = null
    this.#spec = null
  }

  #requireLayers(call: string): readonly Layer[] {
    this.session.checkAlive(call)
    return this.requireLayers(call)
  }

  /**
   * Prints the layers with their output shapes and parameter counts, as Keras does.
   *
   * @param options.print takes the text; default `console.log`
   */
  summary(options?: { print?: (text: string) => void }): void {
    this.#requireLayers('summary')
    printSummary(this, options)
  }

  // ---- weights and states ----

  protected override checkReady(call: string, writes: boolean): void {
    if (writes) this.session.checkIdle(call, true)
    else this.session.checkAlive(call)
    this.session.checkStill(`model.${call}`)
  }

  /**
   * Sets all parameters, all or none.
   * @param weights as {@link Model.getWeights} gives them
   * @throws ShapeError ERR_SHAPE when number or shapes differ; StateError ERR_BUSY during a fit
   *   (callbacks may call it)
   */
  override setWeights(weights: readonly TensorLike[]): void {
    this.checkReady('setWeights', true)
    writeKerasArrays('model', this.kerasArrays(), weights)
  }

  /**
   * Sets the states of all stateful layers to zero, those inside models inside it too; nothing for
   * a model without them. In a model that is part of another,
   * the states that the layers have there as well.
   * @throws StateError ERR_BUSY during a fit (callbacks may call it)
   */
  override resetStates(): void {
    this.checkReady('resetStates', true)
    this.session.resetStates()
    super.resetStates()
  }

  // ---- compile ----

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
  compile<const M extends Metrics = []>(options: CompileOptions<M>): Scored<ScoresOf<M>> & this {
    this.session.checkUnused('compile')
    const compiled = resolveCompile(this.#requireLayers('compile'), options)
    this.#lower(compiled.training())
    this.#compiled = compiled
    compiled.optimizer.countsWith(this.session)
    this.#whyUncompiled = null
    this.#trained = new Set(
      state.optimizerOrder(this.kerasArrays()).map(({ variable }) => variable),
    )
    return this as Scored<ScoresOf<M>> & this
  }

  /**
   * The optimizer of `compile`; its properties may be changed at any time
   * and count from the next batch.
   *
   * @throws StateError ERR_NOT_COMPILED before; ConfigError ERR_OPTION when another is assigned:
   *   `compile` chooses it
   */
  get optimizer(): Optimizer {
    return this.requireCompiled('optimizer').optimizer
  }

  /**
   * Names of what `evaluate` and `trainOnBatch` return:
   * 'loss', then the metrics. Empty before compile.
   */
  get metricsNames(): readonly string[] {
    return this.#compiled?.metricsNames ?? []
  }

  /** @internal What `compile` was told; null before. */
  get compiled(): Compiled | null {
    return this.#compiled
  }

  /** @internal */
  leaveUncompiled(why: string): void {
    this.#whyUncompiled = why
  }

  /** @internal */
  requireCompiled(call: string): Compiled {
    this.session.checkAlive(call)
    if (this.#compiled) return this.#compiled
    fail(StateError, 'ERR_NOT_COMPILED', {
      where: `model.${call}`,
      what: 'model',
      expected: 'compiled',
      actual: this.#whyUncompiled
        ? `one that its file could not compile (${this.#whyUncompiled.replace(/\.$/, '')})`
        : 'one that is not (or whose layers have changed since)',
      hint: 'Call model.compile({ optimizer, loss }) first.',
    })
  }

  #lowered(call: string): Spec {
    this.#requireLayers(call)
    if (this.#spec && this.#namesAt !== renames()) checkModelNames(this)
    this.#namesAt = renames()
    return this.#spec ?? this.#lower(null)
  }

  #lower(training: Training | null): Spec {
    this.#spec = lowerModel(this, training)
    this.#names = new Map(withChildren(this.layers).map((layer) => [layer, layer.name]))
    return this.#spec
  }

  /** @internal For these inputs, whose extents are known. */
  targetSlot(inputs: readonly NativeArray[], call: string): TargetSlot {
    const [shape] = this.arrayShapesAt(inputs.map((input) => input.shape)) as [Shape]
    return { where: this.layers.at(-1)!.where, shape, classes: this.requireCompiled(call).classes }
  }

  // ---- training ----

  /**
   * Trains for a number of epochs.
   *
   * @param x `[N, …]`, as the first layer takes it;
   *   copied at once (an `HDF5Matrix` is read batch by batch)
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
   * @param x `[N, …]`
   * @returns `[N, …]`
   * @throws ShapeError ERR_SHAPE; ConfigError ERR_OPTION; StateError ERR_DISPOSED
   */
  async predict(x: Rows, options?: PredictOptions): Promise<NDArray> {
    return byRows.predict(this, x, options)
  }

  /**
   * The classes for x: the index of the largest output, or,
   * for one output, 1 where it is above 0.5. int32.
   *
   * @throws as {@link Model.predict}
   */
  async predictClasses(x: Rows, options?: PredictOptions): Promise<NDArray> {
    return classesOf(await byRows.predict(this, x, options, 'predictClasses'))
  }

  /** {@link Model.predict}, with a process warning when an output is no probability. */
  async predictProba(x: Rows, options?: PredictOptions): Promise<NDArray> {
    const outputs = await byRows.predict(this, x, options, 'predictProba')
    warnUnlessProbabilities(outputs)
    return outputs
  }

  /**
   * The outputs for `valSamples` samples of a source;
   * it may yield x, or `[x, y]` whose y is ignored.
   *
   * @throws as {@link Model.predict}
   */
  async predictGenerator(source: Source<unknown>, options: GeneratorOptions): Promise<NDArray> {
    return generators.predictGenerator(this, source, options)
  }

  /** The outputs for x as one batch. @throws as {@link Model.predict} */
  async predictOnBatch(x: Inputs): Promise<NDArray> {
    return running.predictOnBatch(this, x, 'predictOnBatch')
  }

  /**
   * {@link Model.predictOnBatch} at once, on this thread, with the initial values that are due: the
   * shortest way for small steps such as sampling. Not in Keras.
   *
   * @throws StateError ERR_BUSY while a fit runs (callbacks may call it) or a batch of this model
   *   runs; ShapeError ERR_SHAPE
   */
  predictOnBatchSync(x: Inputs): NDArray {
    return running.predictOnBatchSync(this, x)
  }

  // ---- files ----

  /**
   * Writes architecture, weights, training configuration
   * and optimizer state to a Keras 1.2.2 `.h5` file.
   *
   * @see saveModel
   */
  async save(path: string, options?: SaveOptions): Promise<void> {
    this.#requireLayers('save')
    return saveModel(this, path, options)
  }

  /** Writes the weights to a Keras 1.2.2 `.h5` file. */
  async saveWeights(path: string, options?: SaveOptions): Promise<void> {
    this.#requireLayers('saveWeights')
    return saveWeights(this, path, options)
  }

  /**
   * Sets the weights from a file of `saveWeights` or `save`, of this package or Keras 1.x.
   * All or none.
   *
   * @returns the names of the layers that have got theirs: with `byName`, those in the file
   */
  async loadWeights(path: string, options?: LoadWeightsOptions): Promise<string[]> {
    this.session.checkIdle('loadWeights', true)
    this.#requireLayers('loadWeights')
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

  /**
   * @internal Runs `use` while no batch of this model runs, and, if it `writes`, no fit but that
   *   whose callback asks for it.
   */
  async whenIdle<T>(call: string, use: () => T, writes = false): Promise<T> {
    this.session.checkAlive(call)
    const turn = await this.session.take()
    try {
      if (writes) this.session.checkIdle(call, true)
      else await this.session.fill(call)
      return use()
    } finally {
      turn.release()
    }
  }

  /** @internal The optimizer's state in the order of Keras; null when no training has begun. */
  optimizerWeights(): NDArray[] | null {
    return this.#compiled && this.session.hasTrained
      ? state.optimizerWeights(this.#trainedState('save'))
      : null
  }

  /** @internal Their shapes, also before. */
  optimizerShapes(): (readonly number[])[] {
    return state.optimizerShapes(this.#trainedState('save'))
  }

  /** @internal All or none, in steps. */
  *setOptimizerWeights(weights: readonly NDArray[]) {
    yield* state.setOptimizerWeights(this.#trainedState('loadModel'), weights)
    this.session.hasTrained = true
  }

  /** @internal What has trained since `compile`, in the order of `getWeights`. */
  trainedArrays(): KerasArray[] {
    return this.kerasArrays().filter(({ variable }) => this.#trained.has(variable))
  }

  #trainedState(call: string): state.Trained {
    const { optimizer } = this.requireCompiled(call)
    const plan = this.session.plan()
    // by the names of now, which are those of the file
    const arrays = state.inNameOrder(this.trainedArrays())
    return { arrays, floatx: this.floatx, optimizer, plan }
  }

  /**
   * Frees the native memory at once instead of at the next garbage collection. A fit under way
   * stops and rejects; every later call throws ERR_DISPOSED. Twice does no harm.
   */
  dispose(): void {
    this.session.dispose()
  }

  /** For `using model = …`. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}
