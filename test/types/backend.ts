/** What must and must not compile of `hiddenstate/backend` and defineCell. Never run. */
import { expectTypeOf } from 'vitest'
import * as K from '../../lib/functions/index.js'
import {
  Dense,
  defineCell,
  defineLayer,
  Highway,
  Input,
  Lambda,
  type NDArray,
  PeepholeLSTM,
  Sequential,
} from '../../lib/index.js'

const { dot, fn, grad, mean, placeholder, scan, shared, tanh } = K

export function cells(): void {
  const Vanilla = defineCell('Vanilla', {
    weights: { W: ['D', 'H'], U: { shape: ['H', 'H'], init: 'identity' }, b: ['H'] },
    states: { h: {}, c: { initial: 'learned' } },
    step({ x, h, c, W, U, b }) {
      expectTypeOf(x).toEqualTypeOf<K.Expr>()
      expectTypeOf(c).toEqualTypeOf<K.Expr>()
      return { h: tanh(x.dot(W).add(h.dot(U), b)), c, y: h }
    },
  })
  new Sequential([new Vanilla(20, { returnSequences: true, truncate: 3, inputShape: [12, 1] })])
  // @ts-expect-error the number of units is missing
  new Vanilla()
  // @ts-expect-error no such option
  new Vanilla(20, { activation: 'tanh' })
  const weights = { W: ['D', 'H'] } as const
  // @ts-expect-error step forgets the state c
  const forgets = () => defineCell('Bad', { weights, states: { h: {}, c: {} }, step: onlyH })
  // @ts-expect-error no such weight
  defineCell('Bad', { weights, states: { h: {} }, step: ({ x, V }) => ({ h: dot(x, V) }) })
  const unknown = { W: ['D', 'K'] } as const
  // @ts-expect-error no such extent
  const extent = () => defineCell('Bad', { weights: unknown, states: { h: {} }, step: onlyH })
  void [forgets, extent]
}

export function cellOptions(): void {
  const Leaky = defineCell('Leaky', {
    options: { leak: 0.1, mode: 'sum' as 'sum' | 'max' },
    weights: ({ mode }) => ({ W: mode === 'sum' ? ['D', 'H'] : ['D', '2H'] }),
    states: { h: {} },
    step({ x, h, W }, { leak, mode }) {
      expectTypeOf(leak).toEqualTypeOf<number>()
      expectTypeOf(mode).toEqualTypeOf<'sum' | 'max'>()
      expectTypeOf(W).toEqualTypeOf<K.Expr>()
      return { h: K.add(K.mul(leak, h), x.dot(W)) }
    },
  })
  new Leaky(8, { leak: 0.5, zoneout: { h: 0.1 }, returnSequences: true })
  // @ts-expect-error leak is a number
  new Leaky(8, { leak: 'much' })
  // @ts-expect-error no such option
  new Leaky(8, { leek: 0.5 })
  new PeepholeLSTM(8, { peepholes: 'matrix' })
  // @ts-expect-error vectors or matrices
  new PeepholeLSTM(8, { peepholes: 'both' })
}

export async function written(): Promise<void> {
  const model = new Sequential([new Dense(2, { inputDim: 3, activation: (x) => tanh(x) })])
  const bias = (_y: K.Expr, p: K.Expr) => mean(p)
  const loss = (y: K.Expr, p: K.Expr) => mean(y.sub(p), -1)
  const one = model.compile({ loss, optimizer: 'sgd', metrics: [bias, (y, p) => y.sub(p), 'acc'] })
  const data = [[1, 2, 3]]
  expectTypeOf(await one.testOnBatch(data, data)).toEqualTypeOf<[number, number, number, number]>()
  const none = model.compile({ loss: (y, p) => mean(y.sub(p), -1), optimizer: 'sgd' })
  expectTypeOf(await none.testOnBatch(data, data)).toEqualTypeOf<number>()
  // @ts-expect-error a loss is an expression
  model.compile({ loss: () => 'mse', optimizer: 'sgd' })
  // @ts-expect-error the gate's activation is inside
  new Highway({ activation: (x: K.Expr) => x })

  const Scale = defineLayer('Scale', {
    options: { factor: 1, kind: 'a' },
    weights: {
      gamma: { shape: ({ inputShape, factor }) => [inputShape.at(-1)!, factor], init: 'one' },
      beta: { shape: [3] },
    },
    call({ x, inputs, gamma, beta, options }) {
      expectTypeOf(inputs).toEqualTypeOf<readonly K.Expr[]>()
      expectTypeOf(options.kind).toEqualTypeOf<string>()
      return x.dot(gamma).add(beta, options.factor)
    },
  })
  const layer = new Scale({
    factor: 3,
    gammaRegularizer: 'l2',
    betaConstraint: 'nonneg',
    name: 'a',
  })
  layer.call(Input({ shape: [3] }))
  new Scale()
  // @ts-expect-error no such option
  new Scale({ factr: 3 })
  // @ts-expect-error no such weight
  new Scale({ alphaRegularizer: 'l2' })
  // @ts-expect-error of another type
  new Scale({ factor: 'x' })
  // @ts-expect-error no such weight
  defineLayer('Bad', { weights: { W: { shape: [3] } }, call: ({ x, V }) => dot(x, V) })
  // @ts-expect-error no such option
  defineLayer('Bad', { options: { a: 1 }, call: ({ x, options }) => x.mul(options.b) })
}

const onlyH = ({ x, W }: { x: K.Expr; W: K.Expr }) => ({ h: dot(x, W) })

export async function functions(): Promise<void> {
  const [x, w] = [placeholder(['T', 2], 'x'), shared([1, 2], 'w')]
  const cost = mean(x.mul(w))
  expectTypeOf(grad(cost, w)).toEqualTypeOf<K.Expr>()
  expectTypeOf(grad(cost, [w, x])).toEqualTypeOf<readonly [K.Expr, K.Expr]>()
  expectTypeOf(await fn([x], cost)([[1, 2]])).toEqualTypeOf<NDArray>()
  const both = fn([x], [cost, x], { updates: [[w, w.mul(2)]] })
  expectTypeOf(await both([[1, 2]])).toEqualTypeOf<[NDArray, NDArray]>()
  expectTypeOf(both.sync([[1, 2]])).toEqualTypeOf<[NDArray, NDArray]>()
  const [h, y] = scan((x, h) => [tanh(x.add(h)), x], { sequences: x, outputsInfo: [w, null] })
  expectTypeOf(h).toEqualTypeOf<K.Expr>()
  expectTypeOf(y).toEqualTypeOf<K.Expr>()
  // @ts-expect-error an update is of a variable
  fn([x], cost, { updates: [[x, x]] })
  // @ts-expect-error no such option
  fn([x], cost, { update: [] })
  new Lambda((x) => x.mul(2))
  // @ts-expect-error a Lambda is a function of an expression
  new Lambda((x: string) => x)
  // @ts-expect-error no such activation
  K.activation(x, 'tanhh')
}
