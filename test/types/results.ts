/** The types of what comes back. Checked by tsc through types.test.ts. Never run. */
import { expectTypeOf } from 'vitest'
import {
  type Callback,
  type History,
  type HiddenstateError,
  Input,
  type Layer,
  loadModel,
  LSTM,
  modelFromJson,
  type Metrics,
  Model,
  type NDArray,
  type Scores,
  Sequential,
  type SessionState,
} from '../package.js'

const model = new Sequential()
const x = [[[1, 2]]]
const y = [[1]]

expectTypeOf(model.add(new LSTM(3))).toEqualTypeOf<Sequential>()
expectTypeOf(model.fit(x, y)).toEqualTypeOf<Promise<History>>()
expectTypeOf(model.predict(x)).toEqualTypeOf<Promise<NDArray>>()
expectTypeOf(model.predictOnBatchSync(x)).toEqualTypeOf<NDArray>()
expectTypeOf(model.session().step([1, 2])).toEqualTypeOf<Promise<NDArray>>()
expectTypeOf(model.session({ state: model.session().save() }).stepSync(1)).toEqualTypeOf<NDArray>()
expectTypeOf(model.session().fork().state).toEqualTypeOf<SessionState>()
const [a, b] = [Input({ shape: [null, 1] }), Input({ shape: [null, 1] })]
const two = new Model({ input: [a, b], output: [a, b] }).session({ fixed: { b: [[1]] } })
expectTypeOf(two.step({ a: 1 })).toEqualTypeOf<Promise<[NDArray, NDArray]>>()
expectTypeOf(two.predict([[[1]], [[1]]])).toEqualTypeOf<Promise<[NDArray, NDArray]>>()
expectTypeOf(model.optimizer.lr).toEqualTypeOf<number>()
expectTypeOf(model.getWeights()).toEqualTypeOf<NDArray[]>()
expectTypeOf(model.metricsNames).toExtend<readonly string[]>()
expectTypeOf(model.layers).toExtend<readonly Layer[]>()
expectTypeOf(model.toJson()).toEqualTypeOf<string>()
expectTypeOf(modelFromJson('')).toEqualTypeOf<Sequential>()
expectTypeOf(loadModel('a.h5')).toEqualTypeOf<Promise<Sequential>>()
const loaded = await loadModel<Model>('a.h5')
if (loaded instanceof Sequential) expectTypeOf(loaded).toEqualTypeOf<Sequential>()
expectTypeOf<History>().toExtend<Callback>()
expectTypeOf<History['history']>().toExtend<Record<string, number[]>>()
expectTypeOf<HiddenstateError['code']>().toExtend<string>()
expectTypeOf<HiddenstateError>().toExtend<Error>()

// ---- what depends on the metrics ----
// TypeScript does not see what the statement `model.compile(…)` says: either can be written.
model.compile({ loss: 'mse', optimizer: 'sgd', metrics: ['mae'] })
expectTypeOf(model.evaluate(x, y)).resolves.toEqualTypeOf<Scores>()
const [loss, mae] = await model.evaluate(x, y)
expectTypeOf(loss).toEqualTypeOf<number>()
expectTypeOf(mae).toEqualTypeOf<number | undefined>() // by noUncheckedIndexedAccess
expectTypeOf((await model.trainOnBatch(x, y)) + 1).toEqualTypeOf<number>()
expectTypeOf((await model.testOnBatch(x, y)).toFixed(3)).toEqualTypeOf<string>()
expectTypeOf((await model.evaluateGenerator([], { valSamples: 1 }))[0]).toEqualTypeOf<number>()

// It does see what `compile` returns.
const plain = new Sequential().compile({ loss: 'mse', optimizer: 'sgd' })
expectTypeOf(plain.evaluate(x, y)).resolves.toEqualTypeOf<number>()
expectTypeOf(plain.trainOnBatch(x, y)).resolves.toEqualTypeOf<number>()
expectTypeOf(plain.fit(x, y)).toEqualTypeOf<Promise<History>>()
expectTypeOf(plain).toExtend<Sequential>()
const measured = model.compile({ loss: 'mse', optimizer: 'sgd', metrics: ['acc', 'mae'] })
expectTypeOf(measured.evaluate(x, y)).resolves.toEqualTypeOf<
  [loss: number, ...metrics: [number, number]]
>()
expectTypeOf(measured.testOnBatch(x, y)).resolves.toEqualTypeOf<[number, number, number]>()
expectTypeOf(measured.trainOnBatch(x, y)).resolves.toEqualTypeOf<[number, number, number]>()
expectTypeOf(measured.evaluateGenerator([], { valSamples: 1 })).resolves.toEqualTypeOf<
  [number, number, number]
>()
const metrics: Metrics = []
expectTypeOf(
  model.compile({ loss: 'mse', optimizer: 'sgd', metrics }).evaluate(x, y),
).resolves.toEqualTypeOf<Scores>()
// @ts-expect-error there is one metric
const [, , third] = await model
  .compile({ loss: 'mse', optimizer: 'sgd', metrics: ['acc'] })
  .evaluate(x, y)
// @ts-expect-error a number is no list
const [wrong] = await plain.evaluate(x, y)
// @ts-expect-error neither a number nor a list has it
const { acc } = await model.evaluate(x, y)
export { acc, third, wrong }
