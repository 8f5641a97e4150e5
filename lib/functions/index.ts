/**
 * `hiddenstate/backend`: expressions, and functions of them. Keras 1's backend by its names.
 *
 * @module backend
 */
export * from '../expressions/activations.js'
export * from '../expressions/arranging.js'
export * from '../expressions/elementwise.js'
export { Expr, type Like } from '../expressions/expr.js'
export type { Dim, Dims } from '../expressions/dims.js'
export { grad } from '../expressions/gradient.js'
export * from '../expressions/objectives.js'
export { placeholder } from '../expressions/placeholder.js'
export * from '../expressions/products.js'
export * from '../expressions/reductions.js'
export { scan, type ScanOptions, type ScanStep } from '../expressions/scan.js'
export { ones, SharedVariable, shared, weights, zeros } from '../expressions/variables.js'
export { fn, type Fn, type FnOptions, type FnResult, type Update } from './fn.js'
export { checkGradient, type GradientCheck } from './check-gradient.js'
export * from './ctc.js'
export * from './keras.js'
export { rnn, type RnnOptions, type RnnStep } from '../expressions/rnn.js'
