/**
 * Everything named by strings: optimizers, objectives, metrics,
 * initializations, regularizers, constraints.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { activationName } from '../../lib/activations.js'
import { setFloatx } from '../../lib/backend.js'
import {
  type Constraint,
  MaxNorm,
  maxnorm,
  minMaxNorm,
  toConstraint,
} from '../../lib/constraints.js'
import { ConfigError, ShapeError } from '../../lib/errors.js'
import {
  fans,
  identity,
  initialize,
  initNames,
  normal,
  orthogonal,
  toInit,
  uniform,
} from '../../lib/initializations.js'
import {
  fbetaScore,
  metricFromConfig,
  metricName,
  topKCategoricalAccuracy,
} from '../../lib/metrics.js'
import { objectiveName, objectiveNames } from '../../lib/objectives.js'
import * as optimizers from '../../lib/optimizers/classes.js'
import { Adam, Nadam, RMSprop, SGD } from '../../lib/optimizers/classes.js'
import { optimizerFromConfig, toOptimizer } from '../../lib/optimizers/by-name.js'
import { setSeed } from '../../lib/random.js'
import {
  activityL1l2,
  EigenvalueRegularizer,
  l1,
  type Regularizer,
  toRegularizer,
} from '../../lib/regularizers.js'

afterEach(() => setFloatx('float32'))

describe('optimizers', () => {
  it('names in any case, instances as they are', () => {
    const adam = new Adam()
    expect(toOptimizer(adam)).toBe(adam)
    expect(toOptimizer('rmsprop')).toBeInstanceOf(RMSprop)
    expect(toOptimizer('RMSprop')).toBeInstanceOf(RMSprop)
    expect(() => toOptimizer('adamm')).toThrow(/'adam'/)
    expect(() => toOptimizer(undefined)).toThrow(ConfigError)
  })

  it('properties change hyper-parameters and configuration', () => {
    const sgd = new SGD({ momentum: 0.9, nesterov: true })
    sgd.lr = 0.5
    sgd.clipnorm = 2
    expect(sgd.hyper()).toEqual({
      name: 'sgd',
      lr: 0.5,
      momentum: Math.fround(0.9),
      decay: 0,
      nesterov: true,
      clipnorm: 2,
      clipvalue: null,
    })
    expect(sgd.getConfig()).toEqual({
      lr: 0.5,
      momentum: Math.fround(0.9),
      decay: 0,
      nesterov: true,
      clipnorm: 2,
    })
  })

  it('configurations round what Keras keeps in variables, after floatx', () => {
    expect(new Nadam().getConfig()).toEqual({
      lr: Math.fround(0.002),
      beta_1: Math.fround(0.9),
      beta_2: Math.fround(0.999),
      epsilon: 1e-8,
      schedule_decay: 0.004,
    })
    setFloatx('float64')
    expect(new Nadam().getConfig().lr).toBe(0.002)
  })

  it.each(Object.entries(optimizers))('%s: configuration and back', (name, Class) => {
    const config = new Class({ lr: 0.25, clipvalue: 0.5 }).getConfig()
    const again = optimizerFromConfig({ class_name: name, config })
    expect(again).toBeInstanceOf(Class)
    expect(again.getConfig()).toEqual(config)
  })

  it.each([
    ['unknown', () => new SGD({ learningRate: 1 } as never)],
    ['no number', () => new SGD({ lr: '1' as never })],
    ['NaN', () => new SGD({ lr: Number.NaN })],
    ['no flag', () => new SGD({ nesterov: 1 as never })],
    ['negative clip', () => new SGD({ clipnorm: -1 })],
    [
      'unknown key of a file',
      () => optimizerFromConfig({ class_name: 'Nadam', config: { decay: 0 } }),
    ],
    ['unknown class', () => optimizerFromConfig({ class_name: 'TFOptimizer', config: {} })],
    ['nothing', () => optimizerFromConfig(null)],
  ])('%s is a ConfigError', (_, run) => expect(run).toThrow(ConfigError))
})

describe('names', () => {
  it('objectives and their aliases', () => {
    for (const name of objectiveNames) expect(objectiveName(name)).toBe(name)
    expect(['mse', 'MSE', 'kld', 'cosine', 'msle'].map((n) => objectiveName(n))).toEqual([
      'mean_squared_error',
      'mean_squared_error',
      'kullback_leibler_divergence',
      'cosine_proximity',
      'mean_squared_logarithmic_error',
    ])
    expect(() => objectiveName('binary_cross_entropy')).toThrow(/'binary_crossentropy'/)
    expect(() => objectiveName('toString')).toThrow(ConfigError)
  })

  it('metrics and their aliases; kld is none, as in Keras', () => {
    expect(['mae', 'fscore', 'f1score', 'precision', 'hinge'].map((n) => metricName(n))).toEqual([
      'mean_absolute_error',
      'fmeasure',
      'fmeasure',
      'precision',
      'hinge',
    ])
    expect(() => metricName('kld')).toThrow(ConfigError)
    expect(() => metricName('accurracy')).toThrow(/'accuracy'/)
  })

  it('metrics with an argument', () => {
    expect(topKCategoricalAccuracy({ k: 3 }).spec()).toEqual({
      name: 'top_k_categorical_accuracy',
      k: 3,
    })
    expect(fbetaScore({ beta: 0, name: 'exact' }).spec()).toEqual({ name: 'fbeta_score', beta: 0 })
    expect(fbetaScore({ name: 'f1' }).name).toBe('f1')
    for (const k of [0, -1, 1.5, '3'])
      expect(() => topKCategoricalAccuracy({ k: k as never })).toThrow(/positive integer/)
    for (const beta of [-1, Number.NaN, '1'])
      expect(() => fbetaScore({ beta: beta as never })).toThrow(/from 0/)
    expect(() => fbetaScore({ betta: 1 } as never)).toThrow(/`beta`/)
    expect(() => topKCategoricalAccuracy({ name: '' })).toThrow(ConfigError)
    expect(metricFromConfig('mse', null)).toBe('mse')
    expect(metricFromConfig('fbeta_score', { beta: 2, name: 'f2' })).toEqual(
      fbetaScore({ beta: 2, name: 'f2' }),
    )
    expect(() => metricFromConfig('mse', { k: 1 })).toThrow(ConfigError)
    expect(() => metricFromConfig('fbeta_score', { beta: -1 })).toThrow(ConfigError)
  })

  it('activations', () => {
    expect(activationName(null, 'x')).toBe('linear')
    expect(() => activationName('Tanh', 'x')).toThrow(/'tanh'/)
  })
})

describe('initializations', () => {
  it.each([
    [65, 65],
    [33, 70],
    [70, 33],
    [3, 2],
  ])('orthogonal: the rows or columns of [%i, %i] are orthonormal, times 1.1', (rows, columns) => {
    const q = initialize('orthogonal', [rows, columns])
    const [n, m] = rows <= columns ? [rows, columns] : [columns, rows]
    const at = (i: number, k: number) =>
      (rows <= columns ? q[i * columns + k] : q[k * columns + i]) as number
    let worst = 0
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) {
        let dot = 0
        for (let k = 0; k < m; k++) dot += at(i, k) * at(j, k)
        worst = Math.max(worst, Math.abs(dot - (i === j ? 1.21 : 0)))
      }
    expect(worst).toBeLessThan(1e-13)
  })

  const N = [400, 600]
  const stats = (values: ArrayLike<number>) => {
    const list = Array.from(values)
    const mean = list.reduce((a, b) => a + b, 0) / list.length
    const sd = Math.sqrt(list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length)
    return { mean, sd, most: list.reduce((a, b) => Math.max(a, Math.abs(b)), 0) }
  }
  // [name, standard deviation, bound] from Keras' formulas for fanIn 400, fanOut 600
  const flat = (s: number) => [s / Math.sqrt(3), s] as const
  const cases = [
    ['uniform', ...flat(0.05)],
    ['normal', 0.05, Number.POSITIVE_INFINITY],
    ['lecun_uniform', ...flat(Math.sqrt(3 / 400))],
    ['glorot_uniform', ...flat(Math.sqrt(6 / 1000))],
    ['glorot_normal', Math.sqrt(2 / 1000), Number.POSITIVE_INFINITY],
    ['he_uniform', ...flat(Math.sqrt(6 / 400))],
    ['he_normal', Math.sqrt(2 / 400), Number.POSITIVE_INFINITY],
  ] as const

  it.each(cases)('%s', (name, sd, bound) => {
    setSeed(3)
    const got = stats(initialize(name, N))
    expect(Math.abs(got.mean)).toBeLessThan(0.01 * sd)
    expect(got.sd / sd).toBeGreaterThan(0.99)
    expect(got.sd / sd).toBeLessThan(1.01)
    expect(got.most).toBeLessThanOrEqual(bound)
    expect(got.most).toBeGreaterThan(Number.isFinite(bound) ? 0.99 * bound : 3 * sd)
  })

  it('orthogonal: rows or columns, whichever are fewer, of length 1.1', () => {
    for (const [rows, columns] of [
      [5, 9],
      [9, 5],
      [4, 4],
    ] as const) {
      const q = Array.from(initialize('orthogonal', [rows, columns]))
      const [n, m] = rows <= columns ? [rows, columns] : [columns, rows]
      const at = (i: number, k: number) => (rows <= columns ? q[i * m + k] : q[k * n + i]) as number
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          let dot = 0
          for (let k = 0; k < m; k++) dot += at(i, k) * at(j, k)
          expect(dot).toBeCloseTo(i === j ? 1.21 : 0, 12)
        }
      }
    }
  })

  it('the rest', () => {
    expect(
      ['zero' as const, 'one' as const].flatMap((name) => Array.from(initialize(name, [2]))),
    ).toEqual([0, 0, 1, 1])
    expect(Array.from(initialize('identity', [2, 2]))).toEqual([1, 0, 0, 1])
    expect(() => initialize('identity', [2, 3])).toThrow(ShapeError)
    expect(initNames.length).toBe(11)
  })

  it('with a scale, and the name that configurations keep', () => {
    expect(Array.from(initialize(identity({ scale: 3 }), [2, 2]))).toEqual([3, 0, 0, 3])
    const q = Array.from(initialize(orthogonal({ scale: 2 }), [1, 8]))
    expect(q.reduce((sum, v) => sum + v * v, 0)).toBeCloseTo(4, 12)
    expect(stats(initialize(uniform({ scale: 0.5 }), N)).most).toBeCloseTo(0.5, 3)
    expect(stats(initialize(normal({ scale: 0.001 }), N)).sd).toBeCloseTo(0.001, 4)
    for (const init of [identity(), orthogonal(), uniform(), normal()]) {
      expect(toInit(init, 'x')).toBe(init)
      expect(initNames).toContain(init.name)
    }
    expect(() => normal({ scale: 'big' as never })).toThrow(ConfigError)
  })

  it("fans, in Keras' 'th' order", () => {
    expect(fans([3, 4])).toEqual({ fanIn: 3, fanOut: 4 })
    expect(fans([2, 3, 5, 7])).toEqual({ fanIn: 105, fanOut: 70 })
    expect(fans([2, 8, 4])).toEqual({ fanIn: 8, fanOut: 8 })
  })

  it('a seed fixes them', () => {
    const draw = () => {
      setSeed(11)
      return Array.from(initialize('orthogonal', [4, 4]))
    }
    expect(draw()).toEqual(draw())
  })
})

describe('regularizers and constraints', () => {
  it('norms along several axes', () => {
    const c = maxnorm({ axis: [0, 1] })
    expect(c.getConfig()).toEqual({ name: 'MaxNorm', m: 2, axis: [0, 1] })
    expect((toConstraint(c.getConfig(), '') as Constraint | null)?.spec()).toEqual({
      name: 'maxnorm',
      m: 2,
      axis: [0, 1],
    })
    expect(() => maxnorm({ axis: [] })).toThrow(/an integer or a list of them/)
    expect(() => maxnorm({ axis: [0, 0.5] })).toThrow(ConfigError)
  })

  it('by name, by object, by dictionary', () => {
    expect((toRegularizer('l2', '') as Regularizer | null)?.penalty).toEqual({
      l1: 0,
      l2: Math.fround(0.01),
    })
    expect(
      (toRegularizer({ name: 'WeightRegularizer', l1: 0.5, l2: 0 }, '') as Regularizer | null)
        ?.penalty,
    ).toEqual({
      l1: 0.5,
      l2: 0,
    })
    expect(toRegularizer(null, '')).toBeNull()
    expect(l1().getConfig()).toEqual({ name: 'L1L2Regularizer', l1: Math.fround(0.01), l2: 0 })
    expect(activityL1l2({ l1: 0.5, l2: 0.25 }).penalty).toEqual({ l1: 0.5, l2: 0.25 })
    const eigen = new EigenvalueRegularizer({ k: 0.5 })
    expect(toRegularizer(eigen.getConfig(), '')).toEqual(eigen)
    expect((toConstraint('nonneg', '') as Constraint | null)?.spec()).toEqual({ name: 'nonneg' })
    expect(
      (toConstraint({ name: 'MaxNorm', m: 3, axis: 1 }, '') as Constraint | null)?.spec(),
    ).toEqual({
      name: 'maxnorm',
      m: 3,
      axis: 1,
    })
    expect(maxnorm({ m: 3 })).toEqual(new MaxNorm({ m: 3 }))
    expect(minMaxNorm({ low: 0.5 }).spec()).toEqual({
      name: 'minmaxnorm',
      low: 0.5,
      high: 1,
      rate: 1,
      axis: 0,
    })
  })

  it.each([
    ['l1 with l1', () => l1({ l1: 1 } as never)],
    ['text', () => l1({ l: '1' as never })],
    ['axis 0.5', () => maxnorm({ axis: 0.5 })],
    ['unknown', () => toRegularizer({ name: 'l3' }, 'x')],
    ['no k', () => new EigenvalueRegularizer({} as never)],
    ['a class', () => toConstraint(MaxNorm, 'x')],
  ])('%s is a ConfigError', (_, run) => expect(run).toThrow(ConfigError))
})
