/** Ops that work number by number; several arguments are broadcast by NumPy's rules. */
import { type Expr, type Like, lift, make } from './expr.js'

const unary =
  (op: 'exp' | 'log' | 'sqrt' | 'square' | 'abs' | 'sign' | 'reciprocal') =>
  (x: Like): Expr =>
    make(op, [x])

const binary =
  (op: 'sub' | 'div' | 'max' | 'min' | 'equal' | 'less' | 'less_equal') =>
  (a: Like, b: Like): Expr =>
    make(op, [a, b])

/** a + b + …; shapes are broadcast. */
export const add = (a: Like, ...rest: Like[]): Expr => lift(a, 'add').add(...rest)
/** a · b · … number by number; shapes are broadcast. */
export const mul = (a: Like, ...rest: Like[]): Expr => lift(a, 'mul').mul(...rest)
/** a - b; shapes are broadcast. */
export const sub = binary('sub')
/** a / b; shapes are broadcast. */
export const div = binary('div')
/** -x */
export const neg = (x: Like): Expr => make('sub', [0, x])
/** e^x */
export const exp = unary('exp')
/** The natural logarithm. */
export const log = unary('log')
/** The square root. */
export const sqrt = unary('sqrt')
/** x² */
export const square = unary('square')
/** |x| */
export const abs = unary('abs')
/** -1, 0 or 1; its gradient is 0. */
export const sign = unary('sign')
/** 1 / x */
export const reciprocal = unary('reciprocal')
/** x to the power of a number. @param exponent a number, no expression */
export const pow = (x: Like, exponent: number): Expr => make('power', [x], { exponent })
/** x where it lies between two numbers, else the nearer of them. */
export const clip = (x: Like, min: number, max: number): Expr => make('clip', [x], { min, max })
/** The larger of two, number by number. For the largest along an axis: {@link max}. */
export const maximum = binary('max')
/** The smaller of two, number by number. For the smallest along an axis: {@link min}. */
export const minimum = binary('min')
/** 1 where a = b, else 0; without gradient. */
export const equal = binary('equal')
/** 1 where a < b, else 0; without gradient. */
export const less = binary('less')
/** 1 where a ≤ b, else 0; without gradient. */
export const lessEqual = binary('less_equal')
/** 1 where a > b, else 0; without gradient. */
export const greater = (a: Like, b: Like): Expr => less(b, a)
/** 1 where a ≥ b, else 0; without gradient. */
export const greaterEqual = (a: Like, b: Like): Expr => lessEqual(b, a)
/** 1 where a ≠ b, else 0; without gradient. */
export const notEqual = (a: Like, b: Like): Expr => sub(1, equal(a, b))
/** a where the condition is not 0, b elsewhere; all three are broadcast. */
export const where = (condition: Like, a: Like, b: Like): Expr => make('where', [condition, a, b])
/** The same value, through which no gradient goes. */
export const stopGradient = (x: Like): Expr => make('stop_gradient', [x])

let seeds = 0

/**
 * In training, zeros in place of a share p of the numbers, drawn anew by each call, and 1 / (1 - p)
 * times the others; else x. A call of a {@link fn} is training if it has updates, or as it is told.
 */
export const dropout = (x: Like, p: number): Expr => make('dropout', [x], { p, seed: seeds++ })

/** 1 in training, else 0. @see keras.backend.learning_phase */
export const learningPhase = (): Expr => make('phase', [], {}, 'learningPhase')
/** `x` in training, `alternative` else. */
export const inTrainPhase = (x: Like, alternative: Like): Expr =>
  where(learningPhase(), x, alternative)
/** `x` when not in training, `alternative` else. */
export const inTestPhase = (x: Like, alternative: Like): Expr =>
  where(learningPhase(), alternative, x)
