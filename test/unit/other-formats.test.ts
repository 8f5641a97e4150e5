/**
 * Files of other formats are refused by their names, whatever they are called. Bytes as the
 * formats' own documents give them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { Dense, loadModel, modelFromJson, Sequential } from '../package.js'

const root = mkdtempSync(path.join(tmpdir(), 'hs-formats-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const zip = (entry: string) => `PK\x03\x04${'\0'.repeat(26)}${entry}`
const length = (n: number) => String.fromCharCode(n, 0, 0, 0, 0, 0, 0, 0)
const json = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'

it.each([
  ['a damaged .keras zip', zip('metadata.json'), /a \.keras zip that is whole, got a damaged one/],
  ['a PyTorch zip', zip('archive/data.pkl'), /got a PyTorch file\./],
  [
    'a PyTorch file of before 1.6',
    '\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.',
    /got a PyTorch file\./,
  ],
  ['a pickle', '\x80\x04\x95\x0a', /got a Python pickle\./],
  ['npz', zip('arr_0.npy'), /got a \.npz of numpy\./],
  ['npy', '\x93NUMPY\x01\0v\0', /got a \.npy of numpy\./],
  ['another zip', zip('readme.txt'), /got a zip\./],
  ['safetensors', `${length(json.length)}${json}\0\0\0\0`, /got a safetensors file\./],
  ['ONNX with a producer', '\x08\x08\x12\x07pytorch', /an ONNX (file\.|model that is whole)/],
  ['ONNX with a graph first', '\x08\x0c\x3a\xa0\x0c\x0a', /an ONNX (file\.|model that is whole)/],
  ['TensorFlow Lite', '\x1c\0\0\0TFL3', /got a TensorFlow Lite file\./],
  [
    'an architecture',
    new Sequential([new Dense(1, { inputDim: 1 })]).toJson(),
    /got JSON\. modelFromJson/,
  ],
  [
    'Git LFS',
    'version https://git-lfs.github.com/spec/v1\noid sha256:0',
    /got a pointer of Git LFS.*git lfs pull/,
  ],
  ['a page', '\n<!DOCTYPE html><html>', /got a web page\./],
  ['gzip', '\x1f\x8b\x08', /got a gzip file\./],
  ['something else', 'a text', /got one without the HDF5 signature\./],
  [
    'JSON after a length that is not its own',
    `${length(200)}${json}`,
    /got one without the HDF5 signature\./,
  ],
  ['eight bytes', length(255), /got one without the HDF5 signature\./],
])('%s', async (name, content, message) => {
  const file = path.join(root, 'model.h5')
  writeFileSync(file, Buffer.from(content, 'latin1'))
  const refused = { code: 'ERR_FILE_FORMAT', message: expect.stringMatching(message) }
  await expect(loadModel(file), name).rejects.toMatchObject(refused)
  await expect(
    new Sequential([new Dense(1, { inputDim: 1 })]).loadWeights(file),
  ).rejects.toMatchObject(refused)
})

it('a tfjs model.json, as text', () => {
  const text =
    '{"format": "layers-model", "modelTopology": {"model_config": {"class_name": "Sequential", "config": []}}}'
  expect(() => modelFromJson(text)).toThrow(
    /must be a model of Keras, got a tfjs model\.json\. loadModel reads it\./,
  )
})
