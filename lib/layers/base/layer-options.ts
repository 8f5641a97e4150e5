/** The options that every layer has, and the form in which Keras writes a layer. */
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
   * double. Configurations leave it out. Default: {@link floatx} when the first layer is added.
   */
  dtype?: 'float32' | 'float64' | null
  /**
   * Whether a mask may reach a layer that Keras 1.2.2 lets none reach. Then, as in Keras 2, Dense
   * hands it on, GlobalAveragePooling1D averages the real steps alone, and elsewhere it ends. A
   * configuration has it where a mask does reach the layer. Default `false`.
   */
  acceptMask?: boolean
}

/** `{ class_name, config }`: how Keras writes a layer. */
export interface LayerConfig {
  class_name: string
  // biome-ignore lint/suspicious/noExplicitAny: a model's is a list, which no record of unknowns takes
  config: Record<string, any>
  /**
   * Of a layer that was translated from another format: the class there, and its keys by those of
   * Keras 1.2.2, for errors.
   */
  origin?:
    | { readonly className: string; readonly keys: Readonly<Record<string, string>> }
    | undefined
}
