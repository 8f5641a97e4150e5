/** What a layer of `defineLayer` is made of. */
import type { Expr } from '../../expressions/expr.js'
import type { Init } from '../../initializations.js'
import type { Shape } from '../../spec.js'

/** What the shape of a weight may depend on: inputs, with the batch, and the layer's options. */
export type WeightShapeOf<O> = Readonly<O> & {
  /** Of the first input. */
  readonly inputShape: Shape
  readonly inputShapes: readonly Shape[]
}

/** A weight of a layer. */
export interface LayerWeight<O> {
  /**
   * Its extents, or a function of shapes and options that gives them; null for a layer without this
   * weight.
   */
  readonly shape:
    | readonly number[]
    | ((given: WeightShapeOf<O>) => readonly (number | null | undefined)[] | null)
  /** Default: zeros for one axis, else `'glorot_uniform'`. */
  readonly init?: Init
}

/** A layer as `defineLayer` takes it. */
export interface LayerDefinition<O, W extends string> {
  /** The layer's own options with their defaults: data. */
  readonly options?: O
  readonly weights?: Readonly<Record<W, LayerWeight<O>>>
  /** `'pass'` (default): the output has the mask of the first input; `'none'`: it has none. */
  readonly mask?: 'pass' | 'none'
  /**
   * `'each'`: step t of the output is made of step t of the first input, and of other inputs as a
   * whole, so that a session (`model.session`) can go through the first input step by step. Default
   * `'all'`.
   */
  readonly steps?: 'each' | 'all'
  /** What the layer gives: an expression with the batch as its first axis. */
  call(
    values: {
      /** The first input, [B, …]. */
      readonly x: Expr
      readonly inputs: readonly Expr[]
      /** Of each input [B, T, …] its mask, [B, T, 1]: 1 where a step is real; of others null. */
      readonly masks: readonly (Expr | null)[]
      readonly options: Readonly<O>
    } & { readonly [K in W]: Expr },
  ): Expr
}
