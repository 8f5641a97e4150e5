/** Arrays of a file, by name. */
import type { Floats } from '../../native.js'

/** An array of a file. */
export interface Tensor {
  readonly shape: readonly number[]
  /** As the file calls it: 'F32'. */
  readonly dtype: string
  /** Its numbers in C order: [...shape]. */
  read(): Floats
}

export type Tensors = ReadonlyMap<string, Tensor>
