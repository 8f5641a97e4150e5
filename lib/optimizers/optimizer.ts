/** What all optimizers share. Keras 1.2.2 `keras.optimizers.Optimizer`. */
import { inspect, type InspectOptions } from 'node:util'
import { type Precision, floatx, keptIn } from '../backend.js'
import { ConfigError, fail, StateError } from '../errors.js'
import { describe } from '../ndarray.js'
import { camelToSnake, resolveOptions } from '../options.js'

/** What every optimizer accepts. */
export interface OptimizerOptions {
  /** Scales all gradients together when their common norm exceeds this. Default: off. */
  clipnorm?: number | null
  /** Cuts every gradient to [-clipvalue, clipvalue], after `clipnorm`. Default: off. */
  clipvalue?: number | null
}

/** A model, as far as it counts the batches it was trained on. */
export interface Counter {
  iterations: number
}

/**
 * Base class; Keras 1.2.2 `keras.optimizers.Optimizer`.
 * A subclass has its defaults and nothing else.
 */
export abstract class Optimizer {
  /** Keras' class name; in lower case the native one. */
  static readonly className: string = 'Optimizer'
  static readonly defaults: Readonly<Record<string, number | boolean>> = {}
  /** Hyper-parameters that are variables in Keras, hence float32 in its files. */
  static readonly variables: readonly string[] = ['lr', 'decay', 'beta1', 'beta2']

  /**
   * @throws ConfigError `ERR_OPTION`, as every hyper-parameter, when it is set to what the
   *   constructor would not take
   */
  declare lr: number
  declare clipnorm: number | null
  declare clipvalue: number | null
  #counter: Counter | null = null

  protected constructor(options: object | undefined) {
    const { className, defaults } = this.#class
    const given = { ...defaults, clipnorm: null, clipvalue: null } as Record<string, unknown>
    for (const [key, value] of Object.entries(resolveOptions(className, given, options)))
      this.#define(key, value)
    Object.preventExtensions(this) // a misspelt property is an error, not a new one
  }

  /** A hyper-parameter, checked whenever it is set. */
  #define(key: string, given: unknown): void {
    const { className, defaults } = this.#class
    const check = key in defaults ? like(defaults[key]) : limit
    let value = check(className, key, given)
    const set = (next: unknown) => {
      value = check(className, key, next)
    }
    Object.defineProperty(this, key, { enumerable: true, get: () => value, set })
  }

  /** `lr` by the name of later versions of Keras. @internal */
  set learningRate(value: unknown) {
    const hint = 'It is called `lr` here, as in Keras 1.2.2.'
    const where = this.#class.className
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'learningRate',
      expected: 'not set',
      actual: describe(value),
      hint,
    })
  }

  /**
   * Batches that the optimizer has counted since `compile`: what `decay` and the schedules of Adam,
   * Adamax and Nadam go by. Set it to go on where another training stopped. Of the model that was
   * compiled with this optimizer last; 0 before. Files keep it.
   * @throws ConfigError `ERR_OPTION` for anything but a whole number from 0; StateError
   *   `ERR_NOT_COMPILED`; `ERR_BUSY` while a batch runs, and during a fit for all but its callbacks
   */
  get iterations(): number {
    return this.#counter?.iterations ?? 0
  }

  set iterations(iterations: number) {
    const [where, what] = [this.#class.className, 'iterations']
    if (!Number.isSafeInteger(iterations) || iterations < 0)
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what,
        expected: 'a whole number from 0',
        actual: describe(iterations),
      })
    if (!this.#counter) {
      const [expected, actual] = [
        'set once a model is compiled with the optimizer',
        `${iterations} before`,
      ]
      fail(StateError, 'ERR_NOT_COMPILED', { where, what, expected, actual })
    }
    this.#counter.iterations = iterations
  }

  /** @internal From now on {@link iterations} are those of a model. */
  countsWith(counter: Counter): void {
    this.#counter = counter
  }

  /** The hyper-parameters instead of their accessors. @internal */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `${this.#class.className} ${inspect({ ...this }, options)}`
  }

  get #class(): typeof Optimizer {
    return this.constructor as typeof Optimizer
  }

  /**
   * @internal The hyper-parameters as they are now, for a model of this precision;
   *   `name` is the native optimizer.
   */
  hyper(precision: Precision = floatx()): {
    name: string
    [key: string]: number | boolean | string | null
  } {
    const { className, defaults } = this.#class
    const values = Object.keys(defaults).map((key) => [key, this.#value(key, precision)] as const)
    const { clipnorm, clipvalue } = this
    return { ...Object.fromEntries(values), clipnorm, clipvalue, name: className.toLowerCase() }
  }

  /**
   * Hyper-parameters that are variables in Keras are rounded to the precision of the model, here as
   * in files, so that a loaded model goes on with the same bits.
   */
  #value(key: string, precision: Precision): number | boolean {
    const value = (this as unknown as Record<string, number | boolean>)[key] as number | boolean
    const rounds =
      typeof value === 'number' &&
      this.#class.variables.includes(key) &&
      keptIn(precision) === 'float32'
    return rounds ? Math.fround(value) : value
  }

  /**
   * Keras' snake_case dictionary, with variables rounded to `precision`,
   * by default the floatx in use.
   */
  getConfig(precision: Precision = floatx()): Record<string, unknown> {
    const config: Record<string, unknown> = {}
    for (const key of Object.keys(this.#class.defaults))
      config[camelToSnake(key)] = this.#value(key, precision)
    if (this.clipnorm !== null) config.clipnorm = this.clipnorm
    if (this.clipvalue !== null) config.clipvalue = this.clipvalue
    return config
  }
}

/** The check for values of the type of `byDefault`. */
const like = (byDefault: unknown) => (where: string, what: string, value: unknown) => {
  if (typeof value === typeof byDefault && (typeof value !== 'number' || Number.isFinite(value)))
    return value
  const expected = typeof byDefault === 'boolean' ? 'true or false' : 'a finite number'
  return fail(ConfigError, 'ERR_OPTION', { where, what, expected, actual: describe(value) })
}

function limit(where: string, what: string, value: unknown): number | null {
  if (value === null || (typeof value === 'number' && Number.isFinite(value) && value >= 0))
    return value
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what,
    expected: 'a number from 0, or null',
    actual: describe(value),
  })
}
