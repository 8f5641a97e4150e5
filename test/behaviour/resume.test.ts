/**
 * A training that stopped anywhere and goes on from its checkpoint ends with the same bits as one
 * that was never stopped: weights, optimizer, History, callbacks, files of loggers.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newest } from '../../lib/training/checkpoint.js'
import { encode, type Plain } from '../../lib/training/plain-data.js'
import { createHash } from 'node:crypto'
import { expectAllSameBits, type Plain as Data, uniform } from '../arrays.js'
import {
  type Callback,
  CSVLogger,
  Dense,
  Dropout,
  EarlyStopping,
  GRU,
  type History,
  LambdaCallback,
  LSTM,
  ReduceLROnPlateau,
  Sequential,
  setSeed,
  setThreads,
  info,
} from '../package.js'
import * as hs from '../package.js'

let folder: string
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-resume-'))
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

const [N, T, D, B] = [20, 4, 3, 4]
const x = uniform(1, [N, T, D])
const y = uniform(2, [N, 2])
/** Batches of an epoch. */
const PER_EPOCH = N / B

class Stopped extends Error {}

const OPTIMIZERS: Record<string, () => hs.Optimizer> = {
  SGD: () => new hs.SGD({ decay: 0.01 }),
  'SGD with momentum': () => new hs.SGD({ momentum: 0.9, nesterov: true, clipnorm: 0.1 }),
  RMSprop: () => new hs.RMSprop({ decay: 0.01 }),
  Adagrad: () => new hs.Adagrad({ decay: 0.01 }),
  Adadelta: () => new hs.Adadelta({ decay: 0.01 }),
  Adam: () => new hs.Adam({ decay: 0.01 }),
  Adamax: () => new hs.Adamax({ decay: 0.01 }),
  Nadam: () => new hs.Nadam(),
}

interface Case {
  optimizer?: string
  stateful?: boolean
  dropout?: boolean
  learned?: boolean
  floatx?: 'float64'
  fit?: object
  /** Instead of arrays: batches from an iterable of a new kind each time. */
  source?: () => Iterable<readonly [Data, Data]>
  nbEpoch?: number
  /** Batches between two checkpoints; default 1. */
  everyBatches?: number
  /** Made anew for each process, as it were. */
  callbacks?: (dir: string) => Callback[]
}

function modelOf({ optimizer = 'Adam', stateful, dropout, learned, floatx }: Case): Sequential {
  setSeed(3)
  const first = stateful
    ? { batchInputShape: [B, T, D], stateful: true }
    : { inputShape: [T, D], ...(dropout ? { dropoutW: 0.3 } : {}) }
  const dtype = {
    ...(floatx ? { dtype: floatx } : {}),
    ...(learned ? { initialState: 'learned' } : {}),
  }
  const model = new Sequential([
    new LSTM(5, { ...first, ...dtype, name: 'lstm', returnSequences: true } as never),
    new GRU(4, { name: 'gru', ...(stateful ? { stateful: true } : {}) }),
    ...(dropout ? [new Dropout(0.4, { name: 'dropout' })] : []),
    new Dense(2, { name: 'dense' }),
  ])
  model.compile({ loss: 'mse', optimizer: OPTIMIZERS[optimizer]!(), metrics: ['mae'] })
  return model
}

/**
 * Trains until its end, or until `stopAt` batches have been trained; with checkpoints where there
 * is a directory.
 */
async function run(c: Case, options: { dir?: string; stopAt?: number; logs?: string } = {}) {
  const { dir, stopAt, logs = folder } = options
  const model = modelOf(c)
  let batches = 0
  const stopper = new LambdaCallback({
    onBatchEnd: () => {
      if (++batches === stopAt) throw new Stopped()
    },
  })
  const callbacks = [...(c.callbacks?.(logs) ?? []), stopper]
  const resuming = dir
    ? { checkpoint: { dir, everyBatches: c.everyBatches ?? 1, keep: 2 }, resume: 'auto' }
    : {}
  const common = { nbEpoch: c.nbEpoch ?? 3, verbose: 0, callbacks, ...resuming } as const
  let history: History
  if (c.source)
    history = await model.fitGenerator(c.source() as never, { samplesPerEpoch: N, ...common })
  else history = await model.fit(x, y, { batchSize: B, ...common, ...c.fit })
  return {
    weights: model.getWeights(),
    optimizer: model.optimizerWeights()!,
    iterations: model.optimizer.iterations,
    history: history.history,
    epoch: history.epoch,
    hyper: { ...model.optimizer },
    callbacks: callbacks.map((callback) => callback.getState()),
    files: fs
      .readdirSync(logs)
      .filter((name) => name.endsWith('.csv'))
      .map((name) => fs.readFileSync(path.join(logs, name), 'utf8')),
  }
}

type Result = Awaited<ReturnType<typeof run>>

function expectSame(got: Result, wanted: Result, where: string): void {
  expectAllSameBits(got.weights, wanted.weights, `${where}: weights`)
  expectAllSameBits(got.optimizer, wanted.optimizer, `${where}: optimizer`)
  const { weights: _w, optimizer: _o, ...rest } = got
  const { weights: _v, optimizer: _p, ...others } = wanted
  expect(rest, where).toEqual(others)
}

/**
 * A case stopped after each number of batches in `at`, and again after one more batch, against one
 * that was not stopped.
 */
async function expectResumes(c: Case, at: readonly number[]): Promise<void> {
  const wanted = await run(c)
  for (const stopAt of at) {
    const dir = path.join(folder, `from-${stopAt}`)
    const logs = fs.mkdtempSync(path.join(folder, 'logs-'))
    await expect(run(c, { dir, stopAt, logs })).rejects.toThrow(Stopped)
    await expect(run(c, { dir, stopAt: 1, logs })).rejects.toThrow(Stopped)
    expectSame(await run(c, { dir, logs }), wanted, `stopped at ${stopAt}`)
    expectSame(await run(c, { dir, logs }), wanted, `stopped at ${stopAt}, finished, run again`)
  }
}

/** Batches in order, again and again, from where it was put. */
class Resumable implements Iterable<readonly [Data, Data]> {
  protected at: number

  constructor() {
    this.at = 0
  }

  *[Symbol.iterator](): Generator<readonly [Data, Data]> {
    for (;;) {
      const seed = this.at++
      yield [uniform(seed, [B, T, D]), uniform(seed + 1000, [B, 2])]
    }
  }
  state(): Plain {
    return { at: this.at }
  }
  restore(state: Plain): void {
    this.at = (state as { at: number }).at
  }
}
/** As a list is: three batches, then anew. */
class ResumableList extends Resumable {
  override *[Symbol.iterator](): Generator<readonly [Data, Data]> {
    while (this.at < 3) {
      const seed = this.at++
      yield [uniform(seed, [B, T, D]), uniform(seed + 1000, [B, 2])]
    }
    this.at = 0
  }
}
function* endless(): Generator<readonly [Data, Data]> {
  yield* new Resumable()
}

/** Within the first epoch, at its end, and within the second. */
const PLACES = [1, PER_EPOCH, PER_EPOCH + 2]

describe('goes on to the same bits', () => {
  it.each(Object.keys(OPTIMIZERS))('%s, shuffled, with dropout', async (optimizer) => {
    await expectResumes({ optimizer, dropout: true }, [PER_EPOCH + 2])
  })

  it('wherever it stops', async () => {
    await expectResumes(
      { dropout: true, fit: { validationSplit: 0.2 } },
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    )
  })

  it.each<[string, Case]>([
    ["shuffle 'batch'", { fit: { shuffle: 'batch' } }],
    ['no shuffle', { fit: { shuffle: false } }],
    ['double precision', { floatx: 'float64', dropout: true }],
    ['stateful', { stateful: true, fit: { shuffle: false } }],
    ['stateful, validated', { stateful: true, fit: { shuffle: false, validationData: [x, y] } }],
    ['learned states', { learned: true }],
    ['sample weights', { fit: { sampleWeight: uniform(3, [N], 0.5, 1.5) } }],
    [
      'a list of batches',
      {
        source: () =>
          Array.from({ length: 3 }, (_, i) => [uniform(i, [B, T, D]), uniform(i + 9, [B, 2])]),
      },
    ],
    ['a source with state() and restore()', { source: () => new Resumable() }],
    ['one that ends, and begins anew', { source: () => new ResumableList() }],
  ])('%s', async (_, c) => {
    await expectResumes(c, PLACES)
  })

  it('a generator without state() is gone through, with a warning', async () => {
    const warnings: string[] = []
    const listen = (warning: Error) => warnings.push(warning.message)
    process.on('warning', listen)
    await expectResumes({ source: () => endless() }, PLACES)
    await new Promise(setImmediate)
    process.off('warning', listen)
    expect(warnings.join('\n')).toMatch(
      /fitGenerator: source must offer state\(\) and restore\(\).* 4 batches are/,
    )
  })

  it('with callbacks that keep count, and a file of logs without a line lost or doubled', async () => {
    const callbacks = (dir: string) => [
      new EarlyStopping({ monitor: 'loss', patience: 2, minDelta: 0.05, restoreBestWeights: true }),
      new ReduceLROnPlateau({ monitor: 'loss', patience: 1, factor: 0.5, epsilon: 0.05 }),
      new CSVLogger(path.join(dir, 'log.csv')),
    ]
    await expectResumes({ nbEpoch: 9, callbacks, fit: { validationSplit: 0.2 } }, [
      2,
      PER_EPOCH + 3,
      3 * (PER_EPOCH - 1),
    ])
  })

  it.each([1, 2, 100])(
    'with a log that is appended to, and %i batches between two checkpoints',
    async (everyBatches) => {
      const callbacks = (dir: string) => [
        new CSVLogger(path.join(dir, 'log.csv'), { append: true }),
      ]
      await expectResumes({ callbacks, everyBatches }, [1, 2, PER_EPOCH, PER_EPOCH + 3])
    },
  )

  it('on another number of threads', async () => {
    const before = info().threads
    const wanted = await run({ dropout: true })
    try {
      setThreads(1)
      await expect(run({ dropout: true }, { dir: folder, stopAt: 7 })).rejects.toThrow(Stopped)
      setThreads(2)
      expectSame(await run({ dropout: true }, { dir: folder }), wanted, 'two threads')
    } finally {
      setThreads(before)
    }
  })

  it('a fit of three epochs and one to the sixth are a fit of six', async () => {
    const wanted = await run({ dropout: true, nbEpoch: 6 })
    await run({ dropout: true, nbEpoch: 3 }, { dir: folder })
    expectSame(await run({ dropout: true, nbEpoch: 6 }, { dir: folder }), wanted, 'six')
  })

  it('the checkpoint holds an ordinary file of Keras', async () => {
    const { weights } = await run({}, { dir: folder })
    const found = (await newest(folder))!
    const model = await hs.loadModel(path.join(found.path, 'model.h5'))
    expectAllSameBits(model.getWeights(), weights, 'weights')
  })
})

// biome-ignore lint/suspicious/noExplicitAny: a tree that tests reach into
type State = any

/** Changes the state of the newest checkpoint. */
async function tamper(dir: string, change: (state: State) => void): Promise<void> {
  const { path: at, state } = (await newest(dir))!
  const changed = state as unknown as State
  change(changed)
  const bytes = encode(changed as Plain, 'state')
  fs.writeFileSync(path.join(at, 'training.state'), bytes)
  const line = (name: string) =>
    `${createHash('sha256')
      .update(fs.readFileSync(path.join(at, name)))
      .digest('hex')}  ${name}\n`
  fs.writeFileSync(path.join(at, 'sha256'), line('model.h5') + line('training.state'))
}

describe('every part of the state counts', () => {
  const shuffled: Case = {
    dropout: true,
    nbEpoch: 4,
    callbacks: () => [
      new EarlyStopping({ monitor: 'loss', patience: 9 }),
      new ReduceLROnPlateau({ monitor: 'loss', patience: 0, epsilon: 1 }),
    ],
  }
  const stateful: Case = { stateful: true, fit: { shuffle: false } }
  const parts: [string, Case, (state: State) => void][] = [
    ['position: epoch', shuffled, (s) => s.position.epoch++],
    ['position: isBegun', shuffled, (s) => (s.position.isBegun = false)],
    ['position: seen', shuffled, (s) => (s.position.seen -= B)],
    ['position: sums', shuffled, (s) => (s.position.sums[0] = 0)],
    ['position: counted', shuffled, (s) => (s.position.counted[0] = 1)],
    ['hyper', shuffled, (s) => (s.hyper.lr = 0.5)],
    ['native: counts', shuffled, (s) => (s.native.counts.iterations = 0)],
    ['native: seed of dropout', shuffled, (s) => s.native.dropout.seed++],
    ['native: step of dropout', shuffled, (s) => (s.native.dropout.step = 0)],
    ['native: carries', stateful, (s) => (s.native.carries = [])],
    ['source: order', shuffled, (s) => s.source.order.sort()],
    ['source: stream', shuffled, (s) => (s.source.stream = [1, 2, 3, 4])],
    ['callbacks', shuffled, (s) => (s.callbacks[1] = null)],
    ['callbacks: History', shuffled, (s) => (s.callbacks[s.callbacks.length - 1] = null)],
    ['stopTraining', shuffled, (s) => (s.stopTraining = true)],
  ]
  it.each(parts)('%s', async (_, c, change) => {
    const wanted = await run(c)
    await expect(run(c, { dir: folder, stopAt: PER_EPOCH + 2 })).rejects.toThrow(Stopped)
    await tamper(folder, change)
    const got = await run(c, { dir: folder })
    expect(() => expectSame(got, wanted, 'changed')).toThrow()
  })

  it('the stream of initial weights and seeds', async () => {
    await expect(run(shuffled, { dir: folder, stopAt: 3 })).rejects.toThrow(Stopped)
    await run(shuffled, { dir: folder })
    const after = new Dense(3, { inputDim: 3 })
    const model = new Sequential([after]).getWeights()
    await run(shuffled)
    expectAllSameBits(
      model,
      new Sequential([new Dense(3, { inputDim: 3 })]).getWeights(),
      'weights made afterwards',
    )
  })
})

describe('refuses', () => {
  const stop = async (c: Case = {}) => {
    await expect(run(c, { dir: folder, stopAt: 3 })).rejects.toThrow(Stopped)
  }
  const go = (change: object, c: Case = {}) =>
    modelOf(c).fit(x, y, {
      batchSize: B,
      nbEpoch: 3,
      verbose: 0,
      resume: folder,
      callbacks: [new LambdaCallback({})],
      ...change,
    })

  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'another model',
      () => go({}, { dropout: true }),
      /model of a training that goes on from .* must be …/,
    ],
    [
      'another optimizer',
      () => go({}, { optimizer: 'Adamax' }),
      /compile of a training .*Adam.*Adamax/s,
    ],
    [
      'other data',
      () =>
        modelOf({}).fit(uniform(5, [N, T, D]), y, {
          resume: folder,
          batchSize: B,
          callbacks: [new LambdaCallback({})],
        }),
      /data of a training .* with hash/,
    ],
    ['another batch size', () => go({ batchSize: 5 }), /batches of a training/],
    ['other callbacks', () => go({ callbacks: [] }), /callbacks of a training .*LambdaCallback/],
    ['validation', () => go({ validationData: [x, y] }), /validation data of a training .* none/],
  ])('%s', async (_, use, message) => {
    await stop()
    await expect(use()).rejects.toThrow(message)
    await expect(use()).rejects.toMatchObject({ code: 'ERR_RESUME' })
  })

  it('another version', async () => {
    await stop()
    await tamper(folder, (state) => (state.identity.version = '9.9.9'))
    await expect(go({})).rejects.toThrow(/version of a training .* 9\.9\.9/)
  })

  it('a directory that holds the checkpoints of another training, and none where some must be', async () => {
    await stop()
    const checkpoint = { dir: folder }
    await expect(go({ resume: null, checkpoint })).rejects.toThrow(
      /dir must be without checkpoints/,
    )
    await expect(go({ resume: path.join(folder, 'none') })).rejects.toThrow(
      /a directory with checkpoints/,
    )
    await expect(go({ resume: 'auto' })).rejects.toThrow(/'auto' without checkpoint/)
    await expect(go({ resume: 3 })).rejects.toThrow(/resume must be/)
    await expect(go({ checkpoint: { dir: folder, every: 1 } })).rejects.toThrow(
      /unknown option `every`/,
    )
  })
})

it('a second training in the same directory is found out before it removes or mixes anything', async () => {
  const intrude = new LambdaCallback({
    onEpochEnd: () => fs.mkdirSync(path.join(folder, 'checkpoint-000050')),
  })
  const checkpoint = { dir: folder, everyBatches: 1 }
  const fit = modelOf({}).fit(x, y, {
    batchSize: B,
    nbEpoch: 3,
    verbose: 0,
    checkpoint,
    callbacks: [intrude],
  })
  await expect(fit).rejects.toMatchObject({
    code: 'ERR_BUSY',
    message: expect.stringContaining('checkpoint-000050'),
  })
  expect(fs.readdirSync(folder).sort().slice(-1)).toEqual(['checkpoint-000050'])
  expect((await newest(folder))?.state.position.epoch).toBe(0)
})

it('takes the newest whole checkpoint where others are damaged, and says so', async () => {
  const c: Case = { dropout: true }
  const wanted = await run(c)
  await expect(run(c, { dir: folder, stopAt: 7 })).rejects.toThrow(Stopped)
  const { path: at } = (await newest(folder))!
  const file = path.join(at, 'model.h5')
  const bytes = fs.readFileSync(file)
  bytes[bytes.length >> 1]! ^= 1
  fs.writeFileSync(file, bytes)
  expectSame(await run(c, { dir: folder }), wanted, 'after a damaged one')
})
