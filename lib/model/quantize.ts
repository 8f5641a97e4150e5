/** `model.quantize`: a model with weights of few bits (decision 0067). */
import { type Precision, withFloatx } from '../backend.js'
import { checkOneOf } from '../call-options.js'
import { ConfigError, fail } from '../errors.js'
import { fromBfloat16 } from '../files/half.js'
import { withoutInitialization } from '../layers/base/filled-later.js'
import { readKerasArrays, type Variable, writeKerasArrays } from '../layers/base/variable.js'
import { NDArray } from '../ndarray.js'
import { fromIntegers, linesOf, toBfloat16, toIntegers } from '../saving/compact/rounding.js'
import type { Model } from './model.js'

/** What weights are rounded to, and the precision of the model that has them. */
const PRECISIONS = { int8: 'mixed_int8', bfloat16: 'mixed_bfloat16' } as const satisfies Record<
  string,
  Precision
>

/** What `model.quantize` rounds weights to. */
export type QuantizedTo = keyof typeof PRECISIONS
export const QUANTIZED_TO = Object.keys(PRECISIONS) as readonly QuantizedTo[]

/** An array as few bits hold it. @throws ConfigError ERR_OPTION for what is not finite */
function rounded(where: string, array: NDArray, variable: Variable, to: QuantizedTo): NDArray {
  if (variable.scales === null) return array
  const values = new Float32Array(array.data as Float32Array)
  if (!values.every(Number.isFinite))
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'weights to be quantized',
      expected: 'finite numbers',
      actual: String(values.find((value) => !Number.isFinite(value))),
    })
  if (to === 'bfloat16') return NDArray.from(fromBfloat16(toBfloat16(values)), array.shape)
  const lines = linesOf(array.shape, variable.scales)
  const { numbers, scales } = toIntegers(values, lines)
  return NDArray.from(fromIntegers(numbers, scales, lines), array.shape)
}

/** A copy of a model whose weights are rounded. */
export async function quantized<M extends Model>(model: M, to: unknown): Promise<M> {
  const kind = checkOneOf('quantize', 'to', to, QUANTIZED_TO)
  const { floatx } = model
  const taken: readonly Precision[] = ['float32', 'mixed_bfloat16', PRECISIONS[kind]]
  if (!taken.includes(floatx))
    fail(ConfigError, 'ERR_OPTION', {
      where: 'quantize',
      what: `the model, for '${kind}',`,
      expected: `one of ${taken.slice(0, 2).join(' or ')}`,
      actual: `one of ${floatx}`,
    })
  const weights = await model.whenIdle('quantize', () =>
    model.flattenedLayers.map((layer) => readKerasArrays(layer.fileArrays())),
  )
  const { fromConfig } = model.constructor as unknown as { fromConfig(config: object): M }
  const made = () => fromConfig.call(model.constructor, model.getConfig() as object)
  const copy = withFloatx(PRECISIONS[kind], () => withoutInitialization(made))
  for (const [i, layer] of copy.flattenedLayers.entries()) {
    const arrays = layer.fileArrays()
    writeKerasArrays(
      'quantize',
      arrays,
      arrays.map(({ name, variable }, j) =>
        rounded(`${layer.name}/${name}`, weights[i]![j]!, variable, kind),
      ),
    )
  }
  return copy
}
