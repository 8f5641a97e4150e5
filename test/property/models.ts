/**
 * Random recurrent layers, small enough to be quick
 * and odd enough to reach the tails of every kernel.
 */
import fc from 'fast-check'
import {
  Bidirectional,
  type Callback,
  Dense,
  GRU,
  LSTM,
  Masking,
  Sequential,
  SimpleRNN,
} from '../package.js'

export const CELLS = { SimpleRNN, GRU, LSTM }
export type CellName = keyof typeof CELLS

/** One recurrent layer and the extents of what it is fed. */
export interface Drawn {
  cell: CellName
  /** B samples, T steps, D features, H units. */
  B: number
  T: number
  D: number
  H: number
  options: Record<string, unknown>
  /** For weights and data. */
  seed: number
}

/** 1 and 2; around a vector of 4, 8 and 16 floats; two vectors and one. */
export const extent = (max: number): fc.Arbitrary<number> =>
  fc.constantFrom(...[1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33].filter((n) => n <= max))

const activation = fc.constantFrom('tanh', 'sigmoid', 'hard_sigmoid', 'softsign', 'linear')
const inner = fc.constantFrom('hard_sigmoid', 'sigmoid')

export interface Limits {
  B?: number
  T?: number
  minT?: number
  D?: number
  H?: number
}

export function drawn({ B = 5, T = 7, minT = 1, D = 9, H = 17 }: Limits = {}): fc.Arbitrary<Drawn> {
  return fc
    .record({
      cell: fc.constantFrom<CellName>('SimpleRNN', 'GRU', 'LSTM'),
      B: extent(B),
      T: fc.integer({ min: minT, max: T }),
      D: extent(D),
      H: extent(H),
      seed: fc.integer({ min: 1, max: 1e6 }),
      activation,
      inner,
      consumeLess: fc.constantFrom('cpu', 'mem', 'gpu'),
      goBackwards: fc.boolean(),
      resetAfter: fc.boolean(),
    })
    .map(({ activation: a, inner: i, consumeLess, goBackwards, resetAfter, ...rest }) => ({
      ...rest,
      options: {
        activation: a,
        goBackwards,
        ...(rest.cell === 'SimpleRNN' ? {} : { innerActivation: i, consumeLess }),
        ...(rest.cell === 'GRU' ? { resetAfter } : {}),
      },
    }))
}

type LayerOptions = Record<string, unknown>

/** The layer, with more options or others in place of the drawn ones. */
export function layerOf(d: Drawn, more: LayerOptions = {}): InstanceType<(typeof CELLS)[CellName]> {
  return new CELLS[d.cell](d.H, { ...d.options, ...more } as never)
}

/** A model of that one layer; `masked` puts a Masking before it. */
export function modelOf(d: Drawn, more: LayerOptions = {}, masked = false): Sequential {
  const batchInputShape = more.stateful ? [d.B, d.T, d.D] : [null, null, d.D]
  if (!masked) return new Sequential([layerOf(d, { batchInputShape, ...more })])
  return new Sequential([new Masking({ batchInputShape }), layerOf(d, more)])
}

/** Something deeper to train: [Bidirectional] recurrent layers and a Dense on top. */
export interface Deep extends Drawn {
  bidirectional: boolean
  layers: 1 | 2
  optimizer: 'sgd' | 'rmsprop' | 'adam' | 'nadam'
  dropout: number
  masked: boolean
}

export function deep(limits: Limits = {}): fc.Arbitrary<Deep> {
  return fc
    .record({
      one: drawn(limits),
      bidirectional: fc.boolean(),
      layers: fc.constantFrom<1 | 2>(1, 2),
      optimizer: fc.constantFrom<Deep['optimizer']>('sgd', 'rmsprop', 'adam', 'nadam'),
      dropout: fc.constantFrom(0, 0.3),
      masked: fc.boolean(),
    })
    .map(({ one, ...rest }) => ({ ...one, ...rest }))
}

export function deepModel(d: Deep): Sequential {
  const model = new Sequential()
  const inputShape = [null, d.D]
  if (d.masked) model.add(new Masking({ inputShape }))
  for (let i = 0; i < d.layers; i++) {
    const more = { returnSequences: i + 1 < d.layers, dropoutW: d.dropout, dropoutU: d.dropout }
    const where = i === 0 && !d.masked ? { inputShape } : {}
    model.add(
      d.bidirectional
        ? new Bidirectional(layerOf(d, more), where as never)
        : layerOf(d, { ...more, ...where }),
    )
  }
  model.add(new Dense(2))
  model.compile({ optimizer: d.optimizer, loss: 'mse' })
  return model
}

export type Callbacks = Callback[]
