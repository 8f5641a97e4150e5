import { ConfigError, fail } from '../errors.js'
import { sigmoid, tanh } from '../expressions/activations.js'
import { add, mul } from '../expressions/elementwise.js'
import { describe } from '../ndarray.js'
import { type CellClass, ownCell } from './define-cell.js'

/** Options of {@link ProjectedLSTM}, beside those of every cell. */
export interface ProjectionOptions {
  /** R, the width of what goes out and back into the gates. Has no default. */
  projectionDim: number | null
}

/**
 * LSTM with a recurrent projection, for many cells with few weights: `i, f = σ(x·W + r·U + p∘c +
 * b)`, `c' = f∘c + i∘tanh(x·Wg + r·Ug + bg)`, `o = σ(x·Wo + r·Uo + po∘c' + bo)`, `r' =
 * (o∘tanh(c'))·P`.
 *
 * [B, T, D] → [B, R], or [B, T, R] with `returnSequences`. Supports masks. Weights: Wi Wf Wg Wo [D,
 * H], Ui Uf Ug Uo [R, H], P [H, R], pi pf po [H], bi bf bg bo [H]; bf is one at first.
 * @param outputDim H, the number of cells
 * @param options those of every cell, and `projectionDim`, which must be given
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` when added after a layer
 *   whose output is not [B, T, D]
 * @example
 * import { ProjectedLSTM, Sequential } from 'hiddenstate'
 * const layer = new ProjectedLSTM(64, { projectionDim: 16, inputShape: [20, 2] })
 * console.log(new Sequential([layer]).outputShape) // [ null, 16 ]
 * @see Sak, Senior, Beaufays 2014 (arXiv:1402.1128), eq. 1–7, without its non-recurrent projection
 */
export const ProjectedLSTM: CellClass<ProjectionOptions> = ownCell('ProjectedLSTM', {
  options: { projectionDim: null } as ProjectionOptions,
  weights: (options) => {
    const R = widthOf(options)
    return {
      ...{ Wi: ['D', 'H'], Wf: ['D', 'H'], Wg: ['D', 'H'], Wo: ['D', 'H'] },
      Ui: { shape: [R, 'H'], init: 'orthogonal' },
      Uf: { shape: [R, 'H'], init: 'orthogonal' },
      Ug: { shape: [R, 'H'], init: 'orthogonal' },
      Uo: { shape: [R, 'H'], init: 'orthogonal' },
      P: ['H', R],
      ...{ pi: ['H'], pf: ['H'], po: ['H'] },
      ...{ bi: ['H'], bf: { shape: ['H'], init: 'one' }, bg: ['H'], bo: ['H'] },
    }
  },
  states: (options) => ({ r: { shape: [widthOf(options)] }, c: {} }),
  step({ x, r, c, ...w }) {
    const i = sigmoid(add(x.dot(w.Wi), r.dot(w.Ui), mul(w.pi, c), w.bi))
    const f = sigmoid(add(x.dot(w.Wf), r.dot(w.Uf), mul(w.pf, c), w.bf))
    const g = tanh(add(x.dot(w.Wg), r.dot(w.Ug), w.bg))
    const next = add(mul(f, c), mul(i, g))
    const o = sigmoid(add(x.dot(w.Wo), r.dot(w.Uo), mul(w.po, next), w.bo))
    return { r: mul(o, tanh(next)).dot(w.P), c: next }
  },
})

function widthOf({ projectionDim }: Readonly<ProjectionOptions>): number {
  if (Number.isSafeInteger(projectionDim) && Number(projectionDim) > 0) return projectionDim!
  return fail(ConfigError, 'ERR_OPTION', {
    where: 'ProjectedLSTM',
    what: 'projectionDim',
    expected: 'a positive integer',
    actual: describe(projectionDim),
  })
}
