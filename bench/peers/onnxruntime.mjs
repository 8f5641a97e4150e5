/**
 * ONNX Runtime for Node: `node onnxruntime.mjs THREADS DIR`, the package resolved from DIR. It
 * predicts and does not train.
 */
import { createRequire } from 'node:module'
import path from 'node:path'
import { onnxModel } from './onnx-model.mjs'
import { serve } from './serve.mjs'

const [threads, dir] = process.argv.slice(2)
const ort = createRequire(path.join(dir, 'package.json'))('onnxruntime-node')

/** [B, T, …] → [T, B, …]: what its recurrent operators want. */
function timeMajor(ours, B, T) {
  const width = ours.length / (B * T)
  const theirs = new ours.constructor(ours.length)
  for (let b = 0; b < B; b++)
    for (let t = 0; t < T; t++) {
      const from = (b * T + t) * width
      theirs.set(ours.subarray(from, from + width), (t * B + b) * width)
    }
  return theirs
}

await serve(ort.env.versions.node ?? ort.env.versions.common, async (job, { floats, words }) => {
  const { cell, B, T, D, H, V, stateful } = job
  const session = await ort.InferenceSession.create(onnxModel(job, floats), {
    intraOpNumThreads: Number(threads),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  })
  const x = timeMajor(V > 0 ? words('x') : floats('x'), B, T)
  const feeds = {
    x: V > 0 ? new ort.Tensor('int32', x, [T, B]) : new ort.Tensor('float32', x, [T, B, D]),
  }
  const states = stateful ? (cell === 'lstm' ? ['h', 'c'] : ['h']) : []
  for (const state of states)
    feeds[state] = new ort.Tensor('float32', new Float32Array(B * H), [1, B, H])
  let last
  const step = async () => {
    last = await session.run(feeds)
    for (const state of states) feeds[state] = last[`${state}_0`]
  }
  return { step, outputs: () => last[stateful ? 'h_0' : 'y'].data }
})
