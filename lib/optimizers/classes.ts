/**
 * The optimizers: hyper-parameters with the defaults of Keras 1.2.2, as plain properties that may
 * change at any time. What is exported here is public. The mathematics is native
 * (native/formulas/optimizers/*.cc, called by the class name in lower case).
 */
import { Optimizer, type OptimizerOptions } from './optimizer.js'

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
 * Stochastic gradient descent: `v = momentum*v - lr*g`, `p += v`; nesterov
 * `p += momentum*v - lr*g`.
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
  static override readonly defaults = {
    lr: 0.001,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    decay: 0,
  }
  declare beta1: number
  declare beta2: number
  declare epsilon: number
  declare decay: number

  constructor(options?: AdamOptions) {
    super(options)
  }
}

/**
 * Adam with the largest gradient instead of v: `u = max(β2·u, |g|)`,
 * `p -= lr/(1-β1^t) · m / (u + epsilon)`.
 * @throws ConfigError `ERR_OPTION`
 * @example
 * import { Adamax, Dense, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 3 })])
 * model.compile({ loss: 'mse', optimizer: new Adamax() })
 * @see keras.optimizers.Adamax
 */
export class Adamax extends Optimizer {
  static override readonly className = 'Adamax'
  static override readonly defaults = {
    lr: 0.002,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    decay: 0,
  }
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
  static override readonly defaults = {
    lr: 0.002,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    scheduleDecay: 0.004,
  }
  declare beta1: number
  declare beta2: number
  declare epsilon: number
  declare scheduleDecay: number

  constructor(options?: NadamOptions) {
    super(options)
  }
}
