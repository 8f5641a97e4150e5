/** What native code keeps of a training, beside weights and moments. */
import type { Carry } from './carry.js'
import type { DropoutState } from './dropout-seed.js'
import type { Counts } from './optimizer-state.js'

/** What native code keeps from batch to batch, beside weights and moments. */
export interface NativeState {
  readonly counts: Counts
  /** Of dropout and noise. */
  readonly dropout: DropoutState
  readonly carries: readonly Carry[]
}
