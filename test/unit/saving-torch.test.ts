/** Weights of PyTorch in each kind of file, and what the modules compute: test/golden/README.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { type Entry, Recorded } from '../golden/recorded.js'
import { resolveLimits } from '../../lib/limits.js'
import { readSafetensors } from '../../lib/saving/torch/safetensors.js'
import { writeNpz } from '../../lib/utils.js'
import { expectAllSameBits } from '../arrays.js'
import { Dense, GRU, loadModel, LSTM, NDArray, Sequential } from '../package.js'
import { torchSequential } from '../torch-modules.js'

const recorded = new Recorded('torch/safetensors.zip')
afterAll(() => recorded.remove())

const pt = new Recorded('torch/pt.zip')
afterAll(() => pt.remove())

const architecture = (of: Recorded, entry: Entry): Sequential =>
  torchSequential(JSON.parse(readFileSync(of.at(entry.architecture!), 'utf8')))
const load = (entry: Entry, of = recorded): Promise<Sequential> =>
  loadModel(of.at(entry.file), { architecture: architecture(of, entry) })
const isHere = ({ file }: Entry) =>
  file !== 'layer_norm.safetensors' && file !== 'lstm_proj.safetensors'
const pairs = (isWanted: (entry: Entry) => boolean) =>
  recorded.files.filter(isWanted).map((entry) => [entry.file, entry] as const)

const lstm = (options: object = {}, names: [string, string] = ['rnn', 'head']) =>
  new Sequential([
    new LSTM(5, { innerActivation: 'sigmoid', inputShape: [null, 4], name: names[0], ...options }),
    new Dense(3, { name: names[1] }),
  ])

describe('weights of PyTorch', () => {
  it.each(pairs((entry) => entry.expected === 'loads' && isHere(entry)))(
    '%s: the model computes what the modules do',
    async (_file, entry) => recorded.checkOutputs(await load(entry), entry),
  )

  it.each(pairs(({ expected, file }) => expected !== 'loads' || file.startsWith('lstm_proj')))(
    '%s is refused',
    async (_file, entry) => recorded.checkRefusal(load(entry), entry),
  )

  const file = recorded.at('lstm.safetensors')

  it('goes by `names` where layers are called otherwise, and into JSON', async () => {
    const names = { a: 'rnn', b: 'head' }
    const model = await loadModel(file, { architecture: lstm({}, ['a', 'b']), names })
    const other = await loadModel(file, { architecture: lstm().toJson() })
    expectAllSameBits(model.getWeights(), other.getWeights())
  })

  it('is refused where a layer computes something else', async () => {
    const hard = lstm({ innerActivation: 'hard_sigmoid' })
    await expect(loadModel(file, { architecture: hard })).rejects.toThrow(
      /rnn \(LSTM\): innerActivation must be 'sigmoid', as in PyTorch, got hard_sigmoid/,
    )
    await expect(loadModel(file, { architecture: lstm({ activation: 'relu' }) })).rejects.toThrow(
      /rnn \(LSTM\): activation must be 'tanh', as in PyTorch, got relu/,
    )
    const before = hard.getWeights()
    const gru = new Sequential([
      new GRU(5, { innerActivation: 'sigmoid', inputShape: [null, 4], name: 'rnn' }),
      new Dense(3, { name: 'fc' }),
    ])
    await expect(loadModel(recorded.at('gru.safetensors'), { architecture: gru })).rejects.toThrow(
      /resetAfter must be true, as in PyTorch, got false/,
    )
    expectAllSameBits(hard.getWeights(), before)
  })

  it('leaves the model as it was when something is missing or left over', async () => {
    const model = lstm({}, ['rnn', 'other'])
    const before = model.getWeights()
    await expect(loadModel(file, { architecture: model })).rejects.toThrow(
      /other \(Dense\): tensor other\.weight must be in the file, got missing/,
    )
    const alone = new Sequential([
      new LSTM(5, { innerActivation: 'sigmoid', inputShape: [null, 4], name: 'rnn' }),
    ])
    await expect(loadModel(file, { architecture: alone })).rejects.toThrow(
      /tensors must be those of the architecture alone, got 2 more: head\.bias, head\.weight/,
    )
    expectAllSameBits(model.getWeights(), before)
  })

  it('needs an architecture, which other files must not have', async () => {
    await expect(loadModel(file)).rejects.toThrow(
      /got a safetensors file\. loadModel reads it into the model that is given as `architecture`/,
    )
    await lstm().save(recorded.at('model.h5'))
    await expect(loadModel(recorded.at('model.h5'), { architecture: lstm() })).rejects.toThrow(
      /file must be one of weights alone \(safetensors, PyTorch, \.npz\)/,
    )
    await expect(loadModel(file, { names: { rnn: 'lstm' } })).rejects.toThrow(
      /names must be left out without `architecture`/,
    )
    await expect(loadModel(file, { architecture: 7 as never })).rejects.toThrow(
      /architecture must be a model, or its JSON, got 7/,
    )
  })
})

describe('files of torch.save', () => {
  const files = pt.files.map((entry) => [entry.file, entry] as const)
  const mustBeRefused = ({ expected, file }: Entry) =>
    expected !== 'loads' || file === 'w_prefix.pt'

  it.each(files.filter(([, entry]) => !mustBeRefused(entry)))(
    '%s: the model computes what the modules do',
    async (_file, entry) => pt.checkOutputs(await load(entry, pt), entry),
  )

  it.each(files.filter(([, entry]) => mustBeRefused(entry)))('%s is refused', (_file, entry) =>
    pt.checkRefusal(load(entry, pt), entry),
  )

  it('goes by `names` where a prefix stands before all names', async () => {
    const entry = pt.entry('w_prefix.pt')
    const names = { rnn: 'module.rnn', head: 'module.head' }
    const model = await loadModel(pt.at(entry.file), { architecture: lstm(), names })
    await pt.checkOutputs(model, entry)
  })

  it('says what a file holds that has no state_dict, or several', async () => {
    const entry = pt.entry('lstm.pt')
    const file = pt.at('of-pickles.pt')
    const [magic, protocol] = ['\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.', '\x80\x02M\xe9\x03.']
    const written = (content: string) =>
      writeFileSync(file, Buffer.from(`${magic}${protocol}}.${content}.].`, 'latin1'))
    const loading = () => loadModel(file, { architecture: architecture(pt, entry) })
    written('}U\x05epochK\x03s')
    await expect(loading()).rejects.toThrow(
      /file must be a state_dict, or a checkpoint with one, got none\. It holds epoch\./,
    )
    const storage = '(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01Nt'
    const tensor = `ctorch._utils\n_rebuild_tensor_v2\n(${storage}QK\x00))\x89}tR`
    const dictionary = `}U\x01w${tensor}s`
    written(`}U\x01a${dictionary}sU\x01b${dictionary}s`)
    await expect(loading()).rejects.toThrow(/got 2 of them\. It holds a, b\./)
    written(`}U\x01w${tensor.replace('K\x00', 'K\x09')}s`)
    await expect(loading()).rejects.toThrow(/w: numbers must be 40 bytes in storage 0, got none/)
    written('K\x03')
    await expect(loading()).rejects.toThrow(/with one, got another thing\./)
  })
})

describe('arrays of NumPy', () => {
  it('are the tensors of their names', async () => {
    const whole = await loadModel(recorded.at('lstm.safetensors'), { architecture: lstm() })
    const file = recorded.at('lstm.safetensors')
    const { tensors } = readSafetensors(
      file,
      new Uint8Array(readFileSync(file)),
      resolveLimits('test', {}),
    )
    const arrays = Array.from(tensors, ([name, tensor]) => {
      const type = name.endsWith('bias_hh_l0') ? 'float64' : 'float32'
      return [name, NDArray.from(tensor.read(), tensor.shape, type)] as const
    })
    await writeNpz(recorded.at('lstm.npz'), new Map(arrays))
    const model = await loadModel(recorded.at('lstm.npz'), { architecture: lstm() })
    expectAllSameBits(model.getWeights(), whole.getWeights())
    await expect(loadModel(recorded.at('lstm.npz'))).rejects.toThrow(
      /got a \.npz of numpy\. loadModel reads it into the model that is given as `architecture`/,
    )
  })
})
