/**
 * What UpSampling, ZeroPadding and Cropping share: the ends and the repeats of rows and columns.
 */
import { fail, ShapeError } from '../../errors.js'
import type { Graph, Shape, Value } from '../../spec.js'
import { Layer, type LayerOptions } from './layer.js'
import { showShape } from './names.js'
import {
  channelsLast,
  type DimOrdering,
  imageShape,
  type Places,
  placesOf,
  WINDOW_MASK_HINT,
} from './windows.js'

/** What happens to one axis: zeros before and after (negative: cut off), each element repeated. */
export interface Resizing {
  before: number
  after: number
  repeat: number
}

/** An axis that stays as it is. */
export const AS_IT_IS: Resizing = { before: 0, after: 0, repeat: 1 }

/** Base of layers that only move values: over [B, T, D], or over images in either order of axes. */
export abstract class Resized<O extends LayerOptions = LayerOptions> extends Layer<O> {
  /** Of rows (or steps) and of columns. */
  protected abstract resizing(): readonly [Resizing, Resizing]

  /** Null: over steps. */
  protected get ordering(): DimOrdering | null {
    return null
  }

  protected override maskHint(): string {
    return WINDOW_MASK_HINT
  }

  #extent(
    extent: number | null,
    { before, after, repeat }: Resizing,
    inputShape: Shape,
  ): number | null {
    if (extent === null) return null
    const out = before + extent * repeat + after
    if (out < 1) {
      fail(ShapeError, 'ERR_SHAPE', {
        where: this.where,
        layer: this.where,
        what: 'input',
        expected: `longer than the ${-before - after} that are cut off`,
        actual: showShape(inputShape),
      })
    }
    return out
  }

  #places(inputShape: Shape): Places {
    const [down, across] = this.resizing()
    const { rows, columns, channels } = placesOf(inputShape, this.ordering ?? 'tf')
    return {
      rows: this.#extent(rows, down, inputShape),
      columns: this.#extent(columns, across, inputShape),
      channels,
    }
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const { ordering } = this
    if (ordering !== null)
      return [inputShape[0] ?? null, ...imageShape(this.#places(inputShape), ordering)]
    const [batch = null, steps = null, D = null] = inputShape
    return [batch, this.#extent(steps, this.resizing()[0], inputShape), D]
  }

  protected emit(graph: Graph, x: Value): Value {
    const ends = this.resizing()
    const options = {
      before: ends.map((e) => e.before),
      after: ends.map((e) => e.after),
      repeat: ends.map((e) => e.repeat),
    }
    const make = (value: Value, shape: Shape) =>
      graph.op('resize', [value], shape, { ...this.opName(), options })
    if (this.ordering === null) return make(x, this.computeOutputShape([null, ...x.shape]).slice(1))
    const outputShape = imageShape(this.#places(x.shape), 'tf')
    return channelsLast(graph, x, this, this.ordering, (last) => make(last, outputShape))
  }
}
