/** Training by several ranks over MPI: the same bits, and an end to every job. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  BatchNormalization,
  Dense,
  distribute,
  GRU,
  Lambda,
  LSTM,
  Sequential,
  setFloatx,
  TimeDistributed,
} from '../package.js'
import { dropout, type Expr, mean, sqrt, square, sub } from '../../lib/functions/index.js'
import { jsonOf, runChild } from '../child.js'
import { isInstalled, type Job, LAUNCHERS, runRanks, where } from './ranks.js'

interface Trained {
  rank: number
  models: Record<string, { weights: string; numbers: number[] }>
}
const EXACT = 'behaviour/children/ranks-exact.mjs'

// Of the batch as a whole.
const centred = (y: Expr, p: Expr) => mean(square(sub(y, sub(p, mean(p, 0, true)))), -1)
const rmse = (y: Expr, p: Expr) => sqrt(mean(square(sub(y, p))))

interface Split {
  parts: string[]
  weights: Record<'part' | 'alone' | 'all', string>
  rates: number[]
  short: number
}
interface Differing {
  rank: number
  name?: string
  error?: string
  loss?: number[]
}
const OTHER = 'all ranks must have the same data, seed and settings of the optimizer'

/** What ranks-differ.mjs does, and what error that is. */
const DIFFERENCES = {
  model: 'ERR_OPTION fit: model of rank 1 of 3 must be that of rank 0',
  rate: 'ERR_OPTION fit: optimizer of rank 1 of 3 must be that of rank 0',
  data: 'ERR_OPTION fit: batches of rank 1 of 3 must be that of rank 0',
  calls: "rank 0 of 3 is at 'fit' and rank 1 of 3 is at 'evaluate'",
  epochs: 'ERR_OPTION fitGenerator: epochs of rank 1 of 3 must be that of rank 0, [0,2], got [0,3]',
  batches: `ERR_RANK fitGenerator: train: ${OTHER}`,
  sizes: `ERR_RANK fitGenerator: train: ${OTHER}`,
  'a generator that throws':
    'ERR_RANK fitGenerator: rank 1 of 3 has failed: TypeError: no such row',
  'a generator that ends':
    'ERR_RANK fitGenerator: rank 1 of 3 has failed: ConfigError: fitGenerator: source must be',
  'validation data': `ERR_RANK fitGenerator: validation: test: ${OTHER}`,
  'batches of a test': `ERR_RANK evaluateGenerator: test: ${OTHER}`,
  weights: 'ERR_OPTION testOnBatch: weights of rank 1 of 3 must be that of rank 0',
  'rows that make no batch': 'ERR_OPTION trainOnBatch: targets of a sample of rank 1 of 3 must be',
  'arrays of its own': 'ERR_OPTION fit: data must be a generator, where ranks bring rows of their',
  'one batch': `ERR_RANK trainOnBatch: ${OTHER}`,
  'one rate': `ERR_RANK trainOnBatch: ${OTHER}`,
}

interface Bar {
  ph: string
  name: string
  pid: number
  dur?: number
  args: { bytes?: number }
}
/** Of a timeline, whose list needs no end. */
const barsOf = (text: string): Bar[] =>
  (JSON.parse(`${text.trimEnd().replace(/,$/, '')}]`) as Bar[]).filter(({ ph }) => ph === 'X')

describe('a world of one', () => {
  test('opens no MPI, and trains as without it', async () => {
    const alone = await jsonOf<Trained>(EXACT, { args: ['none'] })
    const one = await jsonOf<Trained>(EXACT, { args: ['1'] })
    const eight = await jsonOf<Trained>(EXACT, { args: ['8'] })
    for (const name of ['gru', 'embedding'])
      expect(one.models[name], name).toEqual(alone.models[name])
    for (const [name, model] of Object.entries(alone.models)) {
      // 1e-6: floats added up in another order, over 20 steps
      for (const [i, value] of model.numbers.entries())
        expect(Math.abs(eight.models[name]!.numbers[i]! - value), name).toBeLessThan(1e-6)
      expect(eight.models[name]!.weights, name).not.toBe(model.weights)
    }
  }, 60_000)

  test('has the fields of a world', async () => {
    const world = await distribute({ virtualShards: 3 })
    expect(world).toMatchObject({ rank: 0, size: 1, localRank: 0, isMain: true, virtualShards: 3 })
    expect(world.mpi).toBeNull()
    expect(world.scaleLr(0.1)(9)).toBe(0.1)
    const part = await world.split(4)
    expect(part).toMatchObject({ rank: 0, size: 1 })
    await world.barrier()
    await world.close()
    await expect(world.barrier()).rejects.toMatchObject({ code: 'ERR_RANK' })
  })

  test('refuses options', async () => {
    for (const virtualShards of [0, 1.5, 5000, '8'])
      await expect(distribute({ virtualShards } as object)).rejects.toMatchObject({
        code: 'ERR_OPTION',
      })
    await expect(distribute({ shards: 2 } as object)).rejects.toThrow('virtualShards')
    await expect(distribute({ compression: 'zip' } as object)).rejects.toThrow("'none' or 'bf16'")
    const world = await distribute({ compression: 'bf16' })
    const compiled = (floatx: 'float32' | 'float64') => () => {
      setFloatx(floatx)
      try {
        const model = new Sequential([new Dense(1, { inputDim: 1 })])
        model.compile({ loss: 'mse', optimizer: 'sgd', distribute: world })
      } finally {
        setFloatx('float32')
      }
    }
    expect(compiled('float32')).not.toThrow()
    expect(compiled('float64')).toThrow(
      "compile: compression of the world must be 'none' for a model that computes in float64, got the string 'bf16'.",
    )
  })

  test('says what it cannot share out', async () => {
    const distributed = async (layers: never[], more = {}) => {
      const model = new Sequential(layers)
      const world = await distribute()
      model.compile({ loss: 'mse', optimizer: 'sgd', distribute: world, ...more })
      return model
    }
    const refused = [
      [[new Dense(2, { inputDim: 2 }), new BatchNormalization()], {}, 'BatchNormalization'],
      [[new LSTM(2, { batchInputShape: [2, 3, 2], stateful: true })], {}, 'states'],
      [[new Lambda((v) => sub(v, mean(v, 0, true)), { inputShape: [2] })], {}, "'mean'"],
      [[new Lambda((v) => dropout(v, 0.5), { inputShape: [2] })], {}, "'dropout'"],
      [
        [new Dense(2, { inputDim: 2 })],
        { loss: centred },
        "a loss whose samples may meet in 'mean'",
      ],
      [[new Dense(2, { inputDim: 2 })], { metrics: [rmse] }, "the metric 'rmse'"],
      [
        [
          new TimeDistributed(new LSTM(2, { dropoutW: 0.5 }), { inputShape: [2, 3, 2] }),
          new GRU(1),
        ],
        {},
        'inside TimeDistributed',
      ],
    ] as const
    for (const [layers, more, part] of refused)
      await expect(distributed([...layers] as never[], more), part).rejects.toThrow(part)
  })
})

describe('without MPI', () => {
  test('a launcher whose library is missing is an error with the names tried', async () => {
    const { code, stderr } = await runChild(EXACT, {
      args: ['1'],
      env: { OMPI_COMM_WORLD_SIZE: '2', HIDDENSTATE_LIBMPI: 'libnone.so.1' },
    })
    expect(code).toBe(1)
    expect(stderr).toContain(
      'ConfigError: distribute: the MPI library of mpirun of Open MPI must be installed, got none: tried libnone.so.1.',
    )
  })
})

for (const launcher of LAUNCHERS) {
  describe.skipIf(!isInstalled(launcher))(where(launcher), () => {
    const fault = (what: string, ranks = 3) =>
      runRanks(launcher, ranks, 'ranks-faults.mjs', [what], { timeout: 40_000 })
    // Six seconds of silence, which pass beside other tests.
    let stopped: Promise<Job>
    beforeAll(() => {
      stopped = fault('stops')
    })

    test('every number of ranks gives the same bits', async () => {
      const args = ['8', 'hashes']
      const alone = await jsonOf<Trained>(EXACT, { args })
      for (const ranks of [2, 3, 4, 8]) {
        const { code, said, stderr } = await runRanks(launcher, ranks, 'ranks-exact.mjs', args)
        expect(code, stderr).toBe(0)
        expect(said.length).toBe(ranks)
        for (const each of said) expect(each.models, `${ranks} ranks`).toEqual(alone.models)
      }
    }, 240_000)

    test('gradients as bfloat16 give all ranks the same bits, in every run', async () => {
      type Rounded = Record<'none' | 'bf16', { weights: string; loss: number }>
      const job = async () => {
        const { code, stderr, said } = await runRanks(launcher, 3, 'ranks-rounded.mjs')
        expect(code, stderr).toBe(0)
        for (const each of said) expect({ ...each, rank: 0 }).toEqual(said[0])
        return said[0] as unknown as Rounded
      }
      const [first, second] = await Promise.all([job(), job()])
      expect(second).toEqual(first)
      expect(first!.bf16.weights).not.toBe(first!.none.weights)
      expect(Math.abs(first!.bf16.loss / first!.none.loss - 1)).toBeLessThan(0.01)
    }, 60_000)

    test('a timeline says when what is summed', async () => {
      const dir = await mkdtemp(path.join(tmpdir(), 'hs-ranks-'))
      const name = path.join(dir, 'line')
      const env = { HIDDENSTATE_TIMELINE: name }
      try {
        const { code, stderr } = await runRanks(launcher, 2, 'ranks-timeline.mjs', [], { env })
        expect(code, stderr).toBe(0)
        for (const rank of [0, 1]) {
          const bars = barsOf(await readFile(`${name}-${rank}.json`, 'utf8'))
          expect(bars.every(({ pid, dur }) => pid === rank && dur! >= 0)).toBe(true)
          const named = (name: string) => bars.filter((bar) => bar.name === name)
          expect(named('waits').length).toBe(3)
          expect(named('roll call').length).toBe(9)
          // Each batch: the layer above; the one below; of the embedding a bit a row, and the rows
          // of its words.
          const bytes = named('sum').map(({ args }) => args.bytes)
          expect(bytes.slice(0, 3)).toEqual(bytes.slice(3, 6))
          expect(bytes[0]).toBeGreaterThan(4 * (128 + 128) * 4 * 128)
          expect(bytes[1]).toBe(4 * (16 + 128 + 1) * 4 * 128)
          expect(bytes[2]! % (4 * 16)).toBe(Math.ceil(5000 / 8) % (4 * 16))
          expect(bytes[2]).toBeLessThanOrEqual(Math.ceil(5000 / 8) + 12 * 4 * 16)
        }
      } finally {
        await rm(dir, { recursive: true, force: true })
      }
    }, 60_000)

    test.concurrent.each([
      ['throws', 'rank 1 of 3 has ended the job: TypeError: no such column'],
      ['exits', 'rank 1 of 3 has ended the job: exit code 3'],
      ['stops', 'rank 1 of 3 has not been heard of for 6 seconds'],
    ])(
      'a rank that %s ends the job, with a sentence',
      async (what, sentence) => {
        const { code, stderr, said } = await (what === 'stops' ? stopped : fault(what))
        expect(code).not.toBe(0)
        expect(stderr).toContain(sentence)
        expect(said.length).toBe(3)
      },
      60_000,
    )

    test.concurrent('a rank that is killed ends the job', async () => {
      const { code, stderr } = await fault('is killed')
      expect(code).not.toBe(0)
      expect(stderr).not.toContain('no end within')
    }, 60_000)

    test.each([
      ['isa', 'ConfigError: fit: instruction set of rank 1 of 2 must be that of rank 0'],
      ['leaves', "rank 0 of 2 is at 'fit' and rank 1 of 2 is at 'the end'"],
    ])(
      'ranks that differ (%s) all learn it',
      async (what, sentence) => {
        const { code, stderr } = await fault(what, 2)
        expect(code).not.toBe(0)
        expect(stderr).toContain(sentence)
      },
      60_000,
    )

    test('calls that differ are an error on all ranks, and they can go on', async () => {
      const { code, said, stderr } = await runRanks(launcher, 3, 'ranks-differ.mjs')
      expect(code, stderr).toBe(0)
      const [first, odd, other] = [0, 1, 2].map((rank) => {
        const lines = (said as unknown as Differing[]).filter((each) => each.rank === rank)
        return Object.fromEntries(
          lines.map(({ name = 'loss', error, loss }) => [name, error ?? loss]),
        )
      })
      expect(other).toEqual(first)
      expect(odd!.loss).toEqual(first!.loss)
      expect(Object.keys(first!)).toEqual([...Object.keys(DIFFERENCES), 'loss'])
      for (const [name, error] of Object.entries(DIFFERENCES)) {
        expect(first![name], name).toContain(error)
        if (!error.includes('has failed')) expect(odd![name], name).toContain(error)
      }
      expect(odd!['a generator that throws']).toBe('TypeError no such row')
    }, 60_000)

    test('an abort on one rank ends the fit of all, and they can go on', async () => {
      const { code, said, stderr } = await fault('aborts')
      expect(code, stderr).toBe(0)
      const reasons = said.filter((each) => 'message' in each)
      expect(reasons.map(({ code: of }) => of)).toEqual(['ERR_RANK', undefined, 'ERR_RANK'])
      expect(reasons[0]!.message).toBe('fit: rank 1 of 3 has failed: the user has had enough')
      const ends = said.filter((each) => 'loss' in each)
      expect(ends.length).toBe(3)
      for (const { rank: _, ...end } of ends) expect({ ...end, rank: 0 }).toEqual(ends[0])
    }, 60_000)

    test('ranks of one colour train by themselves, to the bits of one alone', async () => {
      const { code, said, stderr } = await runRanks(launcher, 4, 'ranks-split.mjs')
      expect(code, stderr).toBe(0)
      const ranks = said as unknown as Split[]
      expect(ranks.map(({ parts }) => parts)).toEqual([
        ['0 of 4', '0 of 2', '0 of 1'],
        ['1 of 4', '0 of 2', '0 of 1'],
        ['2 of 4', '1 of 2', '0 of 1'],
        ['3 of 4', '1 of 2', '0 of 1'],
      ])
      const [even, odd] = ranks.map(({ weights }) => weights)
      expect(even!.part).not.toBe(odd!.part)
      for (const [i, { weights, rates, short }] of ranks.entries()) {
        const { part, all } = i % 2 === 0 ? even! : odd!
        expect(weights).toEqual({ part, alone: part, all })
        expect(all).toBe(even!.all)
        // lr times (1 + (size - 1) epoch / warmup), as Horovod's warm-up
        for (const [k, rate] of [0.1, 0.14, 0.2, 0.2].entries()) expect(rates[k]).toBeCloseTo(rate)
        expect(short).toBeCloseTo(0.2)
      }
    }, 60_000)

    test('a training goes on with another number of ranks, to the same bits', async () => {
      const dir = await mkdtemp(path.join(tmpdir(), 'hs-ranks-'))
      const resumed = (ranks: number, args: string[]) =>
        runRanks(launcher, ranks, 'ranks-resume.mjs', args)
      try {
        const whole = await jsonOf<object>('behaviour/children/ranks-resume.mjs', {
          args: ['none', '6'],
        })
        expect((await resumed(4, [dir, '2'])).code).toBe(0)
        expect((await resumed(3, [dir, '6', 'dies'])).code).not.toBe(0)
        const { code, said, stderr } = await resumed(2, [dir, '6'])
        expect(code, stderr).toBe(0)
        for (const each of said) expect({ ...each, rank: 0 }).toEqual(whole)
      } finally {
        await rm(dir, { recursive: true, force: true })
      }
    }, 120_000)
  })
}
