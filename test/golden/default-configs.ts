/**
 * Makes the layers, optimizers, regularizers
 * and constraints whose default configuration Keras recorded.
 */
import { find, has } from './driver.js'

/** What became of one entry: its configuration, or the name of the export that it would need. */
export type Made = { config: unknown } | { absent: string }
type Class = new (...args: unknown[]) => { getConfig(): unknown }
type Maker = (options?: unknown) => unknown

/** Arguments that a class takes by position (make/gen_fit.py). */
const POSITIONAL: Record<string, unknown[]> = {
  Dense: [3],
  Activation: ['tanh'],
  Dropout: [0.3],
  SpatialDropout1D: [0.3],
  Reshape: [[2, 3]],
  Permute: [[2, 1]],
  RepeatVector: [4],
  ActivityRegularization: [{ l1: 0.1, l2: 0.2 }],
  MaxoutDense: [3],
  TimeDistributedDense: [3],
  SimpleRNN: [3],
  LSTM: [3],
  GRU: [3],
  Embedding: [5, 3],
  Convolution1D: [4, 3],
  AtrousConvolution1D: [4, 3],
  LocallyConnected1D: [4, 3],
  GaussianNoise: [0.2],
  GaussianDropout: [0.2],
}

const make = (name: string, ...args: unknown[]): { getConfig(): unknown } =>
  new (find<Class>(name))(...args)
const call = (name: string, options?: unknown): unknown => find<Maker>(name)(options)

/** Entries of the recorded list that are more than `new Class(...)`. */
const SPECIAL: Record<string, { needs: string; make(): unknown }> = {
  Adam_clip: { needs: 'Adam', make: () => make('Adam', { clipnorm: 1, clipvalue: 0.5 }) },
  TimeDistributed: {
    needs: 'TimeDistributed',
    make: () => make('TimeDistributed', make('Dense', 3)),
  },
  Bidirectional: { needs: 'Bidirectional', make: () => make('Bidirectional', make('LSTM', 3)) },
  Dense_full: {
    needs: 'Dense',
    make: () =>
      make('Dense', 3, {
        inputDim: 2,
        WRegularizer: 'l2',
        activityRegularizer: 'activity_l2',
        WConstraint: call('maxnorm', { m: 2 }),
        bConstraint: 'nonneg',
      }),
  },
  LSTM_full: {
    needs: 'LSTM',
    make: () =>
      make('LSTM', 3, {
        inputShape: [4, 2],
        WRegularizer: call('l2', { l: 0.1 }),
        URegularizer: call('l1', { l: 0.1 }),
        bRegularizer: call('l1l2'),
        dropoutW: 0.1,
        dropoutU: 0.2,
        returnSequences: true,
        name: 'mylstm',
      }),
  },
  LSTM_stateful: {
    needs: 'LSTM',
    make: () => {
      const layer = make('LSTM', 3, { batchInputShape: [2, 4, 2], stateful: true })
      make('Sequential', [layer])
      return layer
    },
  },
  minmax: { needs: 'minMaxNorm', make: () => call('minMaxNorm') },
}

/** Regularizers and constraints are values here, seen through a layer that carries them. */
const VALUES: Record<string, string> = {
  l1: 'WRegularizer',
  l2: 'WRegularizer',
  l1l2: 'WRegularizer',
  maxnorm: 'WConstraint',
  nonneg: 'WConstraint',
  unitnorm: 'WConstraint',
  minmax: 'WConstraint',
}
const SNAKE: Record<string, string> = { WRegularizer: 'W_regularizer', WConstraint: 'W_constraint' }

export function makeDefault(name: string): Made {
  const option = VALUES[name]
  if (option) {
    const value = SPECIAL[name]?.make() ?? call(name)
    const config = make('Dense', 3, { [option]: value }).getConfig() as Record<string, unknown>
    return { config: config[SNAKE[option] as string] }
  }
  const special = SPECIAL[name]
  const needs = special?.needs ?? name
  if (!has(needs)) return { absent: needs }
  const made = special
    ? (special.make() as { getConfig(): unknown })
    : make(name, ...(POSITIONAL[name] ?? []))
  return { config: made.getConfig() }
}
