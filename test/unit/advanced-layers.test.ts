/**
 * What normalisation, noise, MaxoutDense, Highway and advanced activations accept and refuse. No
 * native code but for files.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import {
  BatchNormalization,
  ConfigError,
  Dense,
  EigenvalueRegularizer,
  GaussianDropout,
  GaussianNoise,
  GRU,
  HiddenstateError,
  Highway,
  type Layer,
  LeakyReLU,
  loadModel,
  Masking,
  MaxoutDense,
  ParametricSoftplus,
  PReLU,
  Sequential,
  ShapeError,
  SpatialDropout1D,
  SReLU,
  ThresholdedReLU,
} from '../package.js'

const folder = mkdtempSync(path.join(tmpdir(), 'advanced-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('bad options', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['mode 3', () => new BatchNormalization({ mode: 3 as never }), /mode must be 0, 1 or 2, got 3/],
    ['axis 0.5', () => new BatchNormalization({ axis: 0.5 }), /axis must be an integer/],
    [
      'epsilon',
      () => new BatchNormalization({ epsilon: 'small' as never }),
      /epsilon must be a finite number/,
    ],
    ['no sigma', () => new GaussianNoise(undefined as never), /sigma must be argument 1/],
    ['sigma', () => new GaussianNoise(-1), /sigma must be a finite number from 0, got -1/],
    ['p', () => new GaussianDropout(1.5), /p must be a number from 0 to 1/],
    [
      'no noiseShape',
      () => new SpatialDropout1D(0.5, { noiseShape: [null, 1, 1] } as never),
      /unknown option/,
    ],
    [
      'nbFeature',
      () => new MaxoutDense(3, { nbFeature: 0 }),
      /nbFeature must be a positive integer, got 0/,
    ],
    [
      'activation of maxout',
      () => new MaxoutDense(3, { activation: 'relu' } as never),
      /unknown option `activation`/,
    ],
    ['alpha', () => new LeakyReLU({ alpha: Number.NaN }), /alpha must be a finite number/],
    ['theta', () => new ThresholdedReLU({ theta: null as never }), /theta must be a finite number/],
    ['axis 0', () => new PReLU({ sharedAxes: [0] }), /sharedAxes must be null or axes from 1 on/],
    ['a number for an init', () => new SReLU({ tLeftInit: 0 as never }), /initialization/],
    [
      'an init for a number',
      () => new ParametricSoftplus({ alphaInit: 'zero' as never }),
      /alphaInit must be a finite/,
    ],
  ])('%s', (_, run, message) => {
    expect(run).toThrow(ConfigError)
    expect(run).toThrow(message)
  })
})

describe('bad inputs', () => {
  const named = { name: 'it' }
  it.each<[string, () => unknown, RegExp]>([
    [
      'axis 3 of two',
      () => new BatchNormalization({ ...named, axis: 2 }).build([null, 4]),
      /axis must be one of/,
    ],
    [
      'an unknown extent',
      () => new BatchNormalization({ ...named, axis: 1 }).build([null, null, 4]),
      /must be known/,
    ],
    [
      'axis of mode 1',
      () => new BatchNormalization({ mode: 1, axis: 1 }).build([null, 3, 4]),
      /as long as the last/,
    ],
    ['MaxoutDense on [B, T, D]', () => new MaxoutDense(3).build([null, 5, 4]), /must be \[B, D\]/],
    ['Highway on [B, T, D]', () => new Highway().build([null, 5, 4]), /must be \[B, D\]/],
    [
      'SpatialDropout1D on [B, D]',
      () => new SpatialDropout1D(0.1).build([null, 4]),
      /must be \[B, T, D\]/,
    ],
    ['PReLU of unknown T', () => new PReLU().build([null, null, 4]), /must be known/],
    [
      'an axis too many',
      () => new PReLU({ sharedAxes: [2] }).build([null, 4]),
      /sharedAxes must be axes of/,
    ],
  ])('%s', (_, run, message) => {
    expect(run).toThrow(ShapeError)
    expect(run).toThrow(message)
  })

  it('an eigenvalue penalty is for matrices, and says so when the layer is added', () => {
    const bRegularizer = new EigenvalueRegularizer({ k: 0.1 })
    expect(() => new Sequential([new Dense(2, { inputDim: 3, bRegularizer })])).toThrow(
      /must be a matrix, got \[2\]/,
    )
    expect(() => new Dense(2, { WRegularizer: 'EigenvalueRegularizer' as never })).toThrow(
      ConfigError,
    )
  })
})

describe('masks', () => {
  const masked = (layer: Layer) => new Sequential([new Masking({ inputShape: [4, 3] }), layer])
  it('pass the layers that Keras lets them pass', () => {
    const passing = [
      new BatchNormalization(),
      new GaussianNoise(1),
      new GaussianDropout(0.5),
      new SpatialDropout1D(0.5),
    ]
    const more = [
      new LeakyReLU(),
      new PReLU(),
      new SReLU(),
      new ParametricSoftplus(),
      new ThresholdedReLU(),
    ]
    for (const layer of [...passing, ...more])
      expect(() => masked(layer).add(new GRU(2))).not.toThrow()
  })
  it('do not pass the others', () => {
    for (const layer of [new MaxoutDense(2), new Highway()])
      expect(() => masked(layer)).toThrow(HiddenstateError)
  })
})

describe('shared axes', () => {
  const model = (...options: ConstructorParameters<typeof PReLU>) =>
    new Sequential([new PReLU({ inputShape: [4, 3], ...options[0] }), new GRU(2)])
  const alphas = [[0.5, 0.25, 0.125]]

  it('follow from weights of extent 1, as Keras files do not tell them', async () => {
    const [shared, told] = [model(), model({ sharedAxes: [1] })]
    shared.setWeights([alphas, ...told.getWeights().slice(1)])
    told.setWeights([alphas, ...told.getWeights().slice(1)])
    expect(shared.getWeights()[0]?.shape).toEqual([1, 3])
    expect(shared.getConfig()[0]?.config).toEqual({
      ...told.getConfig()[0]?.config,
      name: shared.layers[0]?.name,
    })
    const x = { data: Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)), shape: [2, 4, 3] }
    expect((await shared.predict(x)).data).toEqual((await told.predict(x)).data)
  })

  it('stay once the model has been compiled or used; a refused list changes nothing', () => {
    const compiled = model()
    compiled.compile({ optimizer: 'sgd', loss: 'mse' })
    expect(() => compiled.setWeights([alphas, ...compiled.getWeights().slice(1)])).toThrow(
      ShapeError,
    )
    const fresh = model()
    const [before] = fresh.getWeights()
    expect(() => fresh.setWeights([alphas])).toThrow(ShapeError)
    expect(() => fresh.setWeights([[[1, 2]], ...fresh.getWeights().slice(1)])).toThrow(ShapeError)
    expect(fresh.getWeights()[0]).toEqual(before)
  })

  it('go into files and come back, from weights alone too', async () => {
    const told = model({ sharedAxes: [1] })
    const file = path.join(folder, 'prelu.h5')
    await told.save(file)
    expect((await loadModel(file)).getWeights()).toEqual(told.getWeights())
    const plain = model()
    await plain.loadWeights(file)
    expect(plain.getWeights()).toEqual(told.getWeights())
  })
})
