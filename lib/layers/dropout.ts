import { ConfigError, fail, ShapeError } from '../errors.js'
import { describe } from '../ndarray.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'
import { showShape } from './base/names.js'

/** Options of {@link Dropout}. */
export interface DropoutOptions extends LayerOptions {
  /**
   * Shape of the mask, with the batch; an axis of 1 shares it: `[null, 1, 8]` drops features for
   * all steps. Default: the input's.
   */
  noiseShape?: Shape | null
  /**
   * Seed of this layer's own draws, for repeatable runs without `setSeed`. An integer from 0.
   * Default `null`: the model's.
   */
  seed?: number | null
}

/**
 * In training, sets a share `p` of the inputs to 0 and divides the rest by 1 - p; else hands them
 * on. Any shape → the same. Passes masks on. Only 0 < p < 1 does anything, as in Keras.
 * @param p from 0 to 1
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` when `noiseShape` does
 *   not fit the input
 * @example
 * const model = new Sequential([new Dropout(0.5, { inputShape: [20] }), new Dense(1)])
 * @see keras.layers.Dropout. As there, a configuration holds `p` alone.
 */
export class Dropout extends Layer<DropoutOptions & { p: number }> {
  static override readonly className: string = 'Dropout'
  static override readonly positional = ['p']
  static override readonly defaults: Readonly<Record<string, unknown>> = {
    ...Layer.defaults,
    noiseShape: null,
    seed: null,
  }
  static override readonly unsaved = [...Layer.unsaved, 'noiseShape', 'seed']
  override readonly supportsMasking = true

  constructor(p: number, options?: DropoutOptions) {
    super([p], options)
    const { seed } = this.options
    if (seed === null || (Number.isSafeInteger(seed) && seed >= 0)) return
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      what: 'seed',
      expected: 'an integer from 0',
      actual: describe(seed),
    })
  }

  /** Of the mask, with the batch; null: that of the input. */
  protected get noiseShape(): Shape | null {
    return this.options.noiseShape
  }

  /** @internal With a mask of its own shape, steps are not alike. */
  override get perStep(): boolean {
    return this.noiseShape === null
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    const { noiseShape } = this
    const fits = (d: number | null, i: number) =>
      d === null || d === 1 || inputShape[i] === null || d === inputShape[i]
    if (!noiseShape || (noiseShape.length === inputShape.length && noiseShape.every(fits))) return
    fail(ShapeError, 'ERR_SHAPE', {
      where: this.where,
      layer: this.where,
      what: this.spelled('noiseShape'),
      expected: `${showShape(inputShape)}, or 1 instead of some extents`,
      actual: showShape(noiseShape),
    })
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return inputShape
  }

  protected emit(graph: Graph, x: Value): Value {
    const { p, seed } = this.options
    const { noiseShape } = this
    // per axis, the batch first: 1 where the mask is shared along it
    const shared = noiseShape ? noiseShape.map((d) => (d === 1 ? 1 : 0)) : null
    return graph.op('dropout', [x], x.shape, {
      ...this.opName(),
      options: { p, shared, seed },
      mask: 'pass',
    })
  }
}
