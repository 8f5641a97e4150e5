/** Weights of PyTorch in safetensors, and what the modules compute (test/golden/README.md). */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { type Entry, Recorded } from '../golden/recorded.js'
import { expectAllSameBits } from '../arrays.js'
import {
  Activation,
  BatchNormalization,
  Bidirectional,
  Dense,
  Embedding,
  GRU,
  type Layer,
  loadModel,
  LSTM,
  Sequential,
  SimpleRNN,
  TimeDistributed,
} from '../package.js'

const recorded = new Recorded('torch/safetensors.zip')
afterAll(() => recorded.remove())

interface Module {
  name: string
  type: string
  args: {
    num_embeddings: number
    embedding_dim: number
    input_size: number
    hidden_size: number
    num_layers?: number
    bidirectional?: boolean
    nonlinearity?: 'tanh' | 'relu'
    in_features: number
    out_features: number
    bias?: boolean
  }
}

const RECURRENT: Record<string, (units: number, options: object) => LSTM | GRU | SimpleRNN> = {
  LSTM: (units, options) => new LSTM(units, { innerActivation: 'sigmoid', ...options }),
  GRU: (units, options) =>
    new GRU(units, { innerActivation: 'sigmoid', resetAfter: true, ...options }),
  RNN: (units, options) => new SimpleRNN(units, options),
}

/** The model that a description of modules means. @param head 'sequence': all steps come out */
function sequential({ modules, head }: { modules: Module[]; head: string }): Sequential {
  const last = modules.map(({ type }) => type in RECURRENT).lastIndexOf(true)
  const layers = modules.flatMap(({ name, type, args }, i): Layer[] => {
    const first = i === 0
    if (type in RECURRENT)
      return Array.from({ length: args.num_layers ?? 1 }, (_, l) => {
        const ends = i === last && l === (args.num_layers ?? 1) - 1 && head !== 'sequence'
        const layer = RECURRENT[type]!(args.hidden_size, {
          name: `${name}_l${l}`,
          returnSequences: !ends,
          ...(args.nonlinearity ? { activation: args.nonlinearity } : {}),
          ...(first && l === 0 && !args.bidirectional
            ? { inputShape: [null, args.input_size] }
            : {}),
        })
        if (!args.bidirectional) return layer
        return new Bidirectional(
          layer,
          first && l === 0 ? { inputShape: [null, args.input_size] } : {},
        )
      })
    if (type === 'Embedding')
      return [new Embedding(args.num_embeddings, args.embedding_dim, { name })]
    if (type === 'BatchNorm1d') return [new BatchNormalization({ epsilon: 1e-5, name })]
    if (type !== 'Linear') return [new Activation(type.toLowerCase() as 'softmax')]
    const dense = new Dense(args.out_features, { name, bias: args.bias ?? true })
    return [head === 'sequence' ? new TimeDistributed(dense) : dense]
  })
  return new Sequential(layers)
}

const load = (entry: Entry): Promise<Sequential> => {
  const description = JSON.parse(readFileSync(recorded.at(entry.architecture!), 'utf8'))
  return loadModel(recorded.at(entry.file), { architecture: sequential(description) })
}
const isHere = ({ file }: Entry) =>
  file !== 'layer_norm.safetensors' && file !== 'lstm_proj.safetensors'
const pairs = (isWanted: (entry: Entry) => boolean) =>
  recorded.files.filter(isWanted).map((entry) => [entry.file, entry] as const)

describe('weights of PyTorch', () => {
  it.each(pairs((entry) => entry.expected === 'loads' && isHere(entry)))(
    '%s: the model computes what the modules do',
    async (_file, entry) => recorded.checkOutputs(await load(entry), entry),
  )

  it.each(pairs(({ expected, file }) => expected !== 'loads' || file.startsWith('lstm_proj')))(
    '%s is refused',
    async (_file, entry) => recorded.checkRefusal(load(entry), entry),
  )

  const lstm = recorded.at('lstm.safetensors')
  const made = (options: object = {}, names: [string, string] = ['rnn', 'head']) =>
    new Sequential([
      new LSTM(5, {
        innerActivation: 'sigmoid',
        inputShape: [null, 4],
        name: names[0],
        ...options,
      }),
      new Dense(3, { name: names[1] }),
    ])

  it('goes by `names` where layers are called otherwise, and into JSON', async () => {
    const names = { a: 'rnn', b: 'head' }
    const model = await loadModel(lstm, { architecture: made({}, ['a', 'b']), names })
    const other = await loadModel(lstm, { architecture: made().toJson() })
    expectAllSameBits(model.getWeights(), other.getWeights())
  })

  it('is refused where a layer computes something else', async () => {
    const hard = made({ innerActivation: 'hard_sigmoid' })
    await expect(loadModel(lstm, { architecture: hard })).rejects.toThrow(
      /rnn \(LSTM\): innerActivation must be 'sigmoid', as in PyTorch, got hard_sigmoid/,
    )
    await expect(loadModel(lstm, { architecture: made({ activation: 'relu' }) })).rejects.toThrow(
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
    const model = made({}, ['rnn', 'other'])
    const before = model.getWeights()
    await expect(loadModel(lstm, { architecture: model })).rejects.toThrow(
      /other \(Dense\): tensor other\.weight must be in the file, got missing/,
    )
    const alone = new Sequential([
      new LSTM(5, { innerActivation: 'sigmoid', inputShape: [null, 4], name: 'rnn' }),
    ])
    await expect(loadModel(lstm, { architecture: alone })).rejects.toThrow(
      /tensors must be those of the architecture alone, got 2 more: head\.bias, head\.weight/,
    )
    expectAllSameBits(model.getWeights(), before)
  })

  it('needs an architecture, which other files must not have', async () => {
    await expect(loadModel(lstm)).rejects.toThrow(
      /got a safetensors file\. loadModel reads it into the model that is given as `architecture`/,
    )
    await made().save(recorded.at('model.h5'))
    await expect(loadModel(recorded.at('model.h5'), { architecture: made() })).rejects.toThrow(
      /file must be a safetensors file/,
    )
    await expect(loadModel(lstm, { names: { rnn: 'lstm' } })).rejects.toThrow(
      /names must be left out without `architecture`/,
    )
    await expect(loadModel(lstm, { architecture: 7 as never })).rejects.toThrow(
      /architecture must be a model, or its JSON, got 7/,
    )
  })

  it('with damage anywhere loads or is refused with a code', async () => {
    const bytes = new Uint8Array(readFileSync(lstm))
    let state = 1
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state % below
    }
    for (let i = 0; i < 300; i++) {
      const damaged = bytes.slice(0, random(4) === 0 ? random(bytes.length) : bytes.length)
      for (let k = random(4); k >= 0; k--)
        damaged[random(Math.min(800, damaged.length))] = random(256)
      writeFileSync(recorded.at('damaged.safetensors'), damaged)
      const loading = loadModel(recorded.at('damaged.safetensors'), { architecture: made() })
      const error = await loading.then(
        () => null,
        (reason: unknown) => reason,
      )
      if (error) expect((error as { code?: string }).code, `round ${i}`).toMatch(/^ERR_/)
    }
  })
})
