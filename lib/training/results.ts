/** What the calls of a model take and give, and results as lists of arrays and numbers. */
import type { Tensor } from '../layers/base/tensor.js'
import type { Floats } from '../native.js'
import { allocate, NDArray, shapeText, sizeOf } from '../ndarray.js'
import { fail, ShapeError } from '../errors.js'
import { Ragged } from '../ragged.js'
import type { Verbose } from '../progress.js'
import type { Source } from './batches.js'
import type { Arrays, ClassWeights, SampleWeights } from './data.js'
import type { GeneratorOptions } from './fit-generator.js'
import type { Rows } from './row-source.js'

/** One array, or one for each input (or output) of the model: in a list, or by their names. */
export type Inputs = Arrays

/** Options of {@link Sequential.predict}. */
export interface PredictOptions {
  /** Default 32; a stateful model's own batch size. */
  batchSize?: number
  /** 1: a progress bar on a terminal; 0 (default) and 2: silent. */
  verbose?: Verbose
  /** Stops at the next batch; the call rejects with the signal's reason. */
  signal?: AbortSignal | null
}

/** Options of {@link Sequential.evaluate}. */
export interface EvaluateOptions {
  /** Default 32; a stateful model's own batch size. */
  batchSize?: number
  /** `[N]`, or `[N, T]` with sampleWeightMode 'temporal'; of each output. Default: ones. */
  sampleWeight?: SampleWeights
  /** 1 (default): a progress bar on a terminal; 0 and 2: silent. */
  verbose?: Verbose
  /** Stops at the next batch; the call rejects with the signal's reason. */
  signal?: AbortSignal | null
}

/** Options of {@link Sequential.trainOnBatch}. */
export interface TrainOnBatchOptions {
  /** Weight of each class in the loss; of each output. */
  classWeight?: ClassWeights
  /**
   * `[N]`, or `[N, T]` with sampleWeightMode 'temporal'; of each output. Wins over classWeight.
   */
  sampleWeight?: SampleWeights
}

/**
 * The result of `evaluate`, `trainOnBatch` and the like where TypeScript does not see how the model
 * was compiled: the loss, or, for a model with metrics, `[loss, …metrics]` in the order of
 * `model.metricsNames`. You know which; the type lets you write either. For a type that is exact,
 * go on with what `compile` returns.
 */
export type Scores = number & [loss: number, ...metrics: number[]]

/**
 * The result of `predict` for a {@link Ragged}: a Ragged where the output is a sequence, an array
 * `[N, K]` where it is one for a whole sequence. You know which; the type lets you use either.
 */
export type RaggedPredictions = NDArray & Ragged

/** Tensors in or out of a model. */
export type Tensors = Tensor | readonly Tensor[]

/**
 * One of three types, for the outputs O of a model: with one, with several, and where TypeScript
 * does not see how many there are.
 */
type ByOutputs<O, One, Several, Unknown> = 0 extends 1 & O
  ? Unknown
  : O extends Tensor | readonly [Tensor]
    ? One
    : O extends readonly Tensor[]
      ? number extends O['length']
        ? Unknown
        : Several
      : Unknown

/**
 * What a model with the outputs O predicts: an array, or, of several outputs, a list of as many.
 */
export type PredictionsOf<O> = ByOutputs<
  O,
  NDArray,
  { -readonly [K in keyof O]: NDArray },
  // biome-ignore lint/suspicious/noExplicitAny: an array or a list, which the caller knows
  any
>

/** An array or a list of them; of sequences of different lengths, a Ragged where it is per step. */
export type Predictions = NDArray & NDArray[]

/** What a call of a model with the outputs O gives: a tensor, or a list. */
export type TensorsOf<O> = ByOutputs<
  O,
  Tensor,
  { -readonly [K in keyof O]: Tensor },
  // biome-ignore lint/suspicious/noExplicitAny: a tensor or a list, which the caller knows
  any
>

declare const NO_METRICS: unique symbol
/** Stands among what `metrics` may be, of no value: where none are given, it stays. */
export type NoMetrics = typeof NO_METRICS

/**
 * The result of the same calls for a model with the outputs O that is compiled with the metrics M:
 * a number for one output without metrics, else a tuple with the loss in front.
 */
export type ScoresOf<M, O = Tensor> = ByOutputs<
  O,
  NoMetrics extends M
    ? number
    : M extends readonly unknown[]
      ? number extends M['length']
        ? Scores
        : M extends readonly []
          ? number
          : [loss: number, ...metrics: { -readonly [K in keyof M]: number }]
      : Scores,
  [loss: number, ...losses: number[]],
  // biome-ignore lint/suspicious/noExplicitAny: a number or a list, which the caller knows
  any
>

/** The calls of a compiled model whose results depend on its metrics. */
export interface Scored<S> {
  /** @see Sequential.evaluate */
  evaluate(x: Rows, y: Rows, options?: EvaluateOptions): Promise<S>
  /** @see Sequential.evaluateGenerator */
  evaluateGenerator(source: Source, options: GeneratorOptions): Promise<S>
  /** @see Sequential.trainOnBatch */
  trainOnBatch(x: Inputs, y: Inputs, options?: TrainOnBatchOptions): Promise<S>
  /** @see Sequential.testOnBatch */
  testOnBatch(x: Inputs, y: Inputs, options?: Pick<TrainOnBatchOptions, 'sampleWeight'>): Promise<S>
}

/** The number, if there is one, or the list of them. */
export const asScores = (values: readonly number[]): Scores =>
  (values.length === 1 ? values[0]! : [...values]) as Scores

/** Collects one output of chunks into one array. */
export class Output {
  #data: Floats | null = null // [N, …]
  #shape: number[] = []

  constructor(readonly samples: number) {}

  /** @param seen samples so far, with these */
  add({ data, shape }: { data: Floats; shape: number[] }, seen: number): void {
    const rows = shape[0]!
    if (rows === this.samples) {
      this.#data = data
      this.#shape = shape
      return
    }
    const row = sizeOf(shape.slice(1))
    if (this.#data === null) {
      this.#shape = [this.samples, ...shape.slice(1)]
      this.#data =
        data instanceof Float64Array
          ? new Float64Array(this.samples * row)
          : new Float32Array(this.samples * row)
    }
    this.#data.set(data, (seen - rows) * row)
  }

  array(): NDArray {
    return new NDArray(this.#data!, this.#shape)
  }
}

/** The array, if there is one, or the list of them. */
export const asPredictions = (arrays: readonly NDArray[]): Predictions =>
  (arrays.length === 1 ? arrays[0]! : [...arrays]) as Predictions

/** The list of arrays that {@link asPredictions} was given. */
export const predictionList = (predictions: Predictions): readonly NDArray[] =>
  Array.isArray(predictions) ? predictions : [predictions]

/**
 * The first `samples` samples of parts one after the other.
 *
 * @param parts each with all outputs of the model
 * @throws ShapeError ERR_SHAPE for samples of different shapes
 */
export function joinedOutputs(
  where: string,
  parts: readonly (readonly (NDArray | Ragged)[])[],
  samples: number,
): Predictions {
  const outputs = parts[0]!.map((first, i) => {
    const list = parts.map((part) => part[i]!)
    if (first instanceof Ragged) return Ragged.join(list as Ragged[]).slice(0, samples)
    return joined(where, list as NDArray[], samples)
  })
  return asPredictions(outputs as NDArray[])
}

function joined(where: string, parts: readonly NDArray[], samples: number): NDArray {
  const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0)
  const first = parts[0]!
  const row = sizeOf(first.shape.slice(1))
  const data = allocate(first.dtype, rows * row)
  let at = 0
  for (const part of parts) {
    const own = part.shape.slice(1)
    if (sizeOf(own) !== row)
      fail(ShapeError, 'ERR_SHAPE', {
        where,
        what: 'outputs of all batches',
        expected: `${shapeText(first.shape.slice(1))} for each sample`,
        actual: shapeText(own),
      })
    data.set(part.data, at)
    at += part.data.length
  }
  return new NDArray(data, [rows, ...first.shape.slice(1)]).slice(0, samples)
}
