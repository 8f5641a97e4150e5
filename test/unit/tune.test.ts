/** Sweeps in this process: spaces, suggestions, pruning, and what is checked. */
import { describe, expect, it } from 'vitest'
import { RandomStream } from '../../lib/random.js'
import { normalMass } from '../../lib/tune/normal-distribution.js'
import { densityOf } from '../../lib/tune/parzen.js'
import { shouldPrune } from '../../lib/tune/pruners.js'
import type { TrialRecord } from '../../lib/tune/records.js'
import { suggest } from '../../lib/tune/samplers.js'
import { checkSpace, draw, isOf } from '../../lib/tune/space.js'
import { Dense, Sequential, SGD, tune as tuning } from '../package.js'

const { asha, choice, int, logUniform, tpe, TrialReporter, tune, uniform } = tuning
const silent = { verbose: 0, seed: 1 } as const
const space = {
  x: uniform(-5, 10),
  lr: logUniform(1e-4, 1),
  n: int(1, 7),
  m: int(1, 1000, { log: true }),
  cell: choice(['lstm', 'gru', 'dense']),
  k: int(2, 5, { when: { cell: ['lstm', 'gru'] } }),
}
type P = tuning.Params<typeof space>

describe('a space', () => {
  it('gives values inside it, all of them, and conditional ones only where they count', async () => {
    const { trials } = await tune({
      ...{ ...silent, space, sampler: 'random', trials: 400 },
      objective: ({ x }: P) => x,
    })
    for (const { params } of trials) {
      expect(isOf(space, params)).toBe(true)
      expect('k' in params).toBe(params.cell !== 'dense')
    }
    const all = (name: keyof P) => new Set(trials.map(({ params }) => params[name]))
    expect(all('n')).toEqual(new Set([1, 2, 3, 4, 5, 6, 7]))
    expect(all('k')).toEqual(new Set([2, 3, 4, 5, undefined]))
    expect(all('cell')).toEqual(new Set(['lstm', 'gru', 'dense']))
    const median = (name: 'x' | 'lr' | 'm') =>
      trials.map(({ params }) => params[name]).sort((a, b) => a - b)[200]!
    expect(median('x')).toBeCloseTo(2.5, -0.5)
    expect(Math.log10(median('lr'))).toBeCloseTo(-2, 0)
    expect(Math.log10(median('m'))).toBeCloseTo(1.5, 0)
  })

  it('draws the ends of an int as often as its other values', () => {
    const random = new RandomStream(1)
    const counts = new Map<unknown, number>()
    for (let i = 0; i < 7000; i++) {
      const value = draw(space.n, random)
      counts.set(value, (counts.get(value) ?? 0) + 1)
    }
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150) // 5 sd
  })

  it.each<[string, () => unknown, string]>([
    ['uniform', () => uniform(1, 1), 'uniform: high must be above low, which is 1, got 1.'],
    ['uniform', () => uniform(Number.NaN, 1), 'uniform: low must be a finite number, got NaN.'],
    [
      'uniform',
      () => uniform(-1e308, 1.7e308),
      'uniform: high must be a finite distance above low, got 1.7e+308.',
    ],
    [
      'logUniform',
      () => logUniform(0, 1),
      'logUniform: low must be above 0 on a logarithmic scale, got 0.',
    ],
    ['int', () => int(1.5, 3), 'int: low must be an integer, got 1.5.'],
    [
      'int',
      () => int(0, 3, { log: true }),
      'int: low must be above 0 on a logarithmic scale, got 0.',
    ],
    [
      'int',
      () => int(0, 3, { lgo: true } as object),
      'int: unknown option `lgo`. Did you mean `log`?',
    ],
    [
      'choice',
      () => choice(['a']),
      'choice: values must be two or more different strings, numbers, booleans or nulls, got an array of length 1.',
    ],
    [
      'choice',
      () => choice(['a', 'a']),
      'choice: values must be two or more different strings, numbers, booleans or nulls, got an array of length 2.',
    ],
    [
      'space',
      () => checkSpace('tune', {}),
      'tune: space must be an object of uniform, logUniform, int and choice by name, got an object of class Object.',
    ],
    [
      'space',
      () => checkSpace('tune', { a: 3 }),
      'tune: space.a must be of uniform, logUniform, int or choice, got 3.',
    ],
    [
      'when',
      () =>
        checkSpace('tune', { a: uniform(0, 1, { when: { cel: 'a' } }), cell: choice(['a', 'b']) }),
      'tune: space.a: when must be of choices that come before it (there is none), got cel.',
    ],
    [
      'when',
      () =>
        checkSpace('tune', { cell: choice(['a', 'b']), a: uniform(0, 1, { when: { cel: 'a' } }) }),
      'tune: space.a: when must be of choices that come before it (cell), got cel. Did you mean `cell`?',
    ],
    [
      'when',
      () =>
        checkSpace('tune', { cell: choice(['a', 'b']), a: uniform(0, 1, { when: { cell: 'c' } }) }),
      "tune: space.a: when.cell must be of 'a', 'b', got the string 'c'.",
    ],
  ])('%s: what is wrong is an error', (_, make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION', message }))
  })
})

describe('the normal distribution', () => {
  // differences of Python 3.11's math.erfc(x / sqrt(2)) / 2
  it.each([
    [-1, 1, 0.6826894921370859],
    [-1.96, 1.96, 0.9500042097035593],
    [0.5, 2.5, 0.3023278734400928],
    [2.9, 3.1, 0.0008982100871656822],
    [-6, -5, 2.856649842341569e-7],
    [5, 6, 2.856649842341569e-7],
    [8, Number.POSITIVE_INFINITY, 6.220960574271785e-16],
  ])('from %d to %d', (a, b, mass) => {
    expect(normalMass(a, b) / mass).toBeCloseTo(1, 9)
  })
})

describe('densities of TPE', () => {
  it.each<[string, tuning.Dimension, number[]]>([
    ['uniform', uniform(-5, 10), [-4.9, 0, 0.1, 9]],
    ['one value', uniform(0, 1), [0.3]],
    ['no value', logUniform(1e-4, 1), []],
    ['log', logUniform(1e-4, 1), [1e-4, 1e-3, 1.1e-3, 0.5]],
    ['40 values', uniform(0, 1), Array.from({ length: 40 }, (_, i) => ((i * 17) % 40) / 40)],
  ])('%s: their mass is 1', (_, dimension, observed) => {
    if (dimension.kind === 'choice') throw new Error('no range')
    const density = densityOf(dimension, observed)
    const { low, high, log } = dimension
    const n = 20_000
    const at = (share: number) => (log ? low * (high / low) ** share : low + share * (high - low))
    const width = log ? Math.log(high / low) : high - low
    let sum = 0
    for (let i = 0; i < n; i++) sum += Math.exp(density.logDensity(at((i + 0.5) / n)))
    expect((sum * width) / n).toBeCloseTo(1, 3)
  })

  it.each<[string, tuning.Dimension, tuning.Value[], tuning.Value[]]>([
    ['int', int(1, 7), [1, 1, 6], [1, 2, 3, 4, 5, 6, 7]],
    ['log int', int(1, 9, { log: true }), [1, 9, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['choice', choice(['a', 'b', null]), ['b', 'b', null], ['a', 'b', null]],
    ['choice, nothing seen', choice([true, false]), [], [true, false]],
  ])('%s: their mass is 1, and draws follow it', (_, dimension, observed, values) => {
    const density = densityOf(dimension, observed)
    const shares = values.map((value) => Math.exp(density.logDensity(value)))
    expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 9)
    const random = new RandomStream(3)
    const draws = Array.from({ length: 4000 }, () => density.draw(random))
    values.forEach((value, i) => {
      const share = draws.filter((drawn) => drawn === value).length / draws.length
      expect(Math.abs(share - shares[i]!)).toBeLessThan(5 * Math.sqrt(shares[i]! / 4000) + 1e-3)
    })
  })
})

describe('TPE', () => {
  const bowl = ({ x, lr, cell }: P) =>
    (x - 2) ** 2 + (Math.log10(lr) + 2) ** 2 + (cell === 'gru' ? 0 : 1)
  const bestOf = async (sampler: 'tpe' | 'random', seed: number, more = {}) =>
    (await tune({ space, objective: bowl, sampler, trials: 60, verbose: 0, seed, ...more })).best!
      .value

  it('finds better values than chance', async () => {
    const seeds = [1, 2, 3, 4, 5, 6, 7, 8]
    const [ours, chance] = await Promise.all(
      (['tpe', 'random'] as const).map((s) => Promise.all(seeds.map((seed) => bestOf(s, seed)))),
    )
    const median = (list: number[]) => list.sort((a, b) => a - b)[4]!
    expect(median(ours!)).toBeLessThan(0.5 * median(chance!))
  }, 60_000)

  it('looks for large values when it maximizes', async () => {
    const objective = (params: P) => -bowl(params)
    const options = { space, objective, trials: 60, verbose: 0, seed: 1 } as const
    const most = await tune({ ...options, direction: 'maximize' })
    expect(most.best!.value).toBe(-(await bestOf('tpe', 1)))
  })

  it('suggests the same from the same seed and the same trials', async () => {
    const { trials } = await tune({ ...silent, space, objective: bowl, trials: 30 })
    const again = await tune({ ...silent, space, objective: bowl, trials: 30 })
    expect(again.trials.map(({ params }) => params)).toEqual(trials.map(({ params }) => params))
    const other = await tune({ ...silent, seed: 2, space, objective: bowl, trials: 2 })
    expect(other.trials[0]!.params).not.toEqual(trials[0]!.params)
  })

  it('counts pruned trials that came further as better ones, failed ones not at all', () => {
    const record = (number: number, x: number, more: Partial<TrialRecord>): TrialRecord => ({
      ...{ number, params: { x }, state: 'complete', reports: [], attempt: 1, began: 0 },
      ...more,
    })
    const far = (i: number) => record(i, 4 + i / 100, { state: 'pruned', reports: [[9, 5]] })
    const near = (i: number) => record(i, -4 - i / 100, { state: 'pruned', reports: [[1, 1]] })
    const trials = Array.from({ length: 40 }, (_, i) => (i % 2 ? far(i) : near(i)))
    const failed = Array.from({ length: 40 }, (_, i) => record(40 + i, 0, { state: 'failed' }))
    const at = (list: TrialRecord[]) =>
      suggest(tpe(), { x: uniform(-5, 5) }, 'minimize', list, new RandomStream(1)).x
    expect(at(trials)).toBeGreaterThan(2)
    expect(at([...trials, ...failed])).toBe(at(trials))
  })
})

describe('ASHA', () => {
  const ladder = (
    values: number[][],
    pruner = asha({ reductionFactor: 2 }),
    direction = 'minimize' as const,
  ) => {
    const trials: TrialRecord[] = values.map((reports, number) => ({
      ...{ number, params: {}, state: 'running', attempt: 1, began: 0 },
      reports: reports.map((value, i) => [i + 1, value] as const),
    }))
    return shouldPrune(pruner, direction, trials, trials.at(-1)!)
  }

  it('keeps the first at a rung, then the best half', () => {
    expect(ladder([[5]])).toBe(false)
    expect(ladder([[5], [6]])).toBe(true)
    expect(ladder([[5], [4]])).toBe(false)
    expect(ladder([[5], [4], [3], [3.5]])).toBe(false)
    expect(ladder([[5], [4], [3], [4.5]])).toBe(true)
    expect(ladder([[5], [4], [4.5]])).toBe(true) // half of three is one
    expect(ladder([[5], [5]])).toBe(false) // as good
    expect(ladder([[5], [Number.NaN]])).toBe(true)
    expect(ladder([[Number.NaN]])).toBe(true)
  })

  it('asks at rungs only', () => {
    expect(
      ladder([
        [1, 1, 1],
        [0, 2, 9],
      ]),
    ).toBe(false) // step 3 is none
    expect(
      ladder([
        [1, 1, 1, 1],
        [0, 0, 0, 2],
      ]),
    ).toBe(true) // step 4 is
    expect(ladder([[1], [2]], asha({ minStep: 2 }))).toBe(false)
  })

  it('ends trials in a sweep, which have the value of their last report', async () => {
    const { trials, best } = await tune({
      ...{ ...silent, space: { x: uniform(0, 1) }, pruner: 'asha', trials: 40 },
      objective: async ({ x }, trial) => {
        for (let step = 1; step <= 20 && !trial.shouldPrune; step++)
          await trial.report(x + 1 / step, step)
        return x
      },
    })
    const pruned = trials.filter(({ state }) => state === 'pruned')
    expect(pruned.length).toBeGreaterThan(15)
    for (const { params, value, reports } of pruned) {
      const [step, last] = reports.at(-1)!
      expect([1, 4, 16]).toContain(step)
      expect([value, last]).toEqual([params.x + 1 / step, params.x + 1 / step])
    }
    expect(best!.state).toBe('complete')
  })

  it('TrialReporter stops a fit', async () => {
    const x = [
      [0, 1],
      [1, 0],
      [1, 1],
      [0, 0],
    ] // [4, 2]
    const epochs: number[] = []
    const { trials } = await tune({
      ...{ ...silent, space: { lr: logUniform(1e-3, 0.5) }, pruner: 'asha', trials: 12 },
      objective: async ({ lr }, trial) => {
        const model = new Sequential([new Dense(1, { inputDim: 2, init: 'zero' })])
        model.compile({ loss: 'mse', optimizer: new SGD({ lr }) })
        const callbacks = [new TrialReporter(trial, { monitor: 'loss' })]
        const history = await model.fit(x, [1, 1, 2, 0], { nbEpoch: 6, callbacks, verbose: 0 })
        epochs.push(history.epoch.length)
        model.dispose()
        return history.history.loss!.at(-1)
      },
    })
    expect(trials.map(({ reports }) => reports.length)).toEqual(epochs)
    expect(new Set(epochs)).toEqual(new Set([4, 6]))
    expect(trials.map(({ state }) => state === 'pruned')).toEqual(epochs.map((n) => n < 6))
  })
})

describe('what an objective does wrong', () => {
  const x = { x: uniform(0, 1) }
  it.each<[string, tuning.Objective, RegExp]>([
    [
      'a report that is no number',
      (_, t) => t.report('1' as unknown as number, 1) as never,
      /^ConfigError: trial\.report: value must be a number, got the string '1'\./,
    ],
    [
      'a step that is none',
      (_, t) => t.report(1, -1) as never,
      /^ConfigError: trial\.report: step must be an integer >= 0, got -1\./,
    ],
    [
      'something thrown that is no error',
      () => {
        throw 'out'
      },
      /^threw the string 'out'$/,
    ],
  ])('%s is the reason of its failure', async (_, objective, reason) => {
    const { trials } = await tune({ ...silent, space: x, objective, trials: 1 })
    expect(trials[0]).toMatchObject({ state: 'failed', reason: expect.stringMatching(reason) })
  })

  it('one that never ends fails here too', async () => {
    const signals: AbortSignal[] = []
    const { trials } = await tune({
      ...{ ...silent, space: x, trials: 2, timeout: 50 },
      objective: (_, { signal }) => {
        signals.push(signal)
        return new Promise(() => {})
      },
    })
    expect(trials.map(({ state }) => state)).toEqual(['failed', 'failed'])
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
  })

  it('failures that are not in a row do not end a sweep', async () => {
    let calls = 0
    const objective = () => (++calls % 3 === 0 ? 1 : Number.NaN)
    const { trials } = await tune({ ...silent, space: x, objective, trials: 30, maxFailures: 3 })
    expect(trials.filter(({ state }) => state === 'failed')).toHaveLength(20)
    const three = tune({ ...silent, space: x, objective: () => Number.NaN, maxFailures: 3 })
    await expect(three).rejects.toMatchObject({ code: 'ERR_TRIALS' })
  })

  it('a signal ends a sweep whose objectives never wait', async () => {
    const signal = AbortSignal.timeout(100)
    const ended = tune({
      ...silent,
      space: x,
      objective: ({ x }) => x as number,
      trials: 1e6,
      signal,
    })
    const reason = await ended.catch((error) => error)
    expect(reason).toBe(signal.reason)
    expect(signal.aborted).toBe(true)
  })
})

describe('options', () => {
  const options = { space: { x: uniform(0, 1) }, objective: () => 1, verbose: 0 }
  it.each<[object, string]>([
    [{ objectiv: 1 }, 'tune: unknown option `objectiv`. Did you mean `objective`?'],
    [
      { objective: 3 },
      'tune: objective must be a function, or the path or file: URL of a module, got 3.',
    ],
    [
      { objective: './nowhere.mjs' },
      `tune: objective must be a module that exists, got the string './nowhere.mjs'.`,
    ],
    [
      { objective: 'http://a.b/c.mjs' },
      `tune: objective must be a function, or the path or file: URL of a module, got the string 'http://a.b/c.mjs'.`,
    ],
    [
      { workers: 2 },
      'tune: workers must be 0 for an objective that is a function, got 2. A function cannot cross to another process: put it into a module of its own.',
    ],
    [
      { sampler: 'grid' },
      `tune: sampler must be 'random', 'tpe' or tpe({ … }), got the string 'grid'.`,
    ],
    [
      { sampler: { name: 'tpe', candidates: 0 } },
      'tpe: candidates must be an integer >= 1, got 0.',
    ],
    [
      { pruner: 'median' },
      `tune: pruner must be 'none', 'asha' or asha({ … }), got the string 'median'.`,
    ],
    [{ direction: 'up' }, `tune: direction must be 'minimize' or 'maximize', got the string 'up'.`],
    [{ trials: 0 }, 'tune: trials must be an integer >= 1, got 0.'],
    [{ timeout: 0 }, 'tune: timeout must be milliseconds, at most 2147483647, or Infinity, got 0.'],
    [{ seed: -1 }, 'tune: seed must be an integer >= 0, got -1.'],
    [{ journal: '' }, 'tune: path must be the path of a file, got "".'],
    [{ signal: 'now' }, `tune: signal must be an AbortSignal, got the string 'now'.`],
    [{ output: 3 }, 'tune: output must be a stream, got 3.'],
  ])('%j', async (more, message) => {
    const call = tune({ ...options, ...more } as typeof options)
    await expect(call).rejects.toThrow(expect.objectContaining({ code: 'ERR_OPTION', message }))
  })
})
