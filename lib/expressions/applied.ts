/** Functions that users write, applied to what they are given. */
import { FormatError, HiddenstateError } from '../errors.js'
import { describe } from '../ndarray.js'
import { Written } from '../written.js'
import { type ExpressionData, fromData, toData } from './data.js'
import { sameDims } from './dims.js'
import { Expr, lift } from './expr.js'
import { Gradient } from './gradient.js'
import { ordered } from './order.js'
import { refuse, within } from './place.js'

/**
 * What a function gives for these.
 *
 * @param where what errors name first
 * @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION
 */
export function applied(own: Written, inputs: readonly Expr[], where: string): Expr {
  const { source, others } = own
  if (typeof source !== 'function')
    return fromFile(others.find((data) => isFor(data, inputs)) ?? source, inputs, where)
  const given = within(where, () => source(...inputs))
  if (!(given instanceof Expr) && typeof given !== 'number')
    refuse({
      where,
      what: 'what the function gives',
      expected: 'an expression',
      actual: describe(given),
    })
  return requireOwn(lift(given), inputs, where)
}

/** Whether it was made of inputs of these shapes. */
const isFor = (data: Partial<ExpressionData> | null, inputs: readonly Expr[]): boolean =>
  Array.isArray(data?.inputs) &&
  inputs.every(({ shape }, i) => {
    const dims: unknown = data.inputs?.[i]?.shape
    return Array.isArray(dims) && sameDims(dims, shape)
  })

function fromFile(data: ExpressionData, inputs: readonly Expr[], where: string): Expr {
  const { outputs } = fromData(
    data,
    where,
    (name, _shape, i) =>
      inputs[i] ?? refuse({ where: name, what: 'an input', expected: 'known', actual: `${i}` }),
  )
  return outputs[0] ?? refuse({ where, what: 'outputs', expected: 'one', actual: 'none' })
}

/** Runs `use`; what it throws of a function that is data is an error about a file. */
export function ofFile<T>({ source }: Written, use: () => T): T {
  try {
    return use()
  } catch (error) {
    const isOwn = error instanceof HiddenstateError && !(error instanceof FormatError)
    if (!isOwn || typeof source === 'function') throw error
    throw new FormatError('ERR_FILE_FORMAT', error.message, { cause: error })
  }
}

/** @throws ConfigError ERR_OPTION for what reads more than it is given */
function requireOwn(value: Expr, inputs: readonly Expr[], where: string): Expr {
  const isOther = (expr: Expr) =>
    expr.op === 'placeholder' || expr.op === 'shared' || expr instanceof Gradient
  const other = ordered([value], (expr) => inputs.includes(expr)).find(
    (expr) => isOther(expr) && !inputs.includes(expr),
  )
  if (!other) return value
  return refuse({
    where,
    what: 'the expression',
    expected: 'made of what it is given alone',
    actual: `one that reads ${other.label}`,
  })
}

/** The function as data: what it computes of these. */
export const asData = ({ name }: Written, inputs: readonly Expr[], value: Expr, where: string) =>
  new Written(name, toData({ inputs, outputs: [value] }, where))
