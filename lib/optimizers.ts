/**
 * Optimizers: hyper-parameters with Keras 1.2.2's defaults, as plain properties that may change at any time; the
 * mathematics is native (optimizers/*.cc, called by the class name in lower case).
 */
import { inspect, type InspectOptions } from 'node:util'
import { type Floatx, floatx, keptIn } from './backend.js'
import { ConfigError, fail, nearest, StateError } from './errors.js'
import { describe } from './ndarray.js'
import { camelToSnake, resolveOptions, snakeToCamel } from './options.js'

/** What every optimizer accepts. */
export interface OptimizerOptions {
  /** Scales all gradients together when their common norm exceeds this. Default: off. */
  clipnorm?: number | null
  /** Cuts every gradient to [-clipvalue, clipvalue], after `clipnorm`. Default: off. */
  clipvalue?: number | null
}

/** Where a model counts the batches it was trained on. */
export interface Counter {
  iterations: number
}

/** Base class; Keras 1.2.2 `keras.optimizers.Optimizer`. A subclass has its defaults and nothing else. */
export abstract class Optimizer {
  /** Keras' class name; in lower case the native one. */
  static readonly className: string = 'Optimizer'
  static readonly defaults: Readonly<Record<string, number | boolean>> = {}
  /** Hyper-parameters that are variables in Keras, hence float32 in its files. */
  static readonly variables: readonly string[] = ['lr', 'decay', 'beta1', 'beta2']

  /** @throws ConfigError `ERR_OPTION`, as every hyper-parameter, when it is set to what the constructor would not take */
  declare lr: number
  declare clipnorm: number | null
  declare clipvalue: number | null
  #counter: Counter | null = null

  protected constructor(options: object | undefined) {
    const { className, defaults } = this.#class
    const given = { ...defaults, clipnorm: null, clipvalue: null } as Record<string, unknown>
    for (const [key, value] of Object.entries(resolveOptions(className, given, options))) this.#define(key, value)
    Object.preventExtensions(this) // what is misspelt is not ignored
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

  /** What later versions of Keras call `lr`. @internal */
  set learningRate(value: unknown) {
    const hint = 'It is called `lr` here, as in Keras 1.2.2.'
    const where = this.#class.className
    fail(ConfigError, 'ERR_OPTION', { where, what: 'learningRate', expected: 'not set', actual: describe(value), hint })
  }

  /**
   * Batches that the optimizer has counted since `compile`: what `decay` and the schedules of Adam, Adamax and Nadam go by. Set it to go
   * on where another training stopped. Of the model that was compiled with this optimizer last; 0 before. Files keep it.
   * @throws ConfigError `ERR_OPTION` for anything but a whole number from 0; StateError `ERR_NOT_COMPILED`; `ERR_BUSY` while a batch runs,
   *   and during a fit for all but its callbacks
   */
  get iterations(): number {
    return this.#counter?.iterations ?? 0
  }

  set iterations(iterations: number) {
    const [where, what] = [this.#class.className, 'iterations']
    if (!Number.isSafeInteger(iterations) || iterations < 0)
      fail(ConfigError, 'ERR_OPTION', { where, what, expected: 'a whole number from 0', actual: describe(iterations) })
    if (!this.#counter) {
      const [expected, actual] = ['set once a model is compiled with the optimizer', `${iterations} before`]
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

  /** @internal The hyper-parameters as they are now, for a model of this precision; `name` is the native optimizer. */
  hyper(precision: Floatx = floatx()): { name: string; [key: string]: number | boolean | string | null } {
    const { className, defaults } = this.#class
    const values = Object.keys(defaults).map((key) => [key, this.#value(key, precision)] as const)
    const { clipnorm, clipvalue } = this
    return { ...Object.fromEntries(values), clipnorm, clipvalue, name: className.toLowerCase() }
  }

  /** What is a variable in Keras is rounded to the precision of the model, here as in files: so a loaded model goes on with the same bits. */
  #value(key: string, precision: Floatx): number | boolean {
    const value = (this as unknown as Record<string, number | boolean>)[key] as number | boolean
    const rounds = typeof value === 'number' && this.#class.variables.includes(key) && keptIn(precision) === 'float32'
    return rounds ? Math.fround(value) : value
  }

  /** Keras' snake_case dictionary; what is a variable there comes rounded to `precision`, by default the floatx in use. */
  getConfig(precision: Floatx = floatx()): Record<string, unknown> {
    const config: Record<string, unknown> = {}
    for (const key of Object.keys(this.#class.defaults)) config[camelToSnake(key)] = this.#value(key, precision)
    if (this.clipnorm !== null) config.clipnorm = this.clipnorm
    if (this.clipvalue !== null) config.clipvalue = this.clipvalue
    return config
  }
}

/** The check for values of the type of `byDefault`. */
const like = (byDefault: unknown) => (where: string, what: string, value: unknown) => {
  if (typeof value === typeof byDefault && (typeof value !== 'number' || Number.isFinite(value))) return value
  const expected = typeof byDefault === 'boolean' ? 'true or false' : 'a finite number'
  return fail(ConfigError, 'ERR_OPTION', { where, what, expected, actual: describe(value) })
}

function limit(where: string, what: string, value: unknown): number | null {
  if (value === null || (typeof value === 'number' && Number.isFinite(value) && value >= 0)) return value
  return fail(ConfigError, 'ERR_OPTION', { where, what, expected: 'a number from 0, or null', actual: describe(value) })
}

/** Options of {@link SGD}. */
export interface SGDOptions extends OptimizerOptions {
  /** Learning rate. Default 0.01. */
  lr?: number
  /** Default 0. */
  momentum?: number
  /** `lr / (1 + decay * iterations)`. Default 0. */
  decay?: number
  /** Default false. */
  nesterov?: boolean
}

/**
 * Stochastic gradient descent: `v = momentum*v - lr*g`, `p += v`; nesterov `p += momentum*v - lr*g`.
 * @throws ConfigError `ERR_OPTION`
 * @example
 * import { Dense, Sequential, SGD } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 3 })])
 * model.compile({ loss: 'mse', optimizer: new SGD({ lr: 0.1, momentum: 0.9, nesterov: true }) })
 * @see keras.optimizers.SGD
 */
export class SGD extends Optimizer {
  static override readonly className = 'SGD'
  static override readonly defaults = { lr: 0.01, momentum: 0, decay: 0, nesterov: false }
  static override readonly variables = ['lr', 'momentum', 'decay']
  declare momentum: number
  declare decay: number
  declare nesterov: boolean

  constructor(options?: SGDOptions) {
    super(options)
  }
}

/** Options of {@link RMSprop}. */
export interface RMSpropOptions extends OptimizerOptions {
  /** Learning rate. Default 0.001. */
  lr?: number
  /** Default 0.9. */
  rho?: number
  /** Default 1e-8. */
  epsilon?: number
  /** `lr / (1 + decay * iterations)`. Default 0. */
  decay?: number
}

/**
 * `a = rho*a + (1-rho)*g²`, `p -= lr*g / (√a + epsilon)`. The usual choice for recurrent networks.
 * @throws ConfigError `ERR_OPTION`
 * @example
 * import { Dense, RMSprop, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 3 })])
 * model.compile({ loss: 'mse', optimizer: new RMSprop({ lr: 0.003, clipnorm: 1 }) })
 * @see keras.optimizers.RMSprop
 */
export class RMSprop extends Optimizer {
  static override readonly className = 'RMSprop'
  static override readonly defaults = { lr: 0.001, rho: 0.9, epsilon: 1e-8, decay: 0 }
  static override readonly variables = ['lr', 'rho', 'decay']
  declare rho: number
  declare epsilon: number
  declare decay: number

  constructor(options?: RMSpropOptions) {
    super(options)
  }
}

/** Options of {@link Adagrad}. */
export interface AdagradOptions extends OptimizerOptions {
  /** Learning rate. Default 0.01. */
  lr?: number
  /** Default 1e-8. */
  epsilon?: number
  /** `lr / (1 + decay * iterations)`. Default 0. */
  decay?: number
}

/**
 * `a += g²`, `p -= lr*g / (√a + epsilon)`.
 * @throws ConfigError `ERR_OPTION`
 * @example
 * import { Adagrad, Dense, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 3 })])
 * model.compile({ loss: 'mse', optimizer: new Adagrad() })
 * @see keras.optimizers.Adagrad
 */
export class Adagrad extends Optimizer {
  static override readonly className = 'Adagrad'
  static override readonly defaults = { lr: 0.01, epsilon: 1e-8, decay: 0 }
  declare epsilon: number
  declare decay: number

  constructor(options?: AdagradOptions) {
    super(options)
  }
}

/** Options of {@link Adadelta}. */
export interface AdadeltaOptions extends OptimizerOptions {
  /** Learning rate. Default 1. */
  lr?: number
  /** Default 0.95. */
  rho?: number
  /** Default 1e-8. */
  epsilon?: number
  /** `lr / (1 + decay * iterations)`. Default 0. */
  decay?: number
}

/**
 * `u = g*√(d + epsilon) / √(a + epsilon)`, `p -= lr*u`, with running means a of g² and d of u².
 * @throws ConfigError `ERR_OPTION`
 * @example
 * import { Adadelta, Dense, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 3 })])
 * model.compile({ loss: 'mse', optimizer: new Adadelta() })
 * @see keras.optimizers.Adadelta
 */
export class Adadelta extends Optimizer {
  static override readonly className = 'Adadelta'
  static override readonly defaults = { lr: 1, rho: 0.95, epsilon: 1e-8, decay: 0 }
  declare rho: number
  declare epsilon: number
  declare decay: number

  constructor(options?: AdadeltaOptions) {
    super(options)
  }
}

/** Options of {@link Adam} and {@link Adamax}. */
export interface AdamOptions extends OptimizerOptions {
  /** Learning rate. Default 0.001 (Adamax 0.002). */
  lr?: number
  /** Default 0.9. */
  beta1?: number
  /** Default 0.999. */
  beta2?: number
  /** Default 1e-8. */
  epsilon?: number
  /** `lr / (1 + decay * iterations)`. Default 0. */
  decay?: number
}

/**
 * `p -= lr·√(1-β2^t)/(1-β1^t) · m / (√v + epsilon)`, with running means m of g and v of g².
 * @throws ConfigError `ERR_OPTION`
 * @example
 * import { Adam, Dense, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 3 })])
 * model.compile({ loss: 'mse', optimizer: new Adam({ lr: 0.002 }) })
 * @see keras.optimizers.Adam
 */
export class Adam extends Optimizer {
  static override readonly className = 'Adam'
  static override readonly defaults = { lr: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0 }
  declare beta1: number
  declare beta2: number
  declare epsilon: number
  declare decay: number

  constructor(options?: AdamOptions) {
    super(options)
  }
}

/**
 * Adam with the largest gradient instead of v: `u = max(β2·u, |g|)`, `p -= lr/(1-β1^t) · m / (u + epsilon)`.
 * @throws ConfigError `ERR_OPTION`
 * @example
 * import { Adamax, Dense, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 3 })])
 * model.compile({ loss: 'mse', optimizer: new Adamax() })
 * @see keras.optimizers.Adamax
 */
export class Adamax extends Optimizer {
  static override readonly className = 'Adamax'
  static override readonly defaults = { lr: 0.002, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0 }
  declare beta1: number
  declare beta2: number
  declare epsilon: number
  declare decay: number

  constructor(options?: AdamOptions) {
    super(options)
  }
}

/** Options of {@link Nadam}. */
export interface NadamOptions extends OptimizerOptions {
  /** Learning rate. Default 0.002. */
  lr?: number
  /** Default 0.9. */
  beta1?: number
  /** Default 0.999. */
  beta2?: number
  /** Default 1e-8. */
  epsilon?: number
  /** Of the momentum. Default 0.004. */
  scheduleDecay?: number
}

/**
 * Adam with Nesterov momentum, as Keras 1.2.2 schedules it.
 * @throws ConfigError `ERR_OPTION`
 * @example
 * import { Dense, Nadam, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 3 })])
 * model.compile({ loss: 'mse', optimizer: new Nadam() })
 * @see keras.optimizers.Nadam
 */
export class Nadam extends Optimizer {
  static override readonly className = 'Nadam'
  static override readonly defaults = { lr: 0.002, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, scheduleDecay: 0.004 }
  declare beta1: number
  declare beta2: number
  declare epsilon: number
  declare scheduleDecay: number

  constructor(options?: NadamOptions) {
    super(options)
  }
}

const classes = { SGD, RMSprop, Adagrad, Adadelta, Adam, Adamax, Nadam }
const byLowerCase = new Map(Object.values(classes).map((c) => [c.className.toLowerCase(), c]))

/** The optimizer classes by Keras' names. */
export const optimizerClasses: ReadonlyMap<string, (typeof classes)[keyof typeof classes]> = new Map(
  Object.entries(classes),
)

/** What `compile({ optimizer })` takes as a string: the class name as it is or in lower case. */
export type OptimizerName = keyof typeof classes | Lowercase<keyof typeof classes>

/**
 * An optimizer from a name (upper and lower case alike, with defaults), or the instance itself.
 * @throws ConfigError `ERR_UNKNOWN_NAME`
 */
export function toOptimizer(value: unknown, where = 'compile'): Optimizer {
  if (value instanceof Optimizer) return value
  const Class = typeof value === 'string' ? byLowerCase.get(value.toLowerCase()) : undefined
  if (Class) return new Class()
  const near = typeof value === 'string' ? nearest(value, byLowerCase.keys()) : undefined
  return fail(ConfigError, 'ERR_UNKNOWN_NAME', {
    where,
    what: 'optimizer',
    expected: `one of ${[...byLowerCase.keys()].join(', ')}, or an instance`,
    actual: describe(value),
    hint: near && `Did you mean '${near}'?`,
  })
}

/**
 * The optimizer that a training configuration describes: `{ class_name: 'Adam', config: { lr, beta_1, … } }`.
 * @throws ConfigError `ERR_UNKNOWN_NAME`, `ERR_OPTION`
 */
export function optimizerFromConfig(config: unknown, where = 'optimizer_config'): Optimizer {
  const { class_name: name, config: values } = (typeof config === 'object' && config !== null ? config : {}) as {
    class_name?: unknown
    config?: unknown
  }
  const Class = toOptimizer(name, where).constructor as new (options: object) => Optimizer
  const given = Object.fromEntries(Object.entries(values ?? {}).map(([key, value]) => [snakeToCamel(key), value]))
  return new Class(given)
}
