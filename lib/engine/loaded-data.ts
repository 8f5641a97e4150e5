import type { NativeArray, NativeArrays, NativeData } from '../native.js'

/**
 * The data set of a call in native memory.
 * `dispose()` frees it, without waiting for the garbage collector.
 */
export class LoadedData {
  #data: NativeData | (() => NativeData)

  /** @param data a set that is there already, or what loads it at the first use */
  constructor(data: NativeData | (() => NativeData)) {
    this.#data = data
  }

  /** The data set, loaded at the first use. For callers that hold a turn; not after `dispose()`. */
  get set(): NativeData {
    if (typeof this.#data === 'function') this.#data = this.#data()
    return this.#data
  }

  /** Frees the memory, or has the run that is under way free it when it ends. Again: nothing. */
  dispose(): void {
    if (typeof this.#data !== 'function') this.#data.dispose()
  }
}

/** The arrays alone, without the other properties that an object with them has. */
export function onlyArrays({ x, y, weights }: NativeArrays): NativeArrays {
  return { x, ...(y ? { y } : {}), ...(weights ? { weights } : {}) }
}

/** The same with numbers of their own. */
export function copied({ x, y, weights }: NativeArrays): NativeArrays {
  const copy = ({ data, shape }: NativeArray): NativeArray => ({ data: data.slice(), shape })
  return {
    x: x.map(copy),
    ...(y ? { y: y.map(copy) } : {}),
    ...(weights ? { weights: weights.map((each) => each && copy(each)) } : {}),
  }
}
