/** How features change from frame to frame. */
import { checkBoolean, checkInteger } from '../call-options.js'
import type { NDArray, TensorLike } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { runAtOnce } from '../sliced-work.js'
import { featuresOf, type Numbers } from './checks.js'
import { asRows, Chain, runStage, type Stage } from './stage.js'

/** Options of {@link deltas}. */
export interface DeltasOptions {
  /** Frames before and after each that count, from 1. Default 2. */
  width?: number | undefined
  /** How often: 2 are deltas of deltas ("acceleration"). Default 1. */
  order?: number | undefined
  /**
   * Whether the features and the deltas of each order stand beside each other, [F, D · (order +
   * 1)], or those of the last order alone, [F, D]. Default `false`: alone.
   */
  append?: boolean | undefined
}

const DEFAULTS = {
  width: 2 as number | undefined,
  order: 1 as number | undefined,
  append: false as boolean | undefined,
}

/** Puts behind each row [C] the deltas of its last D columns. */
class Delta implements Stage {
  readonly width: number
  readonly #columns: number
  readonly #D: number
  readonly #reach: number
  readonly #divisor: number
  /** Rows that are still needed: those before the next one that is given, itself, those after. */
  readonly #rows: Float32Array[] = []

  constructor(columns: number, D: number, reach: number) {
    this.width = columns + D
    this.#columns = columns
    this.#D = D
    this.#reach = reach
    let sum = 0
    for (let n = 1; n <= reach; n++) sum += 2 * n * n
    this.#divisor = sum
  }

  push(input: Numbers): Float32Array {
    const C = this.#columns
    for (let at = 0; at < input.length; at += C) {
      const row = Float32Array.from(input.subarray(at, at + C))
      // what lies before the first frame equals it
      const times = this.#rows.length === 0 ? this.#reach + 1 : 1
      for (let i = 0; i < times; i++) this.#rows.push(row)
    }
    return this.#take()
  }

  end(): Float32Array {
    const last = this.#rows.at(-1)
    if (last !== undefined) for (let i = 0; i < this.#reach; i++) this.#rows.push(last)
    return this.#take()
  }

  #take(): Float32Array {
    const [C, D, N] = [this.#columns, this.#D, this.#reach]
    const known = Math.max(0, this.#rows.length - 2 * N)
    const out = new Float32Array(known * this.width) // [known, C + D]
    for (let t = 0; t < known; t++) {
      out.set(this.#rows[t + N]!, t * this.width)
      for (let d = C - D; d < C; d++) {
        let sum = 0
        for (let n = 1; n <= N; n++)
          sum += n * (this.#rows[t + N + n]![d]! - this.#rows[t + N - n]![d]!)
        out[t * this.width + D + d] = sum / this.#divisor
      }
    }
    this.#rows.splice(0, known)
    return out
  }
}

/** The last D columns of rows [C]. */
class LastColumns implements Stage {
  readonly width: number
  readonly #columns: number

  constructor(columns: number, D: number) {
    this.width = D
    this.#columns = columns
  }

  push(input: Numbers): Float32Array {
    const [C, D] = [this.#columns, this.width]
    const rows = input.length / C
    const out = new Float32Array(rows * D)
    for (let r = 0; r < rows; r++) out.set(input.subarray(r * C + C - D, (r + 1) * C), r * D)
    return out
  }

  end(): Float32Array {
    return new Float32Array(0)
  }
}

/** @throws ConfigError ERR_OPTION @param D features of a frame */
export function deltaStage(where: string, D: number, options: unknown): Stage {
  const given = resolveOptions(where, DEFAULTS, options)
  const width = checkInteger(where, 'width', given.width, 1)
  const order = checkInteger(where, 'order', given.order, 1)
  const append = checkBoolean(where, 'append', given.append)
  const stages: Stage[] = []
  for (let n = 1; n <= order; n++) stages.push(new Delta(n * D, D, width))
  return new Chain(append ? stages : [...stages, new LastColumns((order + 1) * D, D)], D)
}

/**
 * Differences over time, as the slope of a line through 2 · width + 1 frames:
 *
 *     d[t] = Σ_n n · (x[t + n] - x[t - n]) / (2 · Σ_n n²),   n from 1 to width,
 *
 * where frames before the first equal it, and frames after the last one equal that.
 *
 * @param features [F, D]
 * @param options see {@link DeltasOptions}
 * @returns float32, shape [F, D], or [F, D · (order + 1)] with `append`
 * @throws ShapeError ERR_SHAPE for features of another shape; ConfigError ERR_OPTION for bad
 *   options and numbers that are not finite
 * @example
 * import { deltas } from 'hiddenstate/audio'
 * const slopes = deltas([[0], [1], [4], [9]], { width: 1 })
 * console.log(slopes.toArray()) // [ [ 0.5 ], [ 2 ], [ 4 ], [ 2.5 ] ]
 * console.log(deltas([[0], [1]], { order: 2, append: true }).shape) // [ 2, 3 ]
 * @see The HTK Book, 5.9; python_speech_features.delta
 */
export function deltas(features: TensorLike, options?: DeltasOptions): NDArray {
  const where = 'deltas'
  const { rows, D } = featuresOf(where, features)
  const stage = deltaStage(where, D, options)
  return asRows(runAtOnce(runStage(stage, rows, Math.max(1, D))), stage.width)
}
