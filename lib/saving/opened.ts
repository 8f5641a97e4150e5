/** Model files of every format, opened: the model as Keras 1 has it, and where its weights are. */
import { formatError, type H5File, readH5Bytes } from '../hdf5/file.js'
import type { Precision } from '../backend.js'
import { KERAS_ZIP, ONNX, SAFETENSORS, TFJS_JSON } from '../hdf5/other-formats.js'
import { checkDocument, type ResolvedLimits } from '../limits.js'
import { isRecord } from '../per-name.js'
import { modelDocument, type ModelDocument } from './document.js'
import { readCompact } from './compact/read.js'
import { inFile } from './in-file.js'
import { readArchive } from './keras3/archive.js'
import { readOnnx } from './onnx/read.js'
import { jsonAttribute, jsonObject } from './training.js'
import { documentOf, trainingOf, weightsOf } from './tfjs/model-json.js'
import { TREE_GROUP } from './tree.js'

/** A model file that is open. */
export interface ModelFile {
  /** With the weights. */
  file: H5File
  /** Where the weights are: '' or 'model_weights'. */
  weights: string
  /** The model, as Keras 1 has it. */
  document: ModelDocument
  /** How it was compiled; null: it was not. */
  training(): Record<string, unknown> | null
  /** The precision that the model is of; absent: that of models that are made now. */
  floatx?: Precision
}

/** What an HDF5 file says of its model. */
function modelConfig(file: H5File, limits: ResolvedLimits): ModelDocument {
  const model = jsonAttribute(file, 'model_config', limits)
  if (model === null) {
    throw formatError(
      file.path,
      '',
      'attribute model_config',
      'there',
      'nothing',
      'A file of saveWeights is for model.loadWeights.',
    )
  }
  checkDocument('model_config', model, limits)
  return modelDocument(`${file.path}: model_config`, model, file.attribute('', 'keras_version'))
}

/** Opens a model.json of TensorFlow.js. */
async function readTfjs<T>(
  path: string,
  bytes: Uint8Array,
  limits: ResolvedLimits,
  use: (opened: ModelFile) => Promise<T>,
): Promise<T> {
  const json = jsonObject(path, '', new TextDecoder().decode(bytes), limits)
  const document = inFile(path, 'modelTopology', () => {
    checkDocument('modelTopology', json.modelTopology, limits)
    return modelDocument(`${path}: modelTopology`, documentOf(path, json), '2.0')
  })
  const file = await weightsOf(path, json)
  return use({ file, weights: TREE_GROUP, document, training: () => trainingOf(json) })
}

/** Opens a model file while `use` runs. @param format as otherFormat() calls it */
export async function readModelFile<T>(
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
  format: string | null,
  limits: ResolvedLimits,
  use: (opened: ModelFile) => Promise<T>,
): Promise<T> {
  if (format === TFJS_JSON) return readTfjs(path, bytes, limits, use)
  if (format === ONNX) {
    const { file, document } = readOnnx(path, bytes, limits)
    return use({ file, weights: TREE_GROUP, document, training: () => null })
  }
  if (format === SAFETENSORS)
    return use({ ...readCompact(path, bytes, limits), weights: TREE_GROUP, training: () => null })
  if (format !== KERAS_ZIP)
    return readH5Bytes(path, bytes, (file) => {
      const document = inFile(path, 'model_config', () => modelConfig(file, limits))
      const training = () => jsonAttribute(file, 'training_config', limits)
      return use({ file, weights: 'model_weights', document, training })
    })
  const { config, version, weights } = await readArchive(path, bytes, limits)
  const document = inFile(path, 'config.json', () => {
    checkDocument('config.json', config, limits)
    return modelDocument(`${path}: config.json`, config, version)
  })
  const { compile_config: compiled } = config
  const training = () => (isRecord(compiled) && 'loss' in compiled ? compiled : null)
  return readH5Bytes(path, weights, (file) =>
    use({ file: file.withSlashes(), weights: '', document, training }),
  )
}
