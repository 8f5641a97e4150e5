/** Arrays of layers as Keras 2 and 3 write them: in their order, under their names and places. */
import type { Layer, LayerConfig } from '../../layers/base/layer.js'
import type { NDArray } from '../../ndarray.js'
import { fusedValues } from '../fused.js'
import { ConfigError, fail } from '../../errors.js'

/** An array of a layer. */
export interface LaterArray {
  /** Keras 2's name below the layer's: `forward_lstm_1/lstm_cell/kernel`. */
  readonly name: string
  /** Keras 3's path below the layer's: `['forward_layer', 'cell']`. */
  readonly place: readonly string[]
  readonly value: NDArray
}

/** The names of arrays, by how ours end. */
const NAMES: readonly (readonly [ours: RegExp, later: string])[] = [
  [/_W$/, 'kernel'],
  [/_U$/, 'recurrent_kernel'],
  [/_b$/, 'bias'],
  [/_gamma$/, 'gamma'],
  [/_beta$/, 'beta'],
  [/_running_mean$/, 'moving_mean'],
  [/_running_std$/, 'moving_variance'],
  [/_alphas$/, 'alpha'],
]

/** Recurrent layers of Keras 2: their weights are those of a cell inside. */
const CELLS: Readonly<Record<string, string>> = {
  GRU: 'gru_cell',
  LSTM: 'lstm_cell',
  SimpleRNN: 'simple_rnn_cell',
}

/** Where the arrays of a layer are: names of Keras 2, path of Keras 3. One entry a part. */
function parts({ class_name: name, config }: LayerConfig): { names: string[]; place: string[] }[] {
  const inside = config.layer as LayerConfig | undefined
  if (inside && name === 'Bidirectional')
    return ['forward', 'backward'].flatMap((direction) =>
      parts(inside).map(({ names, place }) => ({
        names: [`${direction}_${inside.config.name}`, ...names],
        place: [`${direction}_layer`, ...place],
      })),
    )
  if (inside)
    return parts(inside).map(({ names, place }) => ({
      names: [String(inside.config.name), ...names],
      place: ['layer', ...place],
    }))
  return Object.hasOwn(CELLS, name)
    ? [{ names: [CELLS[name]!], place: ['cell'] }]
    : [{ names: [], place: [] }]
}

/**
 * Copies of a layer's arrays. In `whenIdle` only.
 *
 * @param written the layer as Keras 2 has it
 */
export function arraysOf(layer: Layer, written: LayerConfig): LaterArray[] {
  const all = fusedValues(layer)
  const places = parts(written)
  const each = all.length / places.length
  return all.map(({ name, value }, i) => {
    const { names, place } = places[Math.floor(i / each)]!
    const known = NAMES.find(([ours]) => ours.test(name))
    if (!known || !Number.isInteger(each))
      return fail(ConfigError, 'ERR_OPTION', {
        where: layer.where,
        what: 'array',
        expected: 'one that Keras 2 has',
        actual: name,
      })
    const own = written.class_name === 'Embedding' ? 'embeddings' : known[1]
    return { name: [...names, own].join('/'), place, value }
  })
}
