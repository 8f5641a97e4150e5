/** Writes a model as it predicts, in the layout of safetensors (decision 0067). */
import type { Precision } from '../../backend.js'
import { fromBfloat16 } from '../../files/half.js'
import { type KerasArray, readKerasArrays } from '../../layers/base/variable.js'
import type { NDArray } from '../../ndarray.js'
import type { SavableModel } from '../savable.js'
import { rawBytes, MODEL_KEY, safetensorsOf, type StoredTensor } from '../torch/safetensors.js'
import { fromIntegers, linesOf, toBfloat16, toIntegers } from './rounding.js'

/** What the tensor of an array's scales is called. */
export const scalesOf = (name: string): string => `${name}:scales`

const isSame = (a: ArrayLike<number>, b: ArrayLike<number>): boolean => {
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** An array in the fewest bits of the model's precision that hold its numbers. */
function stored(
  name: string,
  { data, shape }: NDArray,
  { variable }: KerasArray,
  floatx: Precision,
): [name: string, StoredTensor][] {
  if (data instanceof Float64Array) return [[name, { dtype: 'F64', shape, bytes: rawBytes(data) }]]
  const values = data as Float32Array
  if (variable.scales && floatx === 'mixed_int8') {
    const lines = linesOf(shape, variable.scales)
    const { numbers, scales } = toIntegers(values, lines)
    if (isSame(fromIntegers(numbers, scales, lines), values))
      return [
        [name, { dtype: 'I8', shape, bytes: rawBytes(numbers) }],
        [scalesOf(name), { dtype: 'F32', shape: lines.shape, bytes: rawBytes(scales) }],
      ]
  }
  if (variable.scales && floatx === 'mixed_bfloat16') {
    const halves = toBfloat16(values)
    if (isSame(fromBfloat16(halves), values))
      return [[name, { dtype: 'BF16', shape, bytes: rawBytes(halves) }]]
  }
  return [[name, { dtype: 'F32', shape, bytes: rawBytes(values) }]]
}

/** What MODEL_KEY holds, as JSON. */
export interface CompactHeader {
  readonly floatx: Precision
  /** Names of layers, and of their arrays in Keras' order: they lie by size in the file. */
  readonly layers: readonly (readonly [layer: string, arrays: readonly string[]])[]
  /** The architecture, as `toJson` gives it. */
  readonly document: unknown
}

/** What the tensor of an array is called. */
export const tensorName = (layer: string, array: string): string => `${layer}/${array}`

/** The bytes of a model's file. In `whenIdle` only. */
export function compactFile(model: SavableModel): Uint8Array {
  const layers = model.flattenedLayers.map((layer) => ({ layer, arrays: layer.fileArrays() }))
  const tensors = new Map(
    layers.flatMap(({ layer, arrays }) => {
      const values = readKerasArrays(arrays)
      return arrays.flatMap((array, i) =>
        stored(tensorName(layer.name, array.name), values[i]!, array, layer.floatx),
      )
    }),
  )
  const header: CompactHeader = {
    floatx: layers[0]?.layer.floatx ?? 'float32',
    layers: layers.map(({ layer, arrays }) => [layer.name, arrays.map(({ name }) => name)]),
    document: JSON.parse(model.toJson()),
  }
  return safetensorsOf({ [MODEL_KEY]: JSON.stringify(header) }, tensors)
}
