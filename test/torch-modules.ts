/** Models for descriptions of PyTorch's modules, as recorded files have them. */
import {
  Activation,
  BatchNormalization,
  Bidirectional,
  Dense,
  Embedding,
  GRU,
  type Layer,
  LSTM,
  Sequential,
  SimpleRNN,
  TimeDistributed,
} from './package.js'

interface Module {
  name: string
  type: string
  args: Partial<{
    num_embeddings: number
    embedding_dim: number
    input_size: number
    hidden_size: number
    num_layers: number
    bidirectional: boolean
    nonlinearity: 'tanh' | 'relu'
    in_features: number
    out_features: number
    bias: boolean
  }>
}

const RECURRENT: Record<string, (units: number, options: object) => LSTM | GRU | SimpleRNN> = {
  LSTM: (units, options) => new LSTM(units, { innerActivation: 'sigmoid', ...options }),
  GRU: (units, options) =>
    new GRU(units, { innerActivation: 'sigmoid', resetAfter: true, ...options }),
  RNN: (units, options) => new SimpleRNN(units, options),
}

/** The model that a description of modules means. @param head 'sequence': all steps come out */
export function torchSequential({
  modules,
  head,
}: {
  modules: Module[]
  head: string
}): Sequential {
  const last = modules.map(({ type }) => type in RECURRENT).lastIndexOf(true)
  const layers = modules.flatMap(({ name, type, args }, i): Layer[] => {
    const first = i === 0
    if (type in RECURRENT)
      return Array.from({ length: args.num_layers ?? 1 }, (_, l) => {
        const ends = i === last && l === (args.num_layers ?? 1) - 1 && head !== 'sequence'
        const layer = RECURRENT[type]!(args.hidden_size!, {
          name: `${name}_l${l}`,
          returnSequences: !ends,
          ...(args.nonlinearity ? { activation: args.nonlinearity } : {}),
          ...(first && l === 0 && !args.bidirectional
            ? { inputShape: [null, args.input_size!] }
            : {}),
        })
        if (!args.bidirectional) return layer
        return new Bidirectional(
          layer,
          first && l === 0 ? { inputShape: [null, args.input_size!] } : {},
        )
      })
    if (type === 'Embedding')
      return [new Embedding(args.num_embeddings!, args.embedding_dim!, { name })]
    if (type === 'BatchNorm1d') return [new BatchNormalization({ epsilon: 1e-5, name })]
    if (type !== 'Linear') return [new Activation(type.toLowerCase() as 'softmax')]
    const dense = new Dense(args.out_features!, {
      name,
      bias: args.bias ?? true,
      ...(first ? { inputDim: args.in_features } : {}),
    })
    return [head === 'sequence' ? new TimeDistributed(dense) : dense]
  })
  return new Sequential(layers)
}
