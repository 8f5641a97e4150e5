import type { NativeArray, NativeData } from '../native.js'

/**
 * A call's data set in native memory, from its loading to `dispose()`:
 * it need not wait for the garbage collector.
 */
export class LoadedData {
  #data: NativeData | (() => NativeData)

  /** @param data a set that is there already, or what loads it at the first use */
  constructor(data: NativeData | (() => NativeData)) {
    this.#data = data
  }

  /** To be asked for while holding a turn, and not after `dispose()`. */
  get set(): NativeData {
    if (typeof this.#data === 'function') this.#data = this.#data()
    return this.#data
  }

  /** Frees the memory, or has the run that is under way free it when it ends. Again: nothing. */
  dispose(): void {
    if (typeof this.#data !== 'function') this.#data.dispose()
  }
}

/** Only what `NativePlan.load` knows. */
export function onlyArrays(arrays: { x: NativeArray[]; y?: NativeArray; weights?: NativeArray }): {
  x: NativeArray[]
  y?: NativeArray
  weights?: NativeArray
} {
  const { x, y, weights } = arrays
  return { x, ...(y ? { y } : {}), ...(weights ? { weights } : {}) }
}
