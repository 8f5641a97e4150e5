/** Layers in a row. */
import { ConfigError, fail } from '../errors.js'
import { uniqueName } from '../layers/base/names.js'
import type { Tensor } from '../layers/base/tensor.js'
import { InputLayer, withoutInputLayer } from '../layers/input-layer.js'
import type { Decode, Layer } from '../layers/base/layer.js'
import { describe, type NDArray } from '../ndarray.js'
import type { Ragged } from '../ragged.js'
import { isRecord } from '../per-name.js'
import * as byRows from '../training/fit-rows.js'
import { classesOf, warnUnlessProbabilities } from '../training/predictions.js'
import type { PredictOptions, RaggedPredictions } from '../training/results.js'
import type { Rows } from '../training/row-source.js'
import { setClassName } from '../console-text.js'
import { recordRunner, runnersOf, forgetRunner } from './layer-runners.js'
import { modelClass, modelDecode } from './model-classes.js'
import { CHAIN, Model } from './model.js'

/**
 * The tensors that the first layer is called on, those of Keras' hidden input layers. A model that
 * is first names its inputs itself.
 */
const entrance = (layer: Layer): readonly Tensor[] =>
  layer.inputSlots().map(({ name, shape }) => {
    const { inputDtype, layerClass } = layer
    const own = name ?? uniqueName(`${layerClass.className.toLowerCase()}_input`)
    return new InputLayer({ name: own, batchInputShape: shape, inputDtype }).tensor
  })

/**
 * A linear stack of layers. It is a layer itself and may be added to another model: its weights are
 * then those of both, whichever trains them. A model that begins with a {@link Merge} takes a list
 * of arrays for x.
 *
 * Numeric work runs off the event loop; different models run side by side. A `predict` during a
 * `fit` of the same model runs between two batches (after a callback whose promise is awaited); a
 * second `fit`, `compile` or `setWeights` during a fit is ERR_BUSY. Callbacks may call `setWeights`
 * and the like, `predict`, `evaluate` and `save`, until their promise is settled.
 *
 * @param layers default: none yet
 * @param options.name default: `'sequential_N'`
 * @throws as {@link Sequential.add}
 * @example
 * import { Sequential, LSTM, Dense } from 'hiddenstate'
 * const model = new Sequential([
 *   new LSTM(8, { inputShape: [5, 2] }),
 *   new Dense(1, { activation: 'sigmoid' }),
 * ])
 * model.compile({ loss: 'binary_crossentropy', optimizer: 'adam', metrics: ['accuracy'] })
 * const x = Array.from({ length: 4 }, (_, n) => Array.from({ length: 5 }, (_, t) => [n, t]))
 * const { history } = await model.fit(x, [0, 1, 0, 1], { nbEpoch: 2, verbose: 0 })
 * console.log(history.loss.length, (await model.predict(x)).shape) // 2 [ 4, 1 ]
 * @see keras.models.Sequential
 */
export class Sequential extends Model<Tensor> {
  static override readonly className = 'Sequential'
  /** @internal */
  static readonly configIsList = true
  static {
    setClassName(Sequential, 'Sequential')
    modelClass(Sequential)
  }

  constructor(options: { name?: string | null })
  constructor(layers?: readonly Layer[], options?: { name?: string | null })
  constructor(
    first: readonly Layer[] | { name?: string | null } = [],
    second?: { name?: string | null },
  ) {
    const isBare = isRecord(first) && second === undefined
    super(CHAIN, isBare ? first : second)
    const layers = isBare ? [] : first
    Sequential.#requireList('Sequential', 'layers', layers, 'a list of layers')
    for (const layer of layers as readonly Layer[]) this.add(layer)
  }

  static #requireList(where: string, what: string, value: unknown, expected: string): void {
    if (!Array.isArray(value))
      fail(ConfigError, 'ERR_OPTION', { where, what, expected, actual: describe(value) })
  }

  /**
   * Adds a layer, or a model as a layer, at the end. A compiled model must be compiled again.
   *
   * @param layer the first one needs `inputShape`, `batchInputShape` (or `inputDim`);
   *   a model needs its layers
   * @returns the model
   * @throws ConfigError ERR_OPTION for anything but a new layer, a first layer without input shape,
   *   a mask it does not support, and on a model that is part of another; ShapeError ERR_SHAPE when
   *   it does not fit the one before; StateError ERR_BUSY while a call works on the model
   */
  add(layer: Layer): this {
    this.runner.checkUnused('add')
    const others = runnersOf(layer)
    for (const other of others) other.checkUnused('add')
    this.push(layer, entrance)
    for (const other of others) if (other !== this.runner) this.runner.join(other)
    recordRunner(layer, this.runner)
    this.changed()
    return this
  }

  /**
   * Removes the last layer. A compiled model must be compiled again.
   *
   * @throws StateError ERR_NOT_BUILT when there is none, ERR_BUSY while a call works on the model
   */
  pop(): void {
    this.runner.checkUnused('pop')
    const last = this.drop()
    this.runner.release([last])
    if (!this.runner.isShared) forgetRunner(last)
    this.changed()
  }

  /**
   * A model, with new weights, from what {@link Container.getConfig} gave.
   *
   * @param decode makes the layers; default: as they are called in Keras
   * @throws ConfigError ERR_OPTION, ERR_UNKNOWN_NAME; ShapeError ERR_SHAPE
   */
  static override fromConfig(config: readonly unknown[], decode?: Decode): Sequential {
    Sequential.#requireList(
      'Sequential.fromConfig',
      'config',
      config,
      'a list of { class_name, config }',
    )
    const top = modelDecode(new Map<string, Layer>())
    return new Sequential(
      withoutInputLayer(config).map((layer, i) => (decode ?? top)(layer, `config[${i}]`)),
    )
  }

  /**
   * The classes for x: the index of the largest output, or,
   * for one output, 1 where it is above 0.5. int32.
   *
   * @throws as {@link Model.predict}
   */
  async predictClasses(x: Ragged, options?: PredictOptions): Promise<RaggedPredictions>
  async predictClasses(x: Rows, options?: PredictOptions): Promise<NDArray>
  async predictClasses(x: Rows, options?: PredictOptions): Promise<NDArray | Ragged> {
    return classesOf(await byRows.predict(this, x, options, 'predictClasses'))
  }

  /** {@link Model.predict}, with a process warning when an output is no probability. */
  async predictProba(x: Ragged, options?: PredictOptions): Promise<RaggedPredictions>
  async predictProba(x: Rows, options?: PredictOptions): Promise<NDArray>
  async predictProba(x: Rows, options?: PredictOptions): Promise<NDArray> {
    const outputs = await byRows.predict(this, x, options, 'predictProba')
    warnUnlessProbabilities(outputs)
    return outputs
  }
}
