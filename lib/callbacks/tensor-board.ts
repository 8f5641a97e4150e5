import { ConfigError, fail } from '../errors.js'
import { readKerasArrays } from '../layers/base/variable.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { EventFile } from '../tensorboard/event-file.js'
import { histogramOf } from '../tensorboard/histogram.js'
import type { Content } from '../tensorboard/messages.js'
import { Callback, type Logs } from './callback.js'

/** Options of {@link TensorBoard}. */
export interface TensorBoardOptions {
  /** Folder of the event file; made when it is not there. Default `'./logs'`. */
  logDir?: string
  /** Histograms of the weights every so many epochs; 0: none. Default 0. */
  histogramFreq?: number
  /** Also writes the layers as a graph. Default `true`. */
  writeGraph?: boolean
  /** Pictures of the weights are not supported: `true` is an error. Default `false`. */
  writeImages?: false
}

const defaults = { logDir: './logs', histogramFreq: 0, writeGraph: true, writeImages: false }

/**
 * Writes an event file for TensorBoard: the logs of each epoch as scalars, the layers as a graph,
 * and, every `histogramFreq` epochs, histograms of the weights.
 * Needs no validation data for them, unlike Keras.
 *
 * To see it: `pip install tensorboard`, `tensorboard --logdir ./logs`.
 * @throws ConfigError `ERR_OPTION`; in `fit` FormatError `ERR_FILE_SYSTEM` when the folder or file
 *   cannot be written
 * @example
 * import { Dense, Sequential, TensorBoard } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 2 })])
 * model.compile({ loss: 'mse', optimizer: 'sgd' })
 * const [x, y] = [
 *   [
 *     [0, 1],
 *     [1, 0],
 *     [1, 1],
 *     [0, 0],
 *   ],
 *   [1, 1, 2, 0],
 * ]
 * await model.fit(x, y, {
 *   callbacks: [new TensorBoard({ logDir: 'logs/run-1', histogramFreq: 1 })],
 *   verbose: 0,
 * })
 * @see keras.callbacks.TensorBoard
 */
export class TensorBoard extends Callback {
  readonly options: Readonly<typeof defaults>
  #file: EventFile | null = null

  constructor(options?: TensorBoardOptions) {
    super()
    this.options = resolveOptions('TensorBoard', defaults, options)
    const { logDir, histogramFreq, writeGraph, writeImages } = this.options
    const checks: [what: string, expected: string, value: unknown, isGood: boolean][] = [
      ['logDir', 'the path of a folder', logDir, typeof logDir === 'string' && logDir !== ''],
      [
        'histogramFreq',
        'an integer >= 0',
        histogramFreq,
        Number.isSafeInteger(histogramFreq) && histogramFreq >= 0,
      ],
      ['writeGraph', 'true or false', writeGraph, typeof writeGraph === 'boolean'],
      [
        'writeImages',
        'false (weights as pictures are not there)',
        writeImages,
        writeImages === false,
      ],
    ]
    for (const [what, expected, value, isGood] of checks) {
      if (!isGood)
        fail(ConfigError, 'ERR_OPTION', {
          where: 'TensorBoard',
          what,
          expected,
          actual: describe(value),
        })
    }
  }

  /** Path of the event file; null before the training begins. */
  get path(): string | null {
    return this.#file?.path ?? null
  }

  override get everyRank(): boolean {
    return false
  }

  override getState(): { path: string; size: number } | undefined {
    return this.#file ? { path: this.#file.path, size: this.#file.size } : undefined
  }

  /**
   * Goes on in the same file and removes the events that were written after the checkpoint: the
   * training writes them again.
   */
  override async setState({ path, size }: { path: string; size: number }): Promise<void> {
    this.#file = await EventFile.reopen(path, size)
  }

  override async onTrainBegin(): Promise<void> {
    if (this.params?.resumes) return
    this.#file = await EventFile.create(this.options.logDir)
    if (!this.options.writeGraph) return
    const { layers } = this.model
    const graph = layers.map((layer, i) => ({
      name: layer.name,
      op: layer.layerClass.className,
      inputs: i === 0 ? [] : [layers[i - 1]!.name],
    }))
    await this.#file.add(0, [{ graph }])
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    const { histogramFreq } = this.options
    const contents: Content[] = [{ scalars: logs }]
    if (histogramFreq > 0 && epoch % histogramFreq === 0)
      contents.unshift({ histograms: this.#histograms() })
    await this.#file?.add(epoch, contents)
  }

  override async onTrainSettled(): Promise<void> {
    await this.#file?.close()
  }

  #histograms() {
    const arrays = this.model.layers.flatMap((layer) => layer.kerasArrays())
    const values = readKerasArrays(arrays)
    return new Map(arrays.map(({ name }, i) => [name, histogramOf(values[i]!.data)]))
  }
}
