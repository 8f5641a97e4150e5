import type { NativeData } from './native.js'

/** A call's data set in native memory, from its loading to `dispose()`: it need not wait for the garbage collector. */
export class LoadedData {
  #set: NativeData | null
  readonly #load: () => NativeData

  /** @param loaded a set that is there already; null: `load` makes it at the first use */
  constructor(loaded: NativeData | null, load: () => NativeData) {
    this.#set = loaded
    this.#load = load
  }

  /** To be asked for while holding a turn, and not after `dispose()`. */
  get set(): NativeData {
    this.#set ??= this.#load()
    return this.#set
  }

  /** Frees the memory, or has the run that is under way free it when it ends. Again: nothing. */
  dispose(): void {
    this.#set?.dispose()
  }
}
