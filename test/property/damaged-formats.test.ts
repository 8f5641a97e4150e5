/**
 * Files of other programs, damaged: they load or are refused by name; nothing crashes, hangs or
 * takes the memory. `HS_RUNS=20000` is the long form.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, expect } from 'vitest'
import { writeNpz } from '../../lib/utils.js'
import { Recorded } from '../golden/recorded.js'
import { Dense, FormatError, loadModel, LSTM, Sequential } from '../package.js'
import { torchSequential } from '../torch-modules.js'
import { anyChanges, damaged } from './damage.js'
import { law } from './law.js'

const folder = mkdtempSync(path.join(tmpdir(), 'hs-damaged-formats-'))
const pt = new Recorded('torch/pt.zip')
const safetensors = new Recorded('torch/safetensors.zip')
const onnx = new Recorded('onnx/files.zip')
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
  onnx.remove()
  pt.remove()
  safetensors.remove()
})

/** What damage may cost: the files weigh some kilobytes. */
const MEMORY = 256 * 2 ** 20
const TIME = 1000

/** Loads bytes; the model, or null where they were refused as they must be. */
async function load(
  bytes: Uint8Array,
  architecture?: () => Sequential,
): Promise<Sequential | null> {
  const file = path.join(folder, 'damaged')
  writeFileSync(file, bytes)
  const before = process.memoryUsage().rss
  const start = performance.now()
  const options = architecture ? { architecture: architecture() } : {}
  const model = await loadModel(file, options).catch((error: unknown) => {
    expect((error as { code?: string }).code, String((error as Error).stack)).toMatch(/^ERR_/)
    expect(error).toBeInstanceOf(FormatError)
    return null
  })
  expect(performance.now() - start, 'milliseconds').toBeLessThan(TIME)
  expect(process.memoryUsage().rss - before, 'bytes').toBeLessThan(MEMORY)
  return model as Sequential | null
}

const module = (of: Recorded, file: string) =>
  JSON.parse(readFileSync(of.at(of.entry(file).architecture!), 'utf8'))

const weights = (of: Recorded, name: string, files: readonly string[]) =>
  law(
    `${name} with damage anywhere`,
    fc.record({ file: fc.constantFrom(...files), changes: anyChanges }),
    async ({ file, changes }) => {
      const bytes = damaged(readFileSync(of.at(file)), changes)
      ;(await load(bytes, () => torchSequential(module(of, file))))?.dispose()
    },
    4,
  )

weights(pt, 'a .pt', ['lstm.pt', 'gru_2_bi.pt', 'w_checkpoint.pt', 'w_views.pt', 'w_legacy.pt'])
weights(safetensors, 'safetensors', ['lstm.safetensors', 'gru_2_bi.safetensors'])

law(
  'a .npz with damage anywhere',
  fc.record({ changes: anyChanges, compressed: fc.boolean() }),
  async ({ changes, compressed }) => {
    const npz = path.join(folder, 'whole.npz')
    const weights = {
      'd.weight': [
        [1, 2],
        [3, 4],
      ],
      'd.bias': [5, 6],
    }
    await writeNpz(npz, weights, { compressed })
    const args = { in_features: 2, out_features: 2 }
    const one = { modules: [{ name: 'd', type: 'Linear', args }], head: 'last' }
    const bytes = damaged(readFileSync(npz), changes)
    ;(await load(bytes, () => torchSequential(one)))?.dispose()
  },
  4,
)

law(
  'a model of few bits with damage anywhere',
  fc.record({ changes: anyChanges, to: fc.constantFrom('int8' as const, 'bfloat16' as const) }),
  async ({ changes, to }) => {
    const file = path.join(folder, `${to}.safetensors`)
    if (!existsSync(file)) {
      const model = new Sequential([new LSTM(3, { inputShape: [4, 2] }), new Dense(2)])
      await (await model.quantize(to)).save(file)
    }
    ;(await load(damaged(readFileSync(file), changes)))?.dispose()
  },
  4,
)

law(
  'an ONNX file with damage anywhere',
  fc.record({
    file: fc.constantFrom(
      'td_lstm_2.onnx',
      'tl_lstm_bi_2_hidden.onnx',
      'g_conv.onnx',
      'g_matmul.onnx',
      'n_lstm_act_alpha.onnx',
      'tl_norm_head.onnx',
    ),
    changes: anyChanges,
  }),
  async ({ file, changes }) => {
    ;(await load(damaged(readFileSync(onnx.at(file)), changes)))?.dispose()
  },
  8,
)
