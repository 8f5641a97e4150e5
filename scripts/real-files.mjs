/**
 * The real-file test (docs/interop.md): loads model files of public repositories, which are no part
 * of this one, and prints the table of docs/interop/real-files.tsv with what came of each.
 *
 *   node scripts/real-files.mjs FOLDER [--list TSV] [--outputs DIR] [--seconds S]
 *
 * FOLDER/OWNER+NAME/PATH is the file PATH of the repository OWNER/NAME at the commit of the list
 * (default: the committed table, of which the last two columns are made anew). Each file is loaded
 * in a process of its own, which has S seconds (default 120), and predicts two random samples.
 * With --outputs these and the predictions lie in DIR/NUMBER.npz, for real_files.py to compare.
 */
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { capture, root } from './process.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: 'string', default: path.join(root, 'docs/interop/real-files.tsv') },
    outputs: { type: 'string' },
    seconds: { type: 'string', default: '120' },
    child: { type: 'boolean', default: false }, // set by this script
  },
})
/** Of an axis that the model leaves open. */
const LENGTH = 12
/** How the result of a child is told from what else it prints. */
const MARK = 'RESULT '

/** Samples for an input [B, …] of a model: words where an Embedding reads them. */
function samples([rows, ...dims], vocabulary) {
  const shape = [rows ?? 2, ...dims.map((extent) => extent ?? LENGTH)]
  const size = shape.reduce((a, b) => a * b)
  let state = 20261201
  const data = Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const from0To1 = state / 2 ** 32
    return vocabulary ? Math.floor(from0To1 * vocabulary) : 2 * from0To1 - 1
  })
  return { data, shape }
}

/** Layers of a model, those inside others too. */
function* layersIn(layers) {
  for (const layer of layers) {
    yield layer
    yield* layersIn(layer.layers ?? (layer.options?.layer ? [layer.options.layer] : []))
  }
}

async function load(file, output) {
  const load = (name) => import(pathToFileURL(path.join(root, 'dist', name)).href)
  const { Embedding, loadModel } = await load('index.js')
  const { writeNpz } = await load('utils.js')
  const model = await loadModel(file)
  const embedded = [...layersIn(model.layers)].filter((layer) => layer instanceof Embedding)
  const words = Math.min(...embedded.map(({ options: { inputDim } }) => inputDim))
  const x = model.inputShapes.map((shape) =>
    samples(shape, embedded.length && shape.length === 2 ? words : undefined),
  )
  const predicted = await model.predict(x.length === 1 ? x[0] : x, { batchSize: x[0].shape[0] })
  const y = Array.isArray(predicted) ? predicted : [predicted]
  const arrays = [...x.map((each, k) => [`x${k}`, each]), ...y.map((each, k) => [`y${k}`, each])]
  if (output) await writeNpz(output, Object.fromEntries(arrays))
  const finite = y.every(({ data }) => data.every(Number.isFinite))
  return finite ? 'loads' : 'predicts numbers that are not finite'
}

if (options.child) {
  const [file, output] = positionals
  const result = await load(file, output).catch(({ name, message }) => `${name}: ${message}`)
  console.log(MARK + result.replaceAll(file, 'FILE').replaceAll(/\s+/g, ' '))
} else {
  const [folder] = positionals
  const [head, ...rows] = fs.readFileSync(options.list, 'utf8').trimEnd().split('\n')
  console.log(head)
  if (options.outputs) fs.mkdirSync(options.outputs, { recursive: true })
  let loaded = 0
  rows.forEach((row, number) => {
    const cells = row.split('\t')
    const [repository, , within] = cells
    const file = path.join(folder, repository.replace('/', '+'), within)
    const output = options.outputs ? [path.join(options.outputs, `${number}.npz`)] : []
    const { output: told } = capture(
      process.execPath,
      [import.meta.filename ?? process.argv[1], '--child', path.resolve(file), ...output],
      { timeout: 1000 * Number(options.seconds) },
    )
    const line = told.split('\n').find((each) => each.startsWith(MARK))
    const result = line?.slice(MARK.length) ?? `no answer: ${told.trim().slice(-200)}`
    if (result === 'loads') loaded++
    console.log([...cells.slice(0, 6), result, cells[7] ?? ''].join('\t'))
  })
  console.error(`${loaded} of ${rows.length} load`)
}
