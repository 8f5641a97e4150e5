/** Callbacks fed with logs: Keras' recorded ones, and made up ones; no native code. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import {
  BaseLogger,
  type Callback,
  CSVLogger,
  EarlyStopping,
  History,
  LambdaCallback,
  LearningRateScheduler,
  type Logs,
  ModelCheckpoint,
  ProgbarLogger,
  ReduceLROnPlateau,
  TerminateOnNaN,
} from '../../lib/callbacks/index.js'
import { formatFields } from '../../lib/callbacks/format-fields.js'
import { ConfigError } from '../../lib/errors.js'
import { SGD } from '../../lib/optimizers/classes.js'
import type { Sequential } from '../../lib/model/sequential.js'
import { type Case, load } from '../golden/loader.js'

const folder = mkdtempSync(join(tmpdir(), 'callbacks-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What callbacks touch of a model. */
function fakeModel(lr = 0.1) {
  return {
    optimizer: new SGD({ lr }),
    stopTraining: false,
    saved: [] as string[],
    save: async (path: string) => void path,
  }
}
const asModel = (model: object): Sequential => model as Sequential

/** Feeds one value per epoch; returns the epochs that ran. */
function feed(
  callback: Callback,
  key: string,
  values: readonly number[],
  model = fakeModel(),
): { ran: number; logs: Logs[] } {
  callback.setModel(asModel(model))
  callback.onTrainBegin({})
  const logs: Logs[] = []
  for (const [epoch, value] of values.entries()) {
    callback.onEpochBegin(epoch, {})
    logs.push({ [key]: value })
    callback.onEpochEnd(epoch, logs[epoch] as Logs)
    if (model.stopTraining) break
  }
  callback.onTrainEnd({})
  return { ran: logs.length, logs }
}

interface FitCase extends Case {
  events: [string, unknown, Logs][]
  epochs: number[]
  history: Record<string, number[]>
  final_lr: number
}
const recorded = (name: string): FitCase =>
  load<FitCase>('g_fit', 'float32').find((c) => c.name === name) as FitCase

/** Keras' epochs of a case, given to a callback; the logs after it. */
function replay(
  name: string,
  callback: Callback,
): { case: FitCase; stops: boolean[]; logs: Logs[]; lr: number } {
  const c = recorded(name)
  const model = fakeModel(0.1)
  callback.setModel(asModel(model))
  callback.onTrainBegin({})
  const stops: boolean[] = []
  const logs: Logs[] = []
  for (const [event, epoch, values] of c.events) {
    if (event === 'epoch_begin') callback.onEpochBegin(epoch as number, {})
    if (event !== 'epoch_end') continue
    const { lr, ...before } = values
    logs.push(before)
    callback.onEpochEnd(epoch as number, before)
    stops.push(model.stopTraining)
  }
  return { case: c, stops, logs, lr: model.optimizer.lr }
}

describe("Keras' own runs", () => {
  it('EarlyStopping with minDelta and patience', () => {
    const { stops, case: c } = replay(
      'fit/early_stopping',
      new EarlyStopping({ monitor: 'loss', minDelta: 0.05, patience: 1 }),
    )
    expect(stops).toEqual(c.epochs.map((_, i) => i === c.epochs.length - 1))
  })

  it('EarlyStopping on val_acc', () => {
    const { stops, case: c } = replay(
      'fit/early_stopping_val',
      new EarlyStopping({ monitor: 'val_acc', mode: 'max' }),
    )
    expect(stops).toEqual(c.epochs.map((_, i) => i === c.epochs.length - 1))
  })

  it('ReduceLROnPlateau', () => {
    const options = {
      monitor: 'loss',
      factor: 0.5,
      patience: 0,
      epsilon: 0.2,
      cooldown: 1,
      minLr: 0.01,
    }
    const { logs, lr, case: c } = replay('fit/reduce_lr', new ReduceLROnPlateau(options))
    expect(lr).toBeCloseTo(c.final_lr, 6)
    expect(c.history.lr?.length).toBe(8)
    for (const [epoch, value] of (c.history.lr ?? []).entries())
      expect(logs[epoch]?.lr).toBeCloseTo(value, 6)
  })

  it('LearningRateScheduler', () => {
    const { lr, case: c } = replay(
      'fit/lr_scheduler',
      new LearningRateScheduler((epoch) => 0.1 / (epoch + 1)),
    )
    expect(lr).toBeCloseTo(c.final_lr, 6)
  })

  it('BaseLogger and History', () => {
    const c = recorded('fit/plain')
    const [logger, history] = [new BaseLogger(), new History()]
    for (const callback of [logger, history]) {
      callback.setParams({
        batchSize: 8,
        nbEpoch: 3,
        nbSample: 23,
        verbose: 0,
        doValidation: false,
        metrics: ['loss', 'acc'],
      })
      callback.onTrainBegin({})
    }
    for (const [event, at, values] of c.events) {
      // what the first adds to them reaches the second
      const logs = event === 'epoch_end' ? {} : values
      for (const callback of [logger, history]) {
        if (event === 'epoch_begin') callback.onEpochBegin(at as number, {})
        if (event === 'batch_begin') callback.onBatchBegin(at as number, logs)
        if (event === 'batch_end') callback.onBatchEnd(at as number, logs)
        if (event === 'epoch_end') callback.onEpochEnd(at as number, logs)
      }
    }
    expect(history.epoch).toEqual(c.epochs)
    expect(Object.keys(history.history)).toEqual(['loss', 'acc'])
    for (const key of ['loss', 'acc']) {
      for (const [i, value] of (c.history[key] ?? []).entries())
        expect(history.history[key]?.[i]).toBeCloseTo(value, 6)
    }
  })
})

describe('EarlyStopping', () => {
  it.each([
    [0, [3, 2, 2, 1], 3],
    [1, [3, 2, 2, 2, 1], 4],
    [2, [3, 2, 2, 2, 2, 1], 5],
    [1, [3, 2, 2, 1, 1, 1, 1], 6],
  ])('patience %i, losses %j: %i epochs', (patience, losses, epochs) => {
    expect(feed(new EarlyStopping({ monitor: 'loss', patience }), 'loss', losses).ran).toBe(epochs)
  })

  it('takes accuracies and fmeasure for better when more', () => {
    expect(feed(new EarlyStopping({ monitor: 'acc' }), 'acc', [0.1, 0.2, 0.1, 0.3]).ran).toBe(3)
    expect(feed(new EarlyStopping({ monitor: 'fmeasure' }), 'fmeasure', [0.1, 0.2, 0.1]).ran).toBe(
      3,
    )
    expect(
      feed(new EarlyStopping({ monitor: 'acc', mode: 'min' }), 'acc', [0.1, 0.2, 0.1]).ran,
    ).toBe(2)
  })

  it('NaN is no improvement', () => {
    expect(feed(new EarlyStopping({ monitor: 'loss' }), 'loss', [1, Number.NaN, 0.5]).ran).toBe(2)
  })

  it('names the values there are when the monitored one is missing', () => {
    expect(() => feed(new EarlyStopping(), 'loss', [1])).toThrow(
      /one of loss, got 'val_loss'. Is validationData/,
    )
  })

  it('says so with verbose', () => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    feed(new EarlyStopping({ monitor: 'loss', verbose: 1 }), 'loss', [1, 1])
    expect(write.mock.calls).toEqual([['Epoch 00001: early stopping\n']])
    write.mockRestore()
  })
})

describe('ReduceLROnPlateau', () => {
  it('waits, reduces, cools down, and stops at minLr', () => {
    const model = fakeModel(1)
    const callback = new ReduceLROnPlateau({
      monitor: 'loss',
      factor: 0.1,
      patience: 1,
      cooldown: 2,
      minLr: 0.05,
    })
    const { logs } = feed(callback, 'loss', Array(12).fill(1), model)
    // Keras 1.2.2's counters: the reduction itself sets wait back to 1, the cooldown to 0
    expect(logs.map((l) => Number(l.lr?.toPrecision(6)))).toEqual([
      1, 1, 1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05,
    ])
  })

  it('refuses factor 1', () => {
    expect(() => new ReduceLROnPlateau({ factor: 1 })).toThrow(ConfigError)
  })

  it('warns when the monitored value is missing', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    feed(new ReduceLROnPlateau(), 'loss', [1])
    expect(warn.mock.calls[0]?.[0]).toMatch(/'val_loss'/)
    warn.mockRestore()
  })
})

describe('CSVLogger', () => {
  const path = join(folder, 'log.csv')
  const run = (options?: { separator?: string; append?: boolean }) => {
    const callback = new CSVLogger(path, options)
    callback.onTrainBegin()
    callback.onEpochEnd(0, { loss: 0.5, acc: Number.NaN })
    callback.onEpochEnd(1, { loss: Number.POSITIVE_INFINITY, acc: 1, val_loss: 3 })
    return readFileSync(path, 'utf8')
  }
  const rows = 'epoch,acc,loss\r\n0,nan,0.5\r\n1,1,inf\r\n'

  it('writes a header and a row per epoch', () => expect(run()).toBe(rows))
  it('a path that is none is refused at once, what the file system refuses is a typed error', () => {
    expect(() => new CSVLogger('')).toThrow(ConfigError)
    const missing = new CSVLogger(join(folder, 'no', 'log.csv'))
    const directory = new CSVLogger(folder, { append: true })
    for (const [logger, code] of [[missing, 'ENOENT'], [directory, 'EISDIR']] as const) // biome-ignore format: pairs
      try {
        logger.onTrainBegin()
        expect.fail('began')
      } catch (error) {
        expect(error).toMatchObject({
          name: 'FormatError',
          code: 'ERR_FILE_SYSTEM',
          cause: { code },
        })
      }
    const later = new CSVLogger(path)
    later.onTrainBegin()
    Object.assign(later, { filename: folder })
    expect(() => later.onEpochEnd(0, { loss: 1 })).toThrow(/file must be writable, got EISDIR/)
  })
  it('starts anew, or goes on without a second header', () => {
    expect(run()).toBe(rows)
    expect(run({ append: true })).toBe(rows + rows.slice(rows.indexOf('\n') + 1))
  })
  it('has another separator', () => expect(run({ separator: ';' })).toBe(rows.replaceAll(',', ';')))
  it('goes on in an empty file with a header', () => {
    writeFileSync(path, '')
    expect(run({ append: true })).toBe(rows)
  })
})

describe('ModelCheckpoint', () => {
  async function run(
    options: ConstructorParameters<typeof ModelCheckpoint>[1],
    values: number[],
  ): Promise<string[]> {
    const saved: string[] = []
    const model = {
      save: async (path: string) => void saved.push(path),
      saveWeights: async (path: string) => void saved.push(`weights ${path}`),
    }
    const callback = new ModelCheckpoint('m.{epoch:02d}-{val_loss:.2f}.h5', options)
    callback.setModel(asModel(model))
    for (const [epoch, value] of values.entries())
      await callback.onEpochEnd(epoch, { val_loss: value })
    return saved
  }

  it('saves after every epoch', async () => {
    expect(await run({}, [0.5, 0.25])).toEqual(['m.00-0.50.h5', 'm.01-0.25.h5'])
  })
  it('saves what is strictly better', async () => {
    expect(await run({ saveBestOnly: true }, [0.5, 0.5, 0.4, 0.6])).toEqual([
      'm.00-0.50.h5',
      'm.02-0.40.h5',
    ])
  })
  it('saves weights, every other epoch', async () => {
    expect(await run({ saveWeightsOnly: true, period: 2 }, [3, 2, 1])).toEqual([
      'weights m.01-2.00.h5',
    ])
  })
})

describe('formatFields', () => {
  // what Python 3 gives for '<template>'.format(epoch=7, val_loss=0.123456789, big=1234567.0)
  it.each([
    ['{epoch}', '7'],
    ['{epoch:03d}', '007'],
    ['{epoch:4d}|', '   7|'],
    ['{val_loss:.4f}', '0.1235'],
    ['{val_loss:08.3f}', '0000.123'],
    ['{val_loss:.2e}', '1.23e-01'],
    ['{val_loss:.3g}', '0.123'],
    ['{big:g}', '1.23457e+06'],
    ['{val_loss:.1%}', '12.3%'],
    ['{{epoch}}', '{epoch}'],
  ])('%s', (template, text) => {
    expect(formatFields(template, { epoch: 7, val_loss: 0.123456789, big: 1234567 })).toBe(text)
  })
  it('refuses unknown names and stray braces', () => {
    expect(() => formatFields('{val_los:.2f}', { val_loss: 1 })).toThrow(/'val_loss'/)
    expect(() => formatFields('{epoch:x}', { epoch: 1 })).toThrow(ConfigError)
  })
})

describe('Callback', () => {
  it('knows whether it wants batches', () => {
    const without = [
      new History(),
      new EarlyStopping(),
      new LambdaCallback({ onEpochEnd: () => {} }),
    ]
    expect(without.map((callback) => callback.wantsBatches)).toEqual([false, false, false])
    expect(new LambdaCallback({ onBatchBegin: () => {} }).wantsBatches).toBe(true)
    expect(new TerminateOnNaN().wantsBatches).toBe(true)
  })

  it('refuses hooks that are none', () => {
    expect(() => new LambdaCallback({ onEpochStart: () => {} } as never)).toThrow(ConfigError)
    expect(() => new LambdaCallback({ onEpochEnd: 3 as never })).toThrow(/a function/)
  })
})

it('TerminateOnNaN', () => {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  const model = fakeModel()
  const callback = new TerminateOnNaN()
  callback.setModel(asModel(model))
  callback.onBatchEnd(0, { loss: 1 })
  expect(model.stopTraining).toBe(false)
  callback.onBatchEnd(1, { loss: Number.NaN })
  expect(model.stopTraining).toBe(true)
  write.mockRestore()
})

it('LearningRateScheduler refuses what is no number', () => {
  expect(() => feed(new LearningRateScheduler(() => '0.1' as never), 'loss', [1])).toThrow(
    /epoch 0/,
  )
  expect(() => new LearningRateScheduler(0.1 as never)).toThrow(ConfigError)
})

it('ProgbarLogger prints a line per epoch where there is no terminal', () => {
  const lines: string[] = []
  const callback = new ProgbarLogger({ write: (text: string) => lines.push(text) })
  callback.setParams({
    batchSize: 2,
    nbEpoch: 1,
    nbSample: 4,
    verbose: 1,
    doValidation: true,
    metrics: ['loss', 'val_loss'],
  })
  callback.onTrainBegin()
  callback.onEpochBegin(0)
  callback.onBatchEnd(0, { batch: 0, size: 2, loss: 1 })
  callback.onBatchEnd(1, { batch: 1, size: 2, loss: 2 })
  callback.onEpochEnd(0, { loss: 1.5, val_loss: 3 })
  expect(lines.join('')).toMatch(/^Epoch 1\/1 - \d+ms - loss: 1\.5000 - val_loss: 3\.0000\n$/)
})
