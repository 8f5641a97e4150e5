/**
 * Hyper-parameters that are set, what an optimizer has counted, and how both come through files.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { H5Builder, writeH5 } from '../../lib/hdf5/file.js'
import { writeLayers } from '../../lib/saving/weights.js'
import { writeTraining } from '../../lib/saving/training.js'
import { asciiJson } from '../../lib/saving/layout.js'
import { expectAllSameBits, uniform } from '../arrays.js'
import {
  Adadelta,
  Adagrad,
  Adam,
  Adamax,
  Callback,
  Dense,
  LambdaCallback,
  LearningRateScheduler,
  loadModel,
  Nadam,
  type Optimizer,
  RMSprop,
  Sequential,
  setSeed,
  SGD,
} from '../package.js'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'hs-optimizer-'))
})
afterAll(() => rmSync(directory, { recursive: true }))
afterEach(() => {
  vi.restoreAllMocks()
})
const file = (name: string) => path.join(directory, `${name}.h5`)

const compiled = (optimizer: Optimizer): Sequential => {
  setSeed(3)
  const model = new Sequential([new Dense(2, { inputDim: 3 })])
  model.compile({ optimizer, loss: 'mse' })
  return model
}
const steps = async (model: Sequential, from: number, to: number): Promise<void> => {
  for (let i = from; i < to; i++)
    await model.trainOnBatch(uniform(i, [4, 3]), uniform(i + 50, [4, 2]))
}

const makers: [string, () => Optimizer][] = [
  ['SGD', () => new SGD({ momentum: 0.9, decay: 1 })],
  ['plain SGD', () => new SGD({ decay: 1 })],
  ['RMSprop', () => new RMSprop({ decay: 1 })],
  ['Adagrad', () => new Adagrad({ decay: 1 })],
  ['Adadelta', () => new Adadelta({ decay: 1 })],
  ['Adam', () => new Adam({ decay: 1 })],
  ['Adamax', () => new Adamax({ decay: 1 })],
  ['Nadam', () => new Nadam()],
]

describe.each(makers)('%s', (name, make) => {
  it('refuses what cannot be a hyper-parameter, at once', () => {
    const optimizer = make() as unknown as Record<string, unknown>
    for (const key of Object.keys(optimizer)) {
      const before = optimizer[key]
      const isLimit = key === 'clipnorm' || key === 'clipvalue'
      for (const value of [undefined, null, true, '0.1', Number.NaN, Infinity, [0.1]]) {
        if ((isLimit && value === null) || typeof value === typeof before)
          if (!Number.isNaN(value) && value !== Infinity) continue
        const set = () => {
          optimizer[key] = value
        }
        expect(set, `${key} = ${value}`).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
        expect(optimizer[key]).toBe(before)
      }
    }
  })

  it('refuses properties that it does not have', () => {
    const optimizer = make() as unknown as Record<string, unknown>
    expect(() => {
      optimizer.learningRate = 0.1
    }).toThrow(/learningRate must be not set, got 0\.1\. It is called `lr` here/)
    expect(() => {
      optimizer.momentun = 0.1
    }).toThrow(TypeError)
  })

  it('shows its hyper-parameters', () => {
    const optimizer = make()
    expect(inspect(optimizer)).toMatch(
      new RegExp(`^${name.split(' ').at(-1)} {\\s+lr: ${optimizer.lr}`),
    )
    expect(JSON.parse(JSON.stringify(optimizer)).lr).toBe(optimizer.lr)
  })

  it('goes on from a file to the same bits', async () => {
    const [whole, half] = [compiled(make()), compiled(make())]
    await steps(whole, 0, 9)
    await steps(half, 0, 6)
    expect(half.optimizer.iterations).toBe(6)
    await half.save(file(name))
    const loaded = await loadModel(file(name))
    expect(loaded.optimizer.iterations).toBe(6)
    await steps(loaded, 6, 9)
    expectAllSameBits(loaded.getWeights(), whole.getWeights())
  })

  it('warns of a file that does not say, where it matters', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const model = compiled(make())
    await steps(model, 0, 3)
    const content = new H5Builder()
    content.group('').set('keras_version', '1.2.2')
    content
      .group('')
      .set('model_config', asciiJson({ class_name: 'Sequential', config: model.getConfig() }))
    writeLayers(content, 'model_weights', model.layers)
    writeTraining(content, model.compiled!, model.optimizerWeights(), null) // as Keras does
    await writeH5(file('keras'), content, {})
    const loaded = await loadModel(file('keras'))
    const isKept = /SGD|^Ada?m/.test(name)
    expect(loaded.optimizer.iterations).toBe(isKept || name === 'Nadam' ? 3 : 0)
    expect(warn.mock.calls.map(([text]) => text)).toEqual(
      isKept ? [] : [expect.stringMatching(/keras\.h5: the file does not say how many batches/)],
    )
  })
})

describe('iterations', () => {
  it('can be set, and decay goes by it', async () => {
    const [one, two] = [compiled(new RMSprop({ decay: 1 })), compiled(new RMSprop({ decay: 0 }))]
    one.optimizer.iterations = 99
    two.optimizer.lr = 0.001 / 100
    await steps(one, 0, 1)
    await steps(two, 0, 1)
    expect(one.optimizer.iterations).toBe(100)
    const [a, b] = [one, two].map((model) => model.getWeights()[0]?.data as Float32Array) as [
      Float32Array,
      Float32Array,
    ]
    for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i] as number, 6)
  })

  it('begins anew at compile, and is that of the model that was compiled last', async () => {
    const optimizer = new SGD()
    expect(optimizer.iterations).toBe(0)
    const model = compiled(optimizer)
    await steps(model, 0, 2)
    expect(optimizer.iterations).toBe(2)
    model.compile({ optimizer, loss: 'mse' })
    expect(optimizer.iterations).toBe(0)
    await steps(model, 0, 1)
    await steps(compiled(optimizer), 0, 3)
    expect(optimizer.iterations).toBe(3)
  })

  it('may be read and set by callbacks', async () => {
    const model = compiled(new SGD())
    const seen: number[] = []
    const onBatchEnd = () => {
      seen.push(model.optimizer.iterations)
      model.optimizer.iterations += 10
    }
    const callbacks = [new LambdaCallback({ onBatchEnd })]
    await model.fit(uniform(1, [3, 3]), uniform(2, [3, 2]), {
      batchSize: 1,
      nbEpoch: 1,
      verbose: 0,
      callbacks,
    })
    expect(seen).toEqual([1, 12, 23])
  })

  it.each([-1, 0.5, Number.NaN, '3', null, undefined, Infinity])('cannot be %s', (value) => {
    const { optimizer } = compiled(new Adam())
    expect(() => {
      optimizer.iterations = value as number
    }).toThrow(/Adam: iterations must be a whole number from 0/)
    expect(optimizer.iterations).toBe(0)
  })

  it('cannot be set before compile', () => {
    expect(() => {
      new Adam().iterations = 3
    }).toThrow(expect.objectContaining({ code: 'ERR_NOT_COMPILED' }))
  })

  it('of a damaged file is refused', async () => {
    const model = compiled(new RMSprop())
    await steps(model, 0, 1)
    for (const counts of [{ iterations: -1, m_schedule: 1 }, { iterations: 1 }, 'x']) {
      vi.spyOn(model.runner, 'counts', 'get').mockReturnValue(counts as never)
      await model.save(file('damaged'))
      await expect(loadModel(file('damaged'))).rejects.toThrow(
        /training_config: optimizer_counts must be/,
      )
    }
  })
})

describe('callbacks that set the learning rate', () => {
  const rates = [0.1, 0.05]
  class Rates extends Callback {
    override onEpochBegin(epoch: number): void {
      this.model.optimizer.lr = rates[epoch] as number
    }
  }
  const runs: [string, Callback][] = [
    ['by hand', new Rates()],
    ['by a schedule', new LearningRateScheduler((epoch) => rates[epoch] as number)],
    [
      'by a schedule without a number',
      new LearningRateScheduler((epoch) => (epoch > 1 ? Number.NaN : 0.1)),
    ],
  ]
  it.each(runs)('%s end the fit when they run out of rates', async (_, callback) => {
    const model = compiled(new SGD())
    const fitting = model.fit(uniform(1, [3, 3]), uniform(2, [3, 2]), {
      nbEpoch: 4,
      verbose: 0,
      callbacks: [callback],
    })
    await expect(fitting).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringContaining('a finite number'),
    })
    expect(model.history?.epoch).toEqual([0, 1])
    await model.save(file('rates'))
    await loadModel(file('rates'))
  })
})

it('model.optimizer is chosen by compile', () => {
  const model = compiled(new SGD())
  expect(() => {
    ;(model as { optimizer: unknown }).optimizer = 'sgd'
  }).toThrow(
    /model\.optimizer: optimizer must be chosen by compile, got the string 'sgd'. model\.compile/,
  )
})
