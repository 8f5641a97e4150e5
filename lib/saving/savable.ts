/** What saving and loading need of a model. */
import type { Counts } from '../engine/optimizer-state.js'
import type { Layer } from '../layers/base/layer.js'
import type { Compiled, CompileOptions } from '../model/compile.js'
import type { NDArray } from '../ndarray.js'
import type { SlicedWork } from '../sliced-work.js'

/** Sequential and Model have it. */
export interface SavableModel {
  /** In the order of `getWeights()`, the branches of a Merge in its place. */
  readonly flattenedLayers: readonly Layer[]
  getConfig(): unknown
  readonly layerClass: { readonly className: string }
  /** The architecture as texts. */
  toJson(): string
  toYaml(): string
  /** What `compile` was told; null before. */
  readonly compiled: Compiled | null
  compile(options: CompileOptions): unknown
  /**
   * Calls that need a compiled model say why this one is not: the sentence goes into their error.
   */
  leaveUncompiled(why: string): void
  /**
   * Runs `use` while no batch of this model runs; when it `writes` during a fit, only a callback
   * may: else ERR_BUSY.
   */
  whenIdle<T>(call: string, use: () => T, writes?: boolean): Promise<T>
  /**
   * The optimizer's state in the order of Keras;
   * null when no training has begun. In `whenIdle` only.
   */
  optimizerWeights(): NDArray[] | null
  /** The shapes of {@link optimizerWeights}, also before training has begun. In `whenIdle` only. */
  optimizerShapes(): (readonly number[])[]
  /** Sets the optimizer's state, all or none, in steps. In `whenIdle` only. */
  setOptimizerWeights(state: readonly NDArray[]): SlicedWork<void>
  /** What the optimizer has counted; null when no training has begun. In `whenIdle` only. */
  readonly runner: { counts: Counts | null }
  dispose(): void
}
