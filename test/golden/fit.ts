/**
 * g_fit: histories, the full log of callback events, evaluate and predict afterwards;
 * default configurations; errors.
 */
import { Callback } from '../package.js'
import type { Check } from './compare.js'
import { type Made, makeDefault } from './default-configs.js'
import {
  type CompileCase,
  type ModelCase,
  compile,
  find,
  give,
  list,
  options,
  ready,
} from './driver.js'
import { checkErrors } from './errors.js'
import type { Case, Golden } from './loader.js'
import { NOT_YET } from './not-yet.js'
import { type Suite, golden } from './suite.js'

type Logs = Record<string, number>
type Event = [hook: string, at?: number | Logs, logs?: Logs]

interface FitCase extends ModelCase, CompileCase {
  args: Record<string, unknown>
  /** Training data, then validation data. */
  inputs: [Golden, Golden]
  targets: [Golden, Golden]
  sample_weight: Golden
  events: Event[]
  history: Record<string, number[]>
  epochs: number[]
  weights_after: Golden[]
  evaluate: number[]
  evaluate_weighted: number[]
  metrics_names: string[]
  predict: Golden
  predict_classes: Golden
  predict_proba: Golden
  final_lr: number
}

/** Callbacks of a case: class, positional arguments, options (as in make/gen_fit.py). */
const CALLBACKS: Record<string, [string, ...unknown[]]> = {
  'fit/lr_scheduler': ['LearningRateScheduler', (epoch: number) => 0.1 / (epoch + 1)],
  'fit/early_stopping': ['EarlyStopping', { monitor: 'loss', minDelta: 0.05, patience: 1 }],
  'fit/early_stopping_val': ['EarlyStopping', { monitor: 'val_acc', patience: 0, mode: 'max' }],
  'fit/reduce_lr': [
    'ReduceLROnPlateau',
    { monitor: 'loss', factor: 0.5, patience: 0, epsilon: 0.2, cooldown: 1, minLr: 0.01 },
  ],
}

/**
 * As the generator compiled; the `optimizer`
 * of a case is what it had become by the end (`final_lr`).
 */
const COMPILED = {
  optimizer: { class_name: 'SGD', config: { lr: 0.1 } },
  loss: 'categorical_crossentropy',
  metrics: ['accuracy', 'mae'],
}
const BATCH = 8

/** Writes down every call of a hook, as the generator's callback did. */
class Recorder extends Callback {
  readonly events: Event[] = []
  #note(hook: string, at?: number | Logs, logs?: object): void {
    const event: Event =
      at === undefined ? [hook] : logs === undefined ? [hook, at] : [hook, at, { ...logs } as Logs]
    this.events.push(event)
  }
  override onTrainBegin(): void {
    this.#note('train_begin', { ...this.params } as never)
  }
  override onTrainEnd(): void {
    this.#note('train_end')
  }
  override onEpochBegin(epoch: number, logs?: object): void {
    this.#note('epoch_begin', epoch, logs ?? {})
  }
  override onEpochEnd(epoch: number, logs?: object): void {
    this.#note('epoch_end', epoch, logs ?? {})
  }
  override onBatchBegin(batch: number, logs?: object): void {
    this.#note('batch_begin', batch, logs ?? {})
  }
  override onBatchEnd(batch: number, logs?: object): void {
    this.#note('batch_end', batch, logs ?? {})
  }
}

/** Losses follow Keras to 1e-3; an accuracy is a count, so it must agree almost exactly. */
const tolerance = (key: string): [number, number] =>
  key.endsWith('acc') ? [1e-4, 1e-3] : [1e-5, 1e-3]

function checkEvents(got: Event[], expected: Event[], check: Check): void {
  const order = (events: Event[]): unknown =>
    events.map(([hook, at]) => [hook, typeof at === 'number' ? at : null])
  check.equal('order of callback calls', order(got), order(expected))
  for (const [i, [hook, at, logs]] of expected.entries()) {
    if (typeof at !== 'number' || !logs) continue
    const seen = got[i]?.[2] ?? {}
    check.equal(`logs of ${hook} ${at}`, Object.keys(seen).sort(), Object.keys(logs).sort())
    for (const [key, value] of Object.entries(logs))
      check.close(`${hook} ${at} ${key}`, seen[key] ?? Number.NaN, value, ...tolerance(key))
  }
  const params = expected[0]?.[1] as unknown as Record<string, unknown>
  const seen = got[0]?.[1] as unknown as Record<string, unknown>
  for (const [key, value] of Object.entries(options(params)))
    check.equal(`params.${key}`, seen?.[key], value)
}

async function checkFit(c: FitCase, check: Check): Promise<void> {
  const model = ready(c)
  compile(model, COMPILED)
  check.equal('metricsNames', model.metricsNames, c.metrics_names)
  const [x, xVal] = c.inputs.map(give) as [never, never]
  const [y, yVal] = c.targets.map(give) as [never, never]
  const { validation_data, sample_weight, ...plain } = c.args
  const recorder = new Recorder()
  const callbacks: Callback[] = [recorder]
  const extra = CALLBACKS[c.name]
  if (extra) {
    const [name, ...args] = extra
    callbacks.push(new (find<new (...a: unknown[]) => Callback>(name))(...args))
  }
  const history = await model.fit(x, y, {
    ...options(plain),
    callbacks,
    ...(validation_data ? { validationData: [xVal, yVal] as never } : {}),
    ...(sample_weight ? { sampleWeight: give(c.sample_weight) } : {}),
  })
  check.equal('history.epoch', history.epoch, c.epochs)
  check.equal('history keys', Object.keys(history.history).sort(), Object.keys(c.history).sort())
  for (const [key, values] of Object.entries(c.history))
    check.close(`history.${key}`, history.history[key] ?? [], values, ...tolerance(key))
  checkEvents(recorder.events, c.events, check)
  for (const [i, w] of model.getWeights().entries())
    check.close(
      `${c.weight_names?.[i] ?? i} after fit`,
      w,
      c.weights_after[i] as Golden,
      1e-4,
      1e-3,
    )
  check.close('final lr', (model.optimizer as unknown as { lr: number }).lr, c.final_lr, 1e-7, 1e-6)

  const plainScore = await model.evaluate(x, y, { batchSize: BATCH, verbose: 0 })
  check.close('evaluate', list(plainScore), c.evaluate, 1e-4, 1e-3)
  const weighted = await model.evaluate(x, y, {
    batchSize: BATCH,
    verbose: 0,
    sampleWeight: give(c.sample_weight),
  })
  check.close('evaluate with weights', list(weighted), c.evaluate_weighted, 1e-4, 1e-3)
  check.close('predict', await model.predict(x, { batchSize: BATCH }), c.predict, 1e-4, 1e-3)
  check.close(
    'predictProba',
    await model.predictProba(x, { verbose: 0 }),
    c.predict_proba,
    1e-4,
    1e-3,
  )
  const classes = await model.predictClasses(x, { verbose: 0 })
  check.equal('predictClasses', Array.from(classes.data), Array.from(c.predict_classes.data))
}

/** Names are automatic and hyper-parameters come back rounded to float32. */
function comparable(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(comparable)
  if (node && typeof node === 'object') {
    // a layer's: its name is automatic; a regularizer's name is its class
    const config = 'trainable' in node
    const entries = Object.entries(node).filter(([key]) => !(config && key === 'name'))
    return Object.fromEntries(
      entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, comparable(v)]),
    )
  }
  return typeof node === 'number' ? Number(node.toPrecision(6)) : node
}

/** Recorded, but with nothing to compare. */
const NO_DEFAULT: Record<string, string> = {
  Lambda: 'its configuration is Python byte code',
  Merge: 'Keras itself failed: a Merge that was never called has no configuration',
}

function defaultConfigs(c: Case, check: Check): void {
  for (const [name, expected] of Object.entries(c.configs as Record<string, unknown>)) {
    if (NO_DEFAULT[name]) continue
    const made: Made = makeDefault(name)
    if ('absent' in made) {
      check.ok(
        `${name}: ${made.absent} is neither exported nor in not-yet.ts`,
        NOT_YET.has(made.absent),
      )
      continue
    }
    check.equal(name, comparable(made.config), comparable(expected))
  }
}

const suite: Suite<FitCase | Case> = {
  name: 'g_fit',
  floatx: ['float32'],
  needs: (c) => (CALLBACKS[c.name] ? [CALLBACKS[c.name]?.[0] as string] : []),
  run(c, check) {
    if (c.name === 'default_configs') return defaultConfigs(c, check)
    if (c.name === 'errors') return checkErrors(c.errors as never, check)
    return checkFit(c as FitCase, check)
  },
}

export const register = (): void => golden(suite)
