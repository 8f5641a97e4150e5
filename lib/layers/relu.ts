import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import type { Option } from '../spec.js'
import { AdvancedActivation } from './base/advanced-activation.js'
import { Layer, type LayerOptions } from './base/layer.js'

/** Options of {@link ReLU}. */
export interface ReLUOptions extends LayerOptions {
  /** The largest value; `null`: none. Default `null`. */
  maxValue?: number | null
  /** Slope for x below the threshold, from 0 on. Default 0. */
  negativeSlope?: number
  /** From here on x stays as it is; from 0 on. Default 0. */
  threshold?: number
}

/**
 * `min(x, maxValue)` from `threshold` on, `negativeSlope·(x − threshold)` below. Any shape → the
 * same. Passes masks on. At the threshold the slope is that of the left side.
 * @throws ConfigError `ERR_OPTION` for a negative option
 * @example
 * const model = new Sequential([new Dense(4, { inputDim: 3 }), new ReLU({ maxValue: 6 })])
 * @see Keras 2, keras.layers.ReLU; Keras 1.2.2 has no such layer.
 */
export class ReLU extends AdvancedActivation<ReLUOptions> {
  static override readonly className = 'ReLU'
  static override readonly defaults = {
    ...Layer.defaults,
    maxValue: null,
    negativeSlope: 0,
    threshold: 0,
  }
  protected readonly kind = 'relu'

  constructor(options?: ReLUOptions) {
    super([], options)
    for (const key of ['maxValue', 'negativeSlope', 'threshold'] as const) {
      const value: unknown = this.options[key]
      if (value === null && key === 'maxValue') continue
      if (typeof value === 'number' && Number.isFinite(value) && value >= 0) continue
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: this.spelled(key),
        expected: `${key === 'maxValue' ? 'null or ' : ''}a finite number from 0 on`,
        actual: describe(value),
      })
    }
  }

  /** @internal */
  override get perStep(): boolean {
    return true
  }

  protected override get constant(): number {
    return this.options.negativeSlope
  }

  protected override constants(): { [key: string]: Option } {
    const { maxValue, threshold } = this.options
    return { threshold, ...(maxValue === null ? {} : { max: maxValue }) }
  }
}
