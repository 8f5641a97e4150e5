/**
 * The table of writers: every format that a model can be saved in. `model.save` writes those with
 * a `model`, `model.saveWeights` those with `weights`, `hiddenstate convert` all of them.
 */
import { basename, extname } from 'node:path'
import { checkOneOf } from '../call-options.js'
import { ConfigError, fail } from '../errors.js'
import { checkedPath, writeFileAtomic, type WriteOptions } from '../files/atomic.js'
import { writeNpz } from '../files/npy.js'
import { type H5Builder, writeH5 } from '../hdf5/file.js'
import { readKerasArrays } from '../layers/base/variable.js'
import type { NDArray } from '../ndarray.js'
import { compactFile } from './compact/write.js'
import { modelContent, weightsContent } from './keras1.js'
import { keras2Content } from './keras2/write.js'
import { keras3Archive, writeArchive } from './keras3/write.js'
import { writeOnnx } from './onnx/write.js'
import type { SavableModel } from './savable.js'
import { layersModel, writeLayersModel } from './tfjs/write.js'
import { torchModule, type TorchTensors } from './torch/write-module.js'
import { ptBytes, safetensorsBytes } from './torch/write-tensors.js'

/**
 * Writes what was copied of a model.
 *
 * @returns a text that goes with the file, where there is one: the program that reads it
 */
export type Write = (path: string, options: WriteOptions) => Promise<void> | Promise<string>
/**
 * Copies what a format holds of a model, while no batch of it runs, and gives what writes it while
 * the model may train on.
 */
export type Copy = (model: SavableModel) => Write

/** A format. It has one of `model`, `weights` and `architecture` at least. */
export interface Format {
  /**
   * Of its files, in small letters. Of formats with one ending in common the first is meant that
   * holds what is wanted.
   */
  readonly endings: readonly string[]
  /** Whether `format` must name it: its ending says something else. */
  readonly named?: boolean
  /** What it is, for `--help`. */
  readonly what: string
  readonly model?: Copy
  readonly weights?: Copy
  readonly architecture?: Copy
}

export type Part = 'model' | 'weights' | 'architecture'

const bytes =
  (content: Uint8Array | string): Write =>
  (path, options) =>
    writeFileAtomic(path, content, options)

const h5 =
  (content: H5Builder): Write =>
  (path, options) =>
    writeH5(path, content, options)

/** Every array of Keras' own name, `lstm_1/lstm_1_W_i`, as it lies in an HDF5 file. */
const namedWeights = ({ flattenedLayers }: SavableModel): Map<string, NDArray> =>
  new Map(
    flattenedLayers.flatMap((layer) => {
      const arrays = layer.fileArrays()
      const values = readKerasArrays(arrays)
      return arrays.map(({ name }, i) => [`${layer.name}/${name}`, values[i]!])
    }),
  )

/** Weights for PyTorch, and the module that has them. */
const torchWeights =
  (contentOf: (tensors: TorchTensors) => Uint8Array | Promise<Uint8Array>): Copy =>
  (model) => {
    const { source, tensors } = torchModule(model)
    return async (path, options) => {
      await writeFileAtomic(path, await contentOf(tensors), options)
      return source
    }
  }

export const FORMATS = {
  keras1: {
    endings: ['.h5', '.hdf5'],
    what: 'the whole model, as Keras 1.2.2 writes it',
    model: (model) => h5(modelContent(model)),
    weights: (model) => h5(weightsContent(model)),
  },
  keras2: {
    endings: ['.h5', '.hdf5'],
    what: 'the model, as Keras 2 writes it',
    model: (model) => h5(keras2Content(model)),
  },
  keras3: {
    endings: ['.keras'],
    what: 'the model, as Keras 3 writes it',
    model: (model) => {
      const archive = keras3Archive(model)
      return (path, options) => writeArchive(path, archive, options)
    },
  },
  onnx: {
    endings: ['.onnx'],
    what: 'the model as it predicts',
    model: (model) => bytes(writeOnnx(model)),
  },
  pytorch: {
    endings: ['.pt', '.pth'],
    what: "the weights, as PyTorch's state_dict",
    weights: torchWeights(ptBytes),
  },
  safetensors: {
    endings: ['.safetensors'],
    what: "the same, under PyTorch's names",
    weights: torchWeights(safetensorsBytes),
  },
  compact: {
    endings: ['.safetensors'],
    what: 'the model as it predicts, for this package; quantized weights in 1 or 2 bytes',
    model: (model) => bytes(compactFile(model)),
  },
  python: {
    endings: ['.py'],
    what: "the architecture, as PyTorch's module of those weights",
    architecture: (model) => bytes(torchModule(model).source),
  },
  npz: {
    endings: ['.npz'],
    what: "the weights, under Keras' names",
    weights: (model) => {
      const arrays = namedWeights(model)
      return (path, options) => writeNpz(path, arrays, options)
    },
  },
  json: {
    endings: ['.json'],
    what: 'the architecture',
    architecture: (model) => bytes(model.toJson()),
  },
  tfjs: {
    endings: ['.json'],
    named: true,
    what: 'the model, as a layers model of TensorFlow.js, with shards beside it',
    model: (model) => {
      const written = layersModel(model)
      return (path, options) => writeLayersModel(path, written, options)
    },
  },
  yaml: {
    endings: ['.yaml', '.yml'],
    what: 'the architecture',
    architecture: (model) => bytes(model.toYaml()),
  },
} satisfies Readonly<Record<string, Format>>

/** The formats, by name. */
export type FormatName = keyof typeof FORMATS

const ENTRIES = Object.entries(FORMATS) as [FormatName, Format][]

/** What users call the formats. */
export const FORMAT_NAMES: readonly FormatName[] = ENTRIES.map(([name]) => name)

/** Endings of formats that are not written. */
const FOREIGN = ['.npy', '.pb', '.pkl', '.tflite']

const HINTS: Readonly<Record<Part, string>> = {
  model: 'model.save writes whole models.',
  weights: 'model.saveWeights writes the weights alone.',
  architecture: 'For the architecture alone, write the text of model.toJson() or model.toYaml().',
}
const PARTS = Object.keys(HINTS) as Part[]

/** `one that ends with .h5, …`: the endings of formats that hold one of `parts`. */
function endingsOf(parts: readonly Part[]): string {
  const formats = ENTRIES.filter(([, format]) => parts.some((part) => format[part]))
  const endings = new Set(formats.flatMap(([, format]) => format.endings))
  return `one that ends with ${[...endings].join(', ')}`
}

/** What a path is written as. */
interface Target {
  /** What of the model is wanted: of several, the first that the format holds. */
  parts?: readonly Part[]
  /** Default: by the ending of the path. */
  format?: FormatName | undefined
  /** The format of a path whose ending is none of a format's. Default: such a path is an error. */
  otherwise?: FormatName
}

/**
 * What copies a model for a path.
 *
 * @throws ConfigError ERR_OPTION for a format that is not written or holds none of `parts`, and for
 *   a path that ends as the files of another format do
 */
export function copyFor(
  where: string,
  path: unknown,
  { parts = PARTS, format: given, otherwise }: Target,
): Copy {
  const target = checkedPath(where, path)
  const ending = extname(target).toLowerCase()
  const ofEnding = ENTRIES.filter(([, { endings }]) => endings.includes(ending)).map(([n]) => n)
  const refuse = (expected: string, hint?: string): never =>
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'path',
      expected,
      actual: `'${basename(target)}'`,
      hint,
    })
  const holds = (each: FormatName) => {
    const one: Format = FORMATS[each]
    return !one.named && parts.some((part) => one[part])
  }
  const usual =
    ofEnding.find(holds) ?? ofEnding[0] ?? (FOREIGN.includes(ending) ? undefined : otherwise)
  const name = given === undefined ? usual : checkOneOf(where, 'format', given, FORMAT_NAMES)
  if (name === undefined) return refuse(endingsOf(parts))
  const format: Format = FORMATS[name]
  if (ofEnding.length > 0 && !ofEnding.includes(name))
    return refuse(`one that ends with ${format.endings.join(', ')}, as files of '${name}' do`)
  const part = parts.find((each) => format[each])
  if (part) return format[part] as Copy
  return refuse(endingsOf(parts), HINTS[PARTS.find((each) => format[each]) as Part])
}
