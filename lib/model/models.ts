/** Models from files and texts. Keras 1.2.2 `keras.models`. */
import { FormatError } from '../errors.js'
import { withParameterBytes } from '../layers/base/weights.js'
import {
  checkDocument,
  checkJson,
  type Limits,
  type ResolvedLimits,
  resolveLimits,
} from '../limits.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { type LoadModelOptions, readModel } from '../saving/model-files.js'
import { modelDocument, type ModelDocument } from '../saving/document.js'
import { Model } from './model.js'
import { Sequential } from './sequential.js'
import { parseYaml } from '../yaml/parse.js'

/** Options of {@link modelFromJson} and {@link modelFromYaml}. */
export interface ModelTextOptions {
  /** What the text may ask for at most. Default: see {@link Limits}. */
  limits?: Limits | undefined
}

function limitsOf(where: string, options: ModelTextOptions | undefined): ResolvedLimits {
  return resolveLimits(
    where,
    resolveOptions(where, { limits: {} as Limits | undefined }, options).limits,
  )
}

/** @throws FormatError ERR_FILE_FORMAT, ERR_LIMIT */
function fromDocument(where: string, document: unknown, limits: ResolvedLimits): Model {
  const read = modelDocument(where, document)
  return withParameterBytes(limits.parameterBytes, () => build(read))
}

const build = ({ className, config }: ModelDocument): Model =>
  className === 'Sequential'
    ? Sequential.fromConfig(config as readonly unknown[])
    : Model.fromConfig(config)

/**
 * A model, with new weights, from the JSON of `toJson` or of Keras 1.x.
 *
 * @param options `limits`: what the text may ask for at most
 * @throws FormatError ERR_FILE_FORMAT for a text that is no such JSON, ERR_LIMIT for one that asks
 *   for more than the limits allow; ConfigError ERR_OPTION, ERR_UNKNOWN_NAME; ShapeError ERR_SHAPE
 * @example
 * import { Dense, modelFromJson, Sequential } from 'hiddenstate'
 * const json = new Sequential([new Dense(2, { inputDim: 3 })]).toJson()
 * console.log(modelFromJson(json).outputShape) // [ null, 2 ]
 * @see keras.models.model_from_json
 */
export function modelFromJson<M extends Model = Sequential>(
  json: string,
  options?: ModelTextOptions,
): M {
  const limits = limitsOf('modelFromJson', options)
  if (typeof json === 'string') checkJson('modelFromJson', json, limits)
  let document: unknown
  try {
    document = JSON.parse(json)
  } catch (cause) {
    throw new FormatError(
      'ERR_FILE_FORMAT',
      `modelFromJson: text must be JSON, got ${describe(json)}: ${(cause as Error).message}.`,
      {
        expected: 'JSON',
        actual: describe(json),
        cause,
      },
    )
  }
  checkDocument('modelFromJson', document, limits)
  return fromDocument('modelFromJson', document, limits) as M
}

/**
 * A model, with new weights, from the YAML of `toYaml` or of Keras 1.x.
 *
 * @param options `limits`: what the text may ask for at most
 * @throws FormatError ERR_FILE_FORMAT, ERR_LIMIT;
 *   ConfigError ERR_OPTION, ERR_UNKNOWN_NAME; ShapeError ERR_SHAPE
 * @example
 * import { Dense, modelFromYaml, Sequential } from 'hiddenstate'
 * const yaml = new Sequential([new Dense(2, { inputDim: 3 })]).toYaml()
 * console.log(modelFromYaml(yaml).outputShape) // [ null, 2 ]
 * @see keras.models.model_from_yaml
 */
export function modelFromYaml<M extends Model = Sequential>(
  yaml: string,
  options?: ModelTextOptions,
): M {
  const limits = limitsOf('modelFromYaml', options)
  return fromDocument('modelFromYaml', parseYaml(yaml, limits), limits) as M
}

/**
 * A model from a file, told by its bytes: of `model.save`, of this package or of Keras 1.x
 * (architecture, weights, and, when it was compiled, its training configuration with the state of
 * the optimizer), of Keras 2 or 3 (`.h5`, `.keras`), the `model.json` of TensorFlow.js, or ONNX.
 * docs/interop.md says what is read of each.
 *
 * @param options `backend: 'tensorflow'` for a model of Keras 1 that was trained there: kernels of
 *   convolutions, and what the optimizer keeps for them, are turned around. (`'same'` borders of
 *   even windows and of pooling stay those of Theano.) A file of Keras 2 says itself where it is
 *   from. `limits`: what the file may ask for at most.
 *   `architecture`: for weights of PyTorch (safetensors, `.pt`, `.npz`), the model that gets them
 * @throws FormatError ERR_FILE_FORMAT (as a rejection), naming what is wrong in the file,
 *   ERR_LIMIT; ConfigError ERR_OPTION
 * @example
 * import { Dense, loadModel, Sequential } from 'hiddenstate'
 * import { rm } from 'node:fs/promises'
 * await new Sequential([new Dense(2, { inputDim: 3 })]).save('example-model.h5')
 * const model = await loadModel('example-model.h5')
 * console.log(model.outputShape) // [ null, 2 ]
 * await rm('example-model.h5')
 * @see keras.models.load_model
 */
export async function loadModel<M extends Model = Sequential>(
  path: string,
  options?: LoadModelOptions,
): Promise<M> {
  return (await readModel(path, build, options)) as M
}
