/**
 * Models that PyTorch exports to ONNX, and nodes by hand, with what onnxruntime computes
 * (test/golden/README.md); what no layer computes is refused by the name of its node.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { onnxBytes } from '../../lib/saving/onnx/messages.js'
import { OPERATORS, OPSETS } from '../../lib/saving/onnx/read.js'
import { readNpy } from '../../lib/utils.js'
import { expectAllSameBits } from '../arrays.js'
import { type Entry, Recorded } from '../golden/recorded.js'
import { loadModel, type LSTM, type Model, Sequential } from '../package.js'

const recorded = new Recorded('onnx/files.zip')
const operators = new Recorded('onnx/operators.zip')
afterAll(() => {
  recorded.remove()
  operators.remove()
})

/** Files that onnxruntime reads and no layer here computes, by what they have. */
const LACKING = [
  'n_lstm_act_bi.onnx',
  'n_lstm_act_gh.onnx',
  'n_lstm_all_outputs.onnx',
  'n_lstm_clip.onnx',
  'n_lstm_h0_const.onnx',
  'n_lstm_h0_input.onnx',
  'n_lstm_input_forget.onnx',
  'n_lstm_lens_const.onnx',
  'n_lstm_lens_input.onnx',
  'n_lstm_raw.onnx',
  'n_lstm_reverse.onnx',
  'n_rnn_act_bi.onnx',
  'td_layer_norm.onnx',
  'tl_layer_norm.onnx',
  'tl_lstm_time_first.onnx',
]
/** Its words are counted from the end, which no Embedding allows. */
const NEGATIVE = 'g_gather_int32.onnx'

const isRead = ({ expected, file }: Entry) =>
  expected === 'loads' && !LACKING.includes(file) && file !== NEGATIVE
const pairs = (isWanted: (entry: Entry) => boolean) =>
  recorded.files.filter(isWanted).map((entry) => [entry.file, entry] as const)
const load = ({ file }: Entry) => loadModel<Model>(recorded.at(file))

describe('models in ONNX', () => {
  it.each(pairs(isRead))('%s: the model computes what onnxruntime does', async (_, entry) => {
    const model = await load(entry)
    await recorded.checkOutputs(model, entry)
    // and is a model of layers, that a file of Keras' layout keeps
    await model.save(recorded.at('copy.h5'))
    await recorded.checkOutputs(await loadModel<Model>(recorded.at('copy.h5')), entry)
  })

  it.each(pairs((entry) => !isRead(entry) && entry.file !== NEGATIVE))(
    '%s is refused',
    async (_, entry) => recorded.checkRefusal(load(entry), entry),
  )

  it.each(operators.files.map((entry) => [`${entry.file}: ${entry.what}`, entry] as const))(
    'operators: %s',
    async (_, entry) => {
      const loading = loadModel<Model>(operators.at(entry.file))
      if (entry.expected === 'loads') await operators.checkOutputs(await loading, entry)
      else await operators.checkRefusal(loading, entry)
    },
  )

  it('words that are counted from the end are refused by predict', async () => {
    const entry = recorded.entry(NEGATIVE)
    const x = await readNpy(recorded.at(entry.input as string))
    await expect((await load(entry)).predict(x as never)).rejects.toThrow(
      /word indices in x .* must be integers from 0 to 19, got -/,
    )
  })

  it('become the layers that a person would write', async () => {
    const layers = async (file: string) =>
      (await load(recorded.entry(file))).layers.map(({ layerClass }) => layerClass.className)
    // the last step of all, h_n of two layers and directions, a bias after a product
    expect(await layers('tl_lstm_2.onnx')).toEqual(['LSTM', 'LSTM', 'Dense'])
    expect(await layers('tl_lstm_bi_2_hidden.onnx')).toEqual([
      'Bidirectional',
      'Bidirectional',
      'Dense',
    ])
    expect(await layers('tl_emb_gru_lm.onnx')).toEqual([
      'Embedding',
      'GRU',
      'GRU',
      'TimeDistributed',
    ])
    const model = await load(recorded.entry('tl_lstm.onnx'))
    expect(model).toBeInstanceOf(Sequential)
    expect((model.layers[0] as LSTM).options.returnSequences).toBe(false)
  })

  it('train on', async () => {
    const model = await load(recorded.entry('tl_lstm_2.onnx'))
    model.compile({ loss: 'mse', optimizer: 'adam' })
    const x = [
      [
        [0, 1, 2, 3],
        [3, 2, 1, 0],
      ],
    ] // prettier-ignore
    const before = await model.trainOnBatch(x, [[1, 0, 0]])
    for (let i = 0; i < 20; i++) await model.trainOnBatch(x, [[1, 0, 0]])
    expect(Number(await model.trainOnBatch(x, [[1, 0, 0]]))).toBeLessThan(Number(before))
  })

  it('weights that the graph cuts and joins are those of the file', async () => {
    // W [1, 4·2, 3] of the gates a b c d comes as [a, d, c, b], which the graph puts in order
    const numbers = (n: number, from: number) =>
      Float32Array.from({ length: n }, (_, i) => Math.sin(i + from))
    const [W, R] = [numbers(24, 0), numbers(16, 9)]
    const gate = (k: number) => W.subarray(6 * k, 6 * k + 6)
    const other = Float32Array.from([0, 3, 2, 1].flatMap((k) => [...gate(k)]))
    const cuts = [0, 3, 2, 1].map((k) => ({
      op: 'Slice',
      name: `cut${k}`,
      inputs: ['W', `at${k}`, `at${k + 1}`, 'axis'],
      outputs: [`gate${k}`],
    }))
    const file = async (name: string, isCut: boolean) => {
      const lstm = { op: 'LSTM', name: 'lstm', inputs: ['x', isCut ? 'V' : 'W', 'R'] }
      const joined = { op: 'Concat', name: 'join', inputs: cuts.map(({ outputs }) => outputs[0]!) }
      const bytes = onnxBytes({
        name: 'g',
        nodes: [
          ...(isCut ? [...cuts, { ...joined, outputs: ['V'], attributes: { axis: 1 } }] : []),
          { ...lstm, outputs: ['all'], attributes: { hidden_size: 2, layout: 1 } },
          { op: 'Squeeze', name: 's', inputs: ['all', 'two'], outputs: ['y'] },
        ],
        tensors: [
          { name: 'W', shape: [1, 8, 3], numbers: isCut ? other : W },
          { name: 'R', shape: [1, 8, 2], numbers: R },
          { name: 'axis', shape: [1], numbers: [1] },
          { name: 'two', shape: [1], numbers: [2] },
          ...[0, 1, 2, 3, 4].map((k) => ({ name: `at${k}`, shape: [1], numbers: [2 * k] })),
        ],
        inputs: [{ name: 'x', type: 1, shape: ['N', 4, 3] }],
        outputs: [{ name: 'y', type: 1, shape: ['N', 4, 2] }],
      })
      writeFileSync(recorded.at(name), bytes)
      return (await loadModel(recorded.at(name))).getWeights()
    }
    expectAllSameBits(await file('cut.onnx', true), await file('whole.onnx', false))
  })

  it('a limit on layers is kept', async () => {
    const path = recorded.at('tl_lstm_2.onnx')
    await expect(loadModel(path, { limits: { layers: 2 } })).rejects.toMatchObject({
      code: 'ERR_LIMIT',
    })
    await expect(loadModel(path, { limits: { values: 20 } })).rejects.toMatchObject({
      code: 'ERR_LIMIT',
    })
    await expect(loadModel(path, { limits: { parameterBytes: 1000 } })).rejects.toMatchObject({
      code: 'ERR_LIMIT',
    })
  })

  it('the guide lists the operators and opsets that are read', () => {
    const guide = readFileSync(new URL('../../docs/interop.md', import.meta.url), 'utf8')
    const listed = /^Operators: (.*)\.$/m.exec(guide)?.[1]?.split(', ')
    expect(listed).toEqual(OPERATORS.map((op) => `\`${op}\``))
    expect(guide).toContain(`opsets ${OPSETS[0]} to ${OPSETS[1]}`)
  })
})
