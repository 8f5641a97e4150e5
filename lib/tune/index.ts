/** The public `hiddenstate/tune`: sweeps over parameters. */
export { readSweep, tune } from './tune.js'
export type { TuneOptions } from './settings.js'
export {
  choice,
  type Condition,
  type Dimension,
  type DimensionOptions,
  int,
  type IntOptions,
  logUniform,
  type Params,
  type Space,
  uniform,
  type Value,
  type Values,
} from './space.js'
export { type Sampler, tpe, type TpeOptions } from './samplers.js'
export { asha, type AshaOptions, type Pruner } from './pruners.js'
export {
  type Objective,
  type Trial,
  TrialReporter,
  type TrialReporterOptions,
} from './trial.js'
export type { Direction, TrialRecord, TrialState } from './records.js'
export type { CompleteTrial, PictureOptions, Sweep } from './sweep.js'
export type { TableOptions } from './table.js'
export type { Theme } from './picture.js'
