/**
 * Models as layers models of TensorFlow.js: a `model.json` and shards beside it, as the converter
 * of tfjs 4.22 makes them. tfjs-converter/python/tensorflowjs/write_weights.py.
 */
import { basename, dirname, extname, join } from 'node:path'
import { type WriteOptions, writeFileAtomic } from '../../files/atomic.js'
import { trainingToKeras2 } from '../keras2/training-out.js'
import { KERAS2_VERSION, laterModel } from '../keras2/write.js'
import { TFJS } from '../keras2/written.js'
import type { SavableModel } from '../savable.js'

/** Bytes of a shard at most, which browsers keep in their cache. */
const SHARD_BYTES = 4 * 2 ** 20

/** A layers model under construction. */
export interface LayersModel {
  readonly topology: Readonly<Record<string, unknown>>
  readonly weights: readonly { name: string; shape: readonly number[]; dtype: 'float32' }[]
  /** The numbers of all weights, one after the other. */
  readonly numbers: Uint8Array
}

/** Copies of all that a layers model holds of a model. In `whenIdle` only. */
export function layersModel(model: SavableModel): LayersModel {
  const { document, layers } = laterModel(model, TFJS)
  const arrays = layers.flatMap(({ written, arrays: own }) =>
    own.map(({ name, value }) => ({ name: `${written.config.name}/${name}`, value })),
  )
  const numbers = new Float32Array(arrays.reduce((sum, { value }) => sum + value.size, 0))
  let at = 0
  for (const { value } of arrays) {
    numbers.set(value.data, at)
    at += value.size
  }
  const training = trainingToKeras2(model.compiled, TFJS)
  const topology = {
    keras_version: KERAS2_VERSION,
    backend: 'tensorflow',
    model_config: document,
    ...(training ? { training_config: training } : {}),
  }
  return {
    topology,
    weights: arrays.map(({ name, value }) => ({ name, shape: value.shape, dtype: 'float32' })),
    numbers: new Uint8Array(numbers.buffer),
  }
}

/**
 * Writes the shards, then the file that names them. Shards of a `model.json` are called as the
 * converter calls them, those of another name after it, so that models can share a folder.
 *
 * @throws as writeFileAtomic
 */
export async function writeLayersModel(
  path: string,
  { topology, weights, numbers }: LayersModel,
  options: WriteOptions,
): Promise<void> {
  const stem = basename(path, extname(path))
  const prefix = stem === 'model' ? '' : `${stem}-`
  const count = Math.max(1, Math.ceil(numbers.length / SHARD_BYTES))
  const paths = Array.from(
    { length: count },
    (_, i) => `${prefix}group1-shard${i + 1}of${count}.bin`,
  )
  for (const [i, name] of paths.entries()) {
    const shard = numbers.subarray(i * SHARD_BYTES, (i + 1) * SHARD_BYTES)
    await writeFileAtomic(join(dirname(path), name), shard, options)
  }
  const json = {
    format: 'layers-model',
    generatedBy: `keras v${KERAS2_VERSION}`,
    convertedBy: 'hiddenstate',
    modelTopology: topology,
    weightsManifest: [{ paths, weights }],
  }
  await writeFileAtomic(path, JSON.stringify(json), options)
}
