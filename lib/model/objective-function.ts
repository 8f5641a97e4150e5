/** Losses and metrics that are functions: from expressions to what native code computes. */
import { applied, asData, ofFile } from '../expressions/applied.js'
import { type Dims, sameDims, showDims } from '../expressions/dims.js'
import { Placeholder } from '../expressions/expr.js'
import { exchanged } from '../expressions/lowering/layout.js'
import { objectiveProgram } from '../expressions/lowering/objective.js'
import { ordered } from '../expressions/order.js'
import { refuse, refuseShape } from '../expressions/place.js'
import { dimsOf } from '../layers/base/expression-ops.js'
import type { ProgramSpec, Shape } from '../spec.js'
import type { Written } from '../written.js'

/** An output, as its loss and metrics see it; with the batch. */
export interface Scored {
  readonly output: Shape
  readonly targets: Shape
}

/** A function for one output. */
export interface ObjectiveFunction {
  /** As data, for files. */
  readonly written: Written
  readonly program: ProgramSpec
}

/**
 * A loss: one number for each row of the last axis, or for each sample.
 *
 * @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION; FormatError for one of a file
 */
export const lossFunction = (written: Written, scored: Scored, where: string): ObjectiveFunction =>
  ofFile(written, () => lossOf(written, scored, where))

function lossOf(written: Written, scored: Scored, where: string): ObjectiveFunction {
  const { y, p, value } = scoresOf(written, scored, where)
  const rows = p.shape.slice(0, -1)
  const isOfSamples = sameDims(value.shape, rows.slice(0, 1))
  if (!isOfSamples && !sameDims(value.shape, rows))
    refuseShape({
      where,
      what: 'what the function gives',
      expected: expectedScores(rows),
      actual: showDims(value.shape),
      hint: 'Take the mean over the last axis alone: mean(x, -1).',
    })
  // Rows lie in the order of the output's memory: [T, B].
  const lies = value.ndim === 2 ? exchanged(value) : value
  const targetDim = y.shape.at(-1)
  return {
    written: asData(written, [y, p], value, where),
    program: {
      ...objectiveProgram([y, p], lies),
      ...(targetDim === p.shape.at(-1) ? {} : { targetDim: targetDim as number }),
    },
  }
}

/** The last axis of the targets that the loss of a file was made for; null for a function. */
export function targetDimOfData({ source }: Written): unknown {
  if (typeof source === 'function') return null
  const [targets] = Array.isArray(source.inputs) ? source.inputs : []
  const dim = Array.isArray(targets?.shape) ? targets.shape.at(-1) : undefined
  return typeof dim === 'string' ? null : (dim ?? null)
}

const expectedScores = (rows: Dims): string =>
  rows.length === 1
    ? `${showDims(rows)}, one number for each sample`
    : `${showDims(rows)}, one number for each row of the last axis, or ${showDims(rows.slice(0, 1))}, one for each sample`

/** A metric: the mean of its numbers. @throws as {@link lossFunction} */
export function metricFunction(written: Written, scored: Scored, where: string): ObjectiveFunction {
  const { y, p, value } = ofFile(written, () => scoresOf(written, scored, where))
  return {
    written: asData(written, [y, p], value, where),
    program: objectiveProgram([y, p], value),
  }
}

function scoresOf(written: Written, { output, targets }: Scored, where: string) {
  const y = new Placeholder(dimsOf(targets), 'yTrue')
  const p = new Placeholder(dimsOf(output), 'yPred')
  const value = applied(written, [y, p], where)
  const other = ordered([value]).find(({ op }) => BEYOND.has(op))
  if (other)
    refuse({
      where,
      what: 'the expression',
      expected: 'without loops, dropout and the learning phase',
      actual: `one with ${other.label}`,
      hint: 'They belong into layers.',
    })
  return { y, p, value }
}

/** What the program of a loss or a metric does not have. */
const BEYOND: ReadonlySet<string> = new Set(['scan', 'dropout', 'phase'])
