/**
 * Models and weights from files. Reading takes the configuration first, then the shapes that follow
 * from it, then data of exactly those shapes.
 */
import { floatx, withFloatx } from '../backend.js'
import { checkedPath } from '../files/atomic.js'
import { checkBoolean } from '../call-options.js'
import { ConfigError, fail, FormatError, HiddenstateError, InternalError } from '../errors.js'
import { readBytes, readH5, readH5Bytes } from '../hdf5/file.js'
import { KERAS_ZIP, otherFormat, SAFETENSORS } from '../hdf5/other-formats.js'
import { readCompact } from './compact/read.js'
import type { KerasArray } from '../layers/base/variable.js'
import { withoutInitialization } from '../layers/base/filled-later.js'
import { withParameterBytes } from '../layers/base/weights.js'
import { checkDocument, type Limits, type ResolvedLimits, resolveLimits } from '../limits.js'
import { describe } from '../ndarray.js'
import { needsCounts, optimizerOrder } from '../engine/optimizer-state.js'
import { resolveOptions } from '../options.js'
import { asHere, type Backend, checkBackend } from './kernels.js'
import { type Generation, modelDocument, type ModelDocument } from './document.js'
import { readArchive } from './keras3/archive.js'
import type { SavableModel } from './savable.js'
import { compileOptions, countsOf, jsonObject, readState } from './training.js'
import { inFile, stepsInFile } from './in-file.js'
import { type ModelFile, readModelFile } from './opened.js'
import { treeOfStateDict } from './torch/state-dict.js'
import { readTensors } from './torch/tensors.js'
import { TREE_GROUP } from './tree.js'
import { readLayers } from './weights.js'
import { runAtOnce, runInSlices, type SlicedWork } from '../sliced-work.js'

/** Options of `model.loadWeights`. */
export interface LoadWeightsOptions {
  /**
   * True: only layers whose names are in the file, in any order. Default `false`: all layers with
   * weights, in order.
   */
  byName?: boolean | undefined
  /**
   * Where the weights were trained: kernels of convolutions from `'tensorflow'` are flipped.
   * Default: what a file of Keras 2 says, else `'theano'`.
   */
  backend?: Backend | undefined
}

/** Options of {@link loadModel}. */
export interface LoadModelOptions {
  /**
   * False: architecture and weights alone; the file's optimizer, loss and metrics are ignored.
   * Default `true`: compiled as it was saved. A name in the file that this package does not know
   * leaves the model uncompiled, with a process warning `HIDDENSTATE_NOT_COMPILED`; `fit` says then
   * what is missing.
   */
  compile?: boolean | undefined
  /**
   * Where the model was trained: kernels of convolutions from `'tensorflow'` are flipped. Default:
   * what a file of Keras 2 says, else `'theano'`.
   */
  backend?: Backend | undefined
  /** What the file may ask for at most. Default: see {@link Limits}. */
  limits?: Limits | undefined
  /**
   * For files with weights alone (PyTorch's `.pt` and safetensors, `.npz`): the model that gets
   * them, which is also the result, or its JSON (`toJson`). Its layers are called as the modules of
   * the file.
   */
  architecture?: SavableModel | string | undefined
  /** The module of each layer that is called otherwise: `{ lstm_1: 'encoder.rnn' }`. */
  names?: Readonly<Record<string, string>> | undefined
}

/**
 * Weights and optimizer state of a file that `save` has written, for the model that it is of. In
 * `whenIdle` only, and so is what it gives.
 *
 * @returns puts them into the model, all or none
 * @throws FormatError ERR_FILE_FORMAT
 */
export async function readTrained(model: SavableModel, path: string): Promise<() => void> {
  return readH5(path, async (file) => {
    const { set } = await readLayers(file, 'model_weights', model.flattenedLayers, false, 'theano')
    const state = await readState(file, () => model.optimizerShapes())
    return () => {
      runAtOnce(set())
      if (state) runAtOnce(model.setOptimizerWeights(state))
    }
  })
}

/**
 * Sets weights from a file of `saveWeights` or `save`, of this package or Keras 1.x; all or none.
 *
 * @throws FormatError ERR_FILE_FORMAT naming file, layer, array, expected and found; StateError
 *   ERR_BUSY when a fit began meanwhile
 * @see keras.models.Sequential.load_weights
 */
export async function loadWeights(
  model: SavableModel,
  path: string,
  options?: LoadWeightsOptions,
): Promise<string[]> {
  const given = resolveOptions(
    'loadWeights',
    { byName: false, backend: undefined as Backend | undefined },
    options,
  )
  const byName = checkBoolean('loadWeights', 'byName', given.byName)
  const backend = checkBackend('loadWeights', given.backend)
  checkedPath('loadWeights', path)
  const limits = resolveLimits('loadWeights', undefined)
  const bytes = await readBytes(path)
  const format = otherFormat(bytes)
  const set = async (read: Promise<{ set: () => SlicedWork<void>; names: string[] }>) => {
    const { set: steps, names } = await read
    await model.whenIdle('loadWeights', () => runAtOnce(steps()), true)
    return names
  }
  const layers = model.flattenedLayers
  if (format === SAFETENSORS) {
    const { file } = readCompact(path, bytes, limits)
    return set(readLayers(file, TREE_GROUP, layers, byName, backend))
  }
  const own = format === KERAS_ZIP ? (await readArchive(path, bytes, limits)).weights : bytes
  return readH5Bytes(path, own, async (file) => {
    const isWhole =
      file.attribute('', 'layer_names') === undefined && file.hasGroup('model_weights')
    return set(readLayers(file, isWhole ? 'model_weights' : '', layers, byName, backend))
  })
}

/**
 * A model from a file of `save`: with its weights, compiled as it was, its optimizer going on where
 * it stopped. A file without training configuration gives a model that is not compiled.
 *
 * @param build makes the model that a configuration describes
 * @throws FormatError ERR_FILE_FORMAT, ERR_LIMIT; ConfigError ERR_OPTION
 */
export async function readModel<M extends SavableModel>(
  path: string,
  build: (document: ModelDocument) => M,
  options?: LoadModelOptions,
): Promise<M> {
  const defaults = {
    backend: undefined as Backend | undefined,
    compile: true,
    limits: {} as Limits | undefined,
    architecture: undefined as SavableModel | string | undefined,
    names: undefined as Readonly<Record<string, string>> | undefined,
  }
  const given = resolveOptions('loadModel', defaults, options)
  const backend = checkBackend('loadModel', given.backend)
  const compile = checkBoolean('loadModel', 'compile', given.compile)
  const limits = resolveLimits('loadModel', given.limits)
  checkedPath('loadModel', path)
  if (given.names !== undefined && given.architecture === undefined)
    fail(ConfigError, 'ERR_OPTION', {
      where: 'loadModel',
      what: 'names',
      expected: 'left out without `architecture`',
      actual: describe(given.names),
    })
  const bytes = await readBytes(path)
  const format = otherFormat(bytes)
  if (given.architecture !== undefined) {
    const model = architectureOf(given.architecture, build, limits)
    const tensors = await readTensors(path, bytes, format, limits)
    const file = treeOfStateDict(path, tensors, model.flattenedLayers, given.names ?? {})
    const { set } = await readLayers(file, 'model_weights', model.flattenedLayers, false, backend)
    await model.whenIdle('loadModel', () => runAtOnce(set()), true)
    return model
  }
  return readModelFile(path, bytes, format, limits, async (opened) => {
    const { document } = opened
    const made = () => withFloatx(opened.floatx ?? floatx(), () => build(document))
    const model = inFile(path, 'model_config', () =>
      withParameterBytes(limits.parameterBytes, () => withoutInitialization(made)),
    )
    try {
      await restore(opened, model, { backend, compile })
    } catch (error) {
      model.dispose()
      throw error
    }
    return model
  })
}

/** The model that is to get the weights of a file. @throws ConfigError, FormatError */
function architectureOf<M extends SavableModel>(
  given: unknown,
  build: (document: ModelDocument) => M,
  limits: ResolvedLimits,
): M {
  if (typeof given === 'string') {
    const document = jsonObject('architecture', '', given, limits)
    checkDocument('architecture', document, limits)
    const read = modelDocument('architecture', document)
    return withParameterBytes(limits.parameterBytes, () => build(read))
  }
  if (typeof given === 'object' && given !== null && 'flattenedLayers' in given) return given as M
  return fail(ConfigError, 'ERR_OPTION', {
    where: 'loadModel',
    what: 'architecture',
    expected: 'a model, or its JSON',
    actual: describe(given),
  })
}

/**
 * Reads weights, training configuration and optimizer state into a new model that nobody else has.
 */
async function restore(
  { file, weights, document: { keras }, training: told }: ModelFile,
  model: SavableModel,
  { backend, compile }: { backend: Backend | undefined; compile: boolean },
): Promise<void> {
  const { path } = file
  const { set } = await readLayers(file, weights, model.flattenedLayers, false, backend)
  await runInSlices(stepsInFile(path, weights, set))
  const training = compile ? told() : null
  if (training === null || !compileAs(path, model, training, keras)) return
  if (keras > 1) {
    // the state of another optimizer has another order and other slots
    if (file.hasGroup('optimizer_weights') || file.hasGroup('optimizer'))
      process.emitWarning(
        `${path}: the optimizer's state is of Keras ${keras}; the optimizer starts anew.`,
        {
          code: 'HIDDENSTATE_KERAS2',
        },
      )
    return
  }
  const state = await readState(file, () => model.optimizerShapes())
  if (!state) return
  // The state of a kernel has the layout of the kernel;
  // the number of iterations, without axes, is first.
  const arrays = optimizerOrder(model.flattenedLayers.flatMap((layer) => layer.kerasArrays()))
  const first = state[0]?.shape.length === 0 ? 1 : 0
  const here = state.map((value, i) =>
    i < first
      ? value
      : asHere(value, arrays[(i - first) % arrays.length] as KerasArray, backend ?? 'theano'),
  )
  await runInSlices(stepsInFile(path, 'optimizer_weights', () => model.setOptimizerWeights(here)))
  const counts = countsOf(path, training)
  if (counts) model.runner.counts = counts
  else if (model.compiled && needsCounts(model.compiled.optimizer)) {
    const message = `${path}: the file does not say how many batches the optimizer has counted; decay and schedule begin anew.`
    process.emitWarning(`${message} Set model.optimizer.iterations to go on.`, {
      code: 'HIDDENSTATE_ITERATIONS',
    })
  }
}

/**
 * Compiles the model as it was.
 *
 * @returns false, after a warning, when the file names what is unknown here
 */
function compileAs(
  path: string,
  model: SavableModel,
  training: Record<string, unknown>,
  keras: Generation,
): boolean {
  try {
    model.compile(compileOptions(training, keras))
    return true
  } catch (error) {
    if (!(error instanceof HiddenstateError) || error instanceof InternalError) throw error
    // A damaged function, not something that a later Keras has.
    if (error instanceof FormatError && keras === 1)
      return inFile(path, 'training_config', () => {
        throw error
      })
    const why = `${path}: training_config: ${error.message.replace(/^training_config: /, '')}`
    model.leaveUncompiled(why)
    const message = `${why} The model is loaded, but not compiled: it predicts; call model.compile to train or evaluate it.`
    process.emitWarning(message, { code: 'HIDDENSTATE_NOT_COMPILED' })
    return false
  }
}
