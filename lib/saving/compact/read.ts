/** Reads what write.ts has written: a model in a file of safetensors. */
import type { Precision } from '../../backend.js'
import { formatError, type H5File } from '../../hdf5/file.js'
import { INTO_ARCHITECTURE, SAFETENSORS } from '../../hdf5/other-formats.js'
import { checkDocument, type ResolvedLimits } from '../../limits.js'
import { describe, shapeText } from '../../ndarray.js'
import { modelDocument, type ModelDocument } from '../document.js'
import { inFile } from '../in-file.js'
import { KERAS_VERSION } from '../layout.js'
import { MODEL_KEY, readSafetensors } from '../torch/safetensors.js'
import type { Tensor, Tensors } from '../torch/tensor.js'
import { jsonObject } from '../training.js'
import { type LayerArray, treeOf } from '../tree.js'
import { fromIntegers, linesOf } from './rounding.js'
import { type CompactHeader, scalesOf, tensorName } from './write.js'

const PRECISIONS: readonly Precision[] = ['float32', 'float64', 'mixed_bfloat16', 'mixed_int8']

/** A model of such a file. */
export interface CompactModel {
  /** Its weights, as a tree. */
  readonly file: H5File
  readonly document: ModelDocument
  readonly floatx: Precision
}

/**
 * @throws FormatError ERR_FILE_FORMAT for a damaged file, and for one of weights alone; ERR_LIMIT
 */
export function readCompact(path: string, bytes: Uint8Array, limits: ResolvedLimits): CompactModel {
  const { metadata, tensors } = readSafetensors(path, bytes, limits)
  const text = metadata?.[MODEL_KEY]
  if (typeof text !== 'string')
    throw formatError(
      path,
      '',
      'file',
      'one that model.save has written',
      SAFETENSORS,
      INTO_ARCHITECTURE,
    )
  const header: Partial<Record<keyof CompactHeader, unknown>> = jsonObject(
    path,
    MODEL_KEY,
    text,
    limits,
  )
  const { floatx, layers, document: config } = header
  if (!PRECISIONS.includes(floatx as Precision))
    throw formatError(
      path,
      MODEL_KEY,
      'floatx',
      `one of ${PRECISIONS.join(', ')}`,
      describe(floatx),
    )
  const document = inFile(path, MODEL_KEY, () => {
    checkDocument('document', config, limits)
    return modelDocument(`${path}: ${MODEL_KEY}`, config)
  })
  const says = { keras_version: KERAS_VERSION }
  const file = treeOf(path, arraysOf(path, layers, tensors), says)
  return { file, document, floatx: floatx as Precision }
}

/** The arrays of each layer, in Keras' order. @throws FormatError ERR_FILE_FORMAT */
function arraysOf(path: string, layers: unknown, tensors: Tensors): Map<string, LayerArray[]> {
  const wrong = (what: string, expected: string, actual: string): never => {
    throw formatError(path, MODEL_KEY, what, expected, actual)
  }
  const isName = (name: unknown): name is string => typeof name === 'string'
  const isLayer = (entry: unknown): entry is [string, string[]] =>
    Array.isArray(entry) && isName(entry[0]) && Array.isArray(entry[1]) && entry[1].every(isName)
  if (!Array.isArray(layers) || !layers.every(isLayer))
    return wrong('layers', 'names of layers and of their arrays', describe(layers))
  const arrayOf = (layer: string, name: string): LayerArray => {
    const whole = tensorName(layer, name)
    const tensor =
      tensors.get(whole) ?? wrong('tensors', `one called ${whole.slice(0, 200)}`, 'none')
    const scale = tensors.get(scalesOf(whole))
    const read = scale
      ? () => scaled(path, whole.slice(0, 200), tensor, scale)
      : () => tensor.read()
    return { name, shape: tensor.shape, read }
  }
  return new Map(layers.map(([layer, names]) => [layer, names.map((name) => arrayOf(layer, name))]))
}

/** @throws FormatError ERR_FILE_FORMAT for scales that do not fit */
function scaled(path: string, name: string, tensor: Tensor, scale: Tensor): Float32Array {
  const { shape } = tensor
  const fits = (['columns', 'rows', 'matrices'] as const)
    .map((scales) => (shape.length > 1 ? linesOf(shape, scales) : null))
    .find((lines) => lines && lines.shape.join() === scale.shape.join())
  if (!fits)
    throw formatError(
      path,
      name,
      'shape of its scales',
      `that of the array, ${shapeText(shape)}, with 1 for all axes that share a scale`,
      shapeText(scale.shape),
    )
  return fromIntegers(tensor.read(), scale.read(), fits)
}
