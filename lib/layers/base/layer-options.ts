/** What layers are told, and how Keras writes one. */
import type { Shape } from '../../spec.js'

/** What every layer accepts. */
export interface LayerOptions {
  /** Unique within a model. Default: class name in lower case and a number, `'lstm_1'`. */
  name?: string
  /** False freezes the parameters; set it before `compile`. Default `true`. */
  trainable?: boolean
  /** Shape of one sample, for a first layer: `[T, D]`; `null` for an unknown extent. */
  inputShape?: Shape | null
  /** The same with the batch in front, `[B, T, D]`; a stateful layer needs the batch size. */
  batchInputShape?: Shape | null
  /** Default: the floatx in use (`'float32'`); Embedding `'int32'`. */
  inputDtype?: string | null
  /**
   * Precision of the whole model, in which all layers that say must agree; `'float64'` computes in
   * double. In no configuration. Default: {@link floatx} when the first layer is added.
   */
  dtype?: 'float32' | 'float64' | null
  /**
   * Whether a mask may reach a layer that Keras 1.2.2 lets none reach. Then, as in Keras 2, Dense
   * hands it on, GlobalAveragePooling1D averages the real steps alone, and elsewhere it ends. In a
   * configuration where a mask does reach it. Default `false`.
   */
  acceptMask?: boolean
}

/** `{ class_name, config }`: how Keras writes a layer. */
export interface LayerConfig {
  class_name: string
  // biome-ignore lint/suspicious/noExplicitAny: a model's is a list, which no record of unknowns takes
  config: Record<string, any>
  /** Where another format was translated: its class, and its keys by those here, for errors. */
  origin?:
    | { readonly className: string; readonly keys: Readonly<Record<string, string>> }
    | undefined
}
