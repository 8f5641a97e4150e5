/** The static side of layers. */
import type { Layer } from './layer.js'

/**
 * Makes the layer inside a layer.
 *
 * @param place where in the configuration it is: 'layers[0]'; default 'layer'
 */
export type Decode = (layer: unknown, place?: string) => Layer

/** Which activations of a layer may be functions. */
export interface WrittenOptions {
  readonly options: readonly string[]
  /** What errors say of others. */
  readonly instead: string
}

/** The static side of a layer class, which registries and `fromConfig` work with. */
export interface LayerClass {
  // biome-ignore lint/suspicious/noExplicitAny: constructors differ in their positional arguments
  new (...args: any[]): Layer
  readonly className: string
  readonly positional: readonly string[]
  readonly defaults: Readonly<Record<string, unknown>>
  readonly unsaved: readonly string[]
  readonly written: WrittenOptions
  readonly own: readonly string[]
  /** Whether its configuration is a list: that of a chain of layers. */
  readonly configIsList?: boolean
  fromConfig(config: object, decode: Decode): Layer
}
