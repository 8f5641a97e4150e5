/** Models as Keras 3 writes them into .keras files (archive.ts, weights.ts). */
import type { WriteOptions } from '../../files/atomic.js'
import { writeFileAtomic } from '../../files/atomic.js'
import { zipped } from '../../files/zip.js'
import { H5Builder, h5Bytes } from '../../hdf5/file.js'
import type { LayerConfig } from '../../layers/base/layer.js'
import { type Config, isObject } from '../keras2/rule.js'
import { trainingToKeras2 } from '../keras2/training-out.js'
import { type Later, laterModel } from '../keras2/write.js'
import { KERAS3 } from '../keras2/written.js'
import type { SavableModel } from '../savable.js'
import { movable } from '../weights.js'
import { CONFIG, METADATA, WEIGHTS } from './archive.js'
import { numbered } from './weights.js'

/** The version whose layout is written. */
const KERAS3_VERSION = '3.15.1'

/** The modules of what a setting names. */
const MODULES: readonly (readonly [key: RegExp, module: string])[] = [
  [/_initializer$/, 'keras.initializers'],
  [/_regularizer$/, 'keras.regularizers'],
  [/_constraint$/, 'keras.constraints'],
  [/^layers?$/, 'keras.layers'],
]

/** Settings of Keras 2 that have another name in Keras 3. */
const KEYS: Readonly<Record<string, string>> = {
  batch_input_shape: 'batch_shape',
  alpha: 'negative_slope',
}

/** A value of a configuration of Keras 2, as Keras 3 writes it: with the module of each class. */
function wrapped(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value.map((each) => wrapped(each, key))
  if (!isObject(value)) return value
  const module = MODULES.find(([pattern]) => pattern.test(key))?.[1]
  if (typeof value.class_name !== 'string' || !isObject(value.config) || !module) return value
  const { class_name: name, config, ...rest } = value
  const renamed = Object.entries(config).map(([own, each]) => {
    const isRenamed = Object.hasOwn(KEYS, own) && (own !== 'alpha' || name === 'LeakyReLU')
    return [isRenamed ? KEYS[own] : own, wrapped(each, own)]
  })
  return {
    module,
    class_name: name,
    config: Object.fromEntries(renamed),
    registered_name: null,
    ...rest,
  }
}

/** A list of one tensor as that tensor. */
const only = (tensors: unknown): unknown =>
  Array.isArray(tensors) && tensors.length === 1 ? tensors[0] : tensors

function documentOf({ document }: Later): Config {
  const { class_name: name, config } = document
  const { input_layers: inputs, output_layers: outputs } = config
  const graph =
    name === 'Functional' ? { input_layers: only(inputs), output_layers: only(outputs) } : {}
  return {
    module: name === 'Functional' ? 'keras.src.models.functional' : 'keras',
    class_name: name,
    config: { ...config, layers: wrapped(config.layers, 'layers'), trainable: true, ...graph },
    registered_name: name === 'Functional' ? name : null,
  }
}

function compileConfig(training: Config): Config {
  const { optimizer_config: optimizer, ...rest } = training
  return {
    optimizer: { module: 'keras.optimizers', registered_name: null, ...(optimizer as Config) },
    ...rest,
    run_eagerly: false,
    steps_per_execution: 1,
    jit_compile: false,
  }
}

/** The numbers of the layers, in Keras 3's places. */
function weightsContent({ layers }: Later): H5Builder {
  const content = new H5Builder()
  content.group('vars')
  const own = layers.filter(({ written }) => written.class_name !== 'InputLayer')
  const keys = numbered(own.map(({ written }) => written.class_name))
  for (const [i, { written, arrays }] of own.entries()) {
    const group = `layers/${keys[i]}`
    content.group(`${group}/vars`).set('name', String((written as LayerConfig).config.name))
    const counts = new Map<string, number>()
    for (const { place, value } of arrays) {
      const vars = [group, ...place, 'vars'].join('/')
      const count = counts.get(vars) ?? 0
      counts.set(vars, count + 1)
      content.dataset(`${vars}/${count}`, movable(value))
    }
  }
  return content
}

/** A .keras file under construction. */
export interface Archive {
  readonly texts: Readonly<Record<string, string>>
  readonly weights: H5Builder
}

/** Copies of all that a .keras file holds of a model. In `whenIdle` only. */
export function keras3Archive(model: SavableModel): Archive {
  const later = laterModel(model, KERAS3)
  const training = trainingToKeras2(model.compiled, KERAS3)
  const document = {
    ...documentOf(later),
    ...(training ? { compile_config: compileConfig(training) } : {}),
  }
  // a date would make two files of one model differ
  const metadata = { keras_version: KERAS3_VERSION, date_saved: '1980-01-01@00:00:00' }
  const texts = { [METADATA]: JSON.stringify(metadata), [CONFIG]: JSON.stringify(document) }
  return { texts, weights: weightsContent(later) }
}

/** @throws ConfigError, FormatError as `writeH5` */
export async function writeArchive(
  path: string,
  archive: Archive,
  options: WriteOptions,
): Promise<void> {
  const { texts, weights } = archive
  const encoder = new TextEncoder()
  const files = Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, encoder.encode(text)]),
  )
  const bytes = await zipped({ ...files, [WEIGHTS]: await h5Bytes(path, weights) })
  await writeFileAtomic(path, bytes, options)
}
