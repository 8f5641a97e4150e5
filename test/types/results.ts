/** The types of what comes back. Checked by tsc through types.test.ts. Never run. */
import { expectTypeOf } from 'vitest'
import {
  type Callback,
  type History,
  type HiddenstateError,
  type Layer,
  loadModel,
  LSTM,
  modelFromJson,
  type NDArray,
  Sequential,
} from '../package.js'

const model = new Sequential()
const x = [[[1, 2]]]
const y = [[1]]

expectTypeOf(model.add(new LSTM(3))).toEqualTypeOf<Sequential>()
expectTypeOf(model.fit(x, y)).toEqualTypeOf<Promise<History>>()
expectTypeOf(model.predict(x)).toEqualTypeOf<Promise<NDArray>>()
expectTypeOf(model.predictOnBatchSync(x)).toEqualTypeOf<NDArray>()
expectTypeOf(model.evaluate(x, y)).resolves.toEqualTypeOf<number | number[]>()
expectTypeOf(model.trainOnBatch(x, y)).resolves.toEqualTypeOf<number | number[]>()
expectTypeOf(model.getWeights()).toEqualTypeOf<NDArray[]>()
expectTypeOf(model.metricsNames).toExtend<readonly string[]>()
expectTypeOf(model.layers).toExtend<readonly Layer[]>()
expectTypeOf(model.toJson()).toEqualTypeOf<string>()
expectTypeOf(modelFromJson('')).toEqualTypeOf<Sequential>()
expectTypeOf(loadModel('a.h5')).toEqualTypeOf<Promise<Sequential>>()
expectTypeOf<History>().toExtend<Callback>()
expectTypeOf<History['history']>().toExtend<Record<string, number[]>>()
expectTypeOf<HiddenstateError['code']>().toExtend<string>()
expectTypeOf<HiddenstateError>().toExtend<Error>()
