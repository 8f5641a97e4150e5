/**
 * i_functional: functional models as Keras builds, trains, saves and refuses them. Each is made
 * from its JSON and, where a program is recorded, by calls of layers.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  HiddenstateError,
  Input,
  loadModel,
  merge,
  Model,
  modelFromJson,
  modelFromYaml,
  Sequential,
} from '../package.js'
import type { Check } from './compare.js'
import { camel, find, give, list, optimizer, options } from './driver.js'
import { type Case, dataFile, type Golden, type LayerConfig, rows } from './loader.js'
import { golden, type Suite } from './suite.js'

// biome-ignore lint/suspicious/noExplicitAny: recorded cases have any fields
type Any = any
interface FunctionalCase extends Case {
  kind: string
  // biome-ignore lint/suspicious/noExplicitAny: as above
  [field: string]: any
}

const isArray = (v: Any): v is Golden => v !== null && typeof v === 'object' && 'dtype' in v
/** Arrays in lists and records, as the package takes them. */
const deep = (v: Any): Any => {
  if (isArray(v)) return give(v)
  if (Array.isArray(v)) return v.map(deep)
  if (v === null || typeof v !== 'object') return v
  return Object.fromEntries(Object.entries(v).map(([k, each]) => [k, deep(each)]))
}
const one = (v: Golden[]): Any => (v.length === 1 ? give(v[0]!) : v.map(give))
const asList = (v: Any): Any[] => (Array.isArray(v) ? v : [v])

const fromGraph = (graph: object): Model => modelFromJson<Model>(JSON.stringify(graph))
function compile(model: Model, c: Any, changes: object = {}): void {
  const { optimizer: given, ...rest } = c
  const made =
    typeof given === 'string'
      ? given
      : optimizer({ ...given, config: { ...given.config, ...changes } } as LayerConfig)
  model.compile({ optimizer: made as never, ...options(rest) } as never)
}
function ready(c: FunctionalCase): Model {
  const model = fromGraph(c.graph)
  model.setWeights(c.weights.map(give))
  for (const [name, trainable] of c.set_trainable ?? [])
    model.getLayer({ name })!.trainable = trainable
  return model
}
const weighting = (c: FunctionalCase): Any => ({
  ...(c.sample_weight ? { sampleWeight: deep(c.sample_weight) } : {}),
})

function all(check: Check, what: string, got: Any, expected: Golden[], abs = 1e-5, rel = 1e-5) {
  const arrays = asList(got)
  check.equal(`${what}: outputs`, arrays.length, expected.length)
  for (const [i, e] of expected.entries()) check.close(`${what} ${i}`, arrays[i], e, abs, rel)
}

/** What Keras itself changes when it reads its own JSON is not compared. */
function norm(o: Any): Any {
  if (Array.isArray(o)) return o.map(norm)
  if (o === null || typeof o !== 'object')
    return typeof o === 'number' ? Number(o.toPrecision(6)) : o
  const r: Any = {}
  for (const k of Object.keys(o).sort())
    if (k !== 'keras_version' && !(o.class_name === 'Sequential' && k === 'name')) r[k] = norm(o[k])
  if (r.class_name && r.class_name !== 'InputLayer' && r.config && !Array.isArray(r.config)) {
    delete r.config.batch_input_shape
    delete r.config.input_dtype
    if (r.config.layer?.class_name === 'Sequential') delete r.config.layer.name
  }
  return r
}
const lines = (text: string) => text.split('\n').map((line) => line.trimEnd())

function texts(model: Model, c: FunctionalCase, check: Check): void {
  check.equal('toJson', norm(JSON.parse(model.toJson())), norm(c.graph))
  const again = modelFromYaml<Model>(c.yaml)
  check.equal('modelFromYaml', norm(JSON.parse(again.toJson())), norm(c.graph))
  let summary = ''
  model.summary({ print: (text) => (summary = text) })
  check.equal('summary', lines(summary).join('\n'), lines(c.summary.trimEnd()).join('\n'))
  check.equal('inputNames', model.inputNames, c.input_names)
  check.equal('outputNames', model.outputNames, c.output_names)
  check.equal(
    'layers',
    model.layers.map(({ name }) => name),
    c.layer_names,
  )
  check.equal('countParams', model.countParams(), c.count_params)
}

function history(check: Check, got: Record<string, number[]>, expected: Record<string, number[]>) {
  check.equal('history', Object.keys(got).sort(), Object.keys(expected).sort())
  for (const [key, values] of Object.entries(expected)) {
    check.close(`history.${key}`, got[key], values, /acc/.test(key) ? 1e-4 : 1e-5, 1e-3)
  }
}

async function model(c: FunctionalCase, check: Check): Promise<void> {
  const m = ready(c)
  const [x, rowsOfX] = [one(c.inputs), c.inputs[0].shape[0]]
  for (const [i, w] of m.getWeights().entries()) check.close('weight', w, c.weights[i], 0, 0)
  all(check, 'predict', await m.predict(x, { batchSize: rowsOfX }), c.predict)
  if (c.stateful) {
    all(check, 'second', await m.predict(x, { batchSize: rowsOfX }), c.second_predict)
    m.resetStates()
  } else {
    all(check, 'in twos', await m.predict(x, { batchSize: 2 }), c.predict)
    all(check, 'sync', m.predictOnBatchSync(x), c.predict)
  }
  texts(m, c, check)
  const last = c.program.findLastIndex((s: Any) => /^(Model|Sequential)$/.test(s.op))
  const why = await errorOf(async () => {
    const built = await build(c.program.slice(0, last + 1))
    built.setWeights(c.weights.map(give))
    all(check, 'built', await built.predict(x, { batchSize: rowsOfX }), c.predict)
  })
  check.ok(`built by calls: ${why}`, why === null)
  if (!c.compile) return
  const y = one(c.targets)
  const classes = c.class_weight ? { classWeight: c.class_weight } : {}
  compile(m, c.compile)
  check.equal('metricsNames', m.metricsNames, c.metrics_names)
  check.close('test', list(await m.testOnBatch(x, y, weighting(c))), c.test_on_batch, 2e-6, 2e-5)
  m.resetStates()
  const scores = list(await m.trainOnBatch(x, y, { ...weighting(c), ...classes }))
  check.close('train', scores, c.train_on_batch, 2e-6, 2e-5)
  for (const [i, w] of m.getWeights().entries()) {
    const [from, to] = [c.weights[i].data, c.weights_after[i].data]
    const change = Array.from(w.data, (v, k) => v - from[k])
    const expected = Array.from(to as Float32Array, (v, k) => v - from[k])
    check.close(`change of ${c.weight_names[i]}`, change, expected, 1e-6, 1e-4)
  }
  if (!c.fit) return
  const q = ready(c)
  compile(q, c.compile, { lr: c.fit.lr })
  const how = { batchSize: c.fit.batch_size, nbEpoch: c.fit.nb_epoch, shuffle: false, verbose: 0 }
  const { history: logs } = await q.fit(x, y, { ...how, ...weighting(c), ...classes } as never)
  history(check, logs, c.fit.history)
  for (const [i, w] of q.getWeights().entries())
    check.close(`${c.weight_names[i]} after fit`, w, c.fit.weights_after[i], 1e-4, 1e-3)
  q.resetStates()
  const said = { batchSize: c.fit.batch_size, verbose: 0 as const, ...weighting(c) }
  check.close('evaluate', list(await q.evaluate(x, y, said)), c.evaluate, 1e-4, 1e-3)
}

async function fit(c: FunctionalCase, check: Check): Promise<void> {
  const m = ready(c)
  compile(m, c.compile)
  const byName = (names: string[], v: Golden[]) =>
    c.how === 'dict' ? Object.fromEntries(names.map((n, i) => [n, give(v[i]!)])) : one(v)
  const X = (v: Golden[]) => byName(c.input_names, v)
  const Y = (v: Golden[]) => byName(c.output_names, v)
  const args: Any = Object.fromEntries(Object.entries(c.args).map(([k, v]) => [camel(k), v]))
  let logs: Any
  if (c.generator) {
    const { batches: n, batch_size: size } = c.generator
    const part = (v: Any, q: number): Any => {
      if (isArray(v)) return rows(v, q * size, (q + 1) * size)
      if (Array.isArray(v)) return v.map((each) => part(each, q))
      return Object.fromEntries(Object.entries(v).map(([k, each]) => [k, part(each, q)]))
    }
    const cycle = function* (xs: Golden[], ys: Golden[], ws?: Any): Generator<Any> {
      for (let q = 0; ; q = (q + 1) % n)
        yield [X(part(xs, q)), Y(part(ys, q)), ...(ws ? [deep(part(ws, q))] : [])]
    }
    if (c.val_generator) {
      args.validationData = cycle(c.val_inputs, c.val_targets)
      args.nbValSamples = n * size
    } else if (c.val_inputs) args.validationData = [X(c.val_inputs), Y(c.val_targets)]
    const source = cycle(c.inputs, c.targets, c.sample_weight)
    logs = await m.fitGenerator(source, { ...args, verbose: 0 })
    const valSamples = { valSamples: n * size }
    const scores = await m.evaluateGenerator(cycle(c.inputs, c.targets), valSamples)
    check.close('evaluateGenerator', list(scores), c.evaluate_generator, 1e-4, 1e-3)
    const p = await m.predictGenerator(cycle(c.inputs, c.targets), valSamples)
    all(check, 'predictGenerator', p, c.predict_generator, 1e-4, 1e-3)
  } else {
    const weights = c.val_sample_weight ? [deep(c.val_sample_weight)] : []
    if (c.val_inputs) args.validationData = [X(c.val_inputs), Y(c.val_targets), ...weights]
    const classes = c.class_weight ? { classWeight: c.class_weight } : {}
    const rest = { ...args, verbose: 0, shuffle: false, ...weighting(c), ...classes }
    logs = await m.fit(X(c.inputs), Y(c.targets), rest)
  }
  history(check, logs.history, c.history)
  for (const [i, w] of m.getWeights().entries())
    check.close(`${c.weight_names[i]} after fit`, w, c.weights_after[i], 1e-4, 1e-3)
  const said = { batchSize: c.eval_batch_size, verbose: 0 as const }
  const scores = list(await m.evaluate(X(c.inputs), Y(c.targets), said))
  check.close('evaluate', scores, c.evaluate, 1e-4, 1e-3)
}

const file = (name: string) => dataFile(name.replace(/^h5\//, 'functional/'))

async function h5(c: FunctionalCase, check: Check): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'golden-'))
  const [x, y] = [one(c.inputs), one(c.targets)]
  const predicts = async (what: string, m: Model) => {
    all(check, what, await m.predict(x, { batchSize: c.inputs[0].shape[0] }), c.predict)
    m.resetStates()
  }
  try {
    const m = await loadModel<Model>(file(c.h5))
    await predicts('loaded', m)
    check.equal('metricsNames', m.metricsNames, c.metrics_names)
    texts(m, c, check)
    await m.save(path.join(folder, 'ours.h5'))
    const again = await loadModel<Model>(path.join(folder, 'ours.h5'))
    await predicts('saved and loaded', again)
    for (const each of [m, again]) {
      for (const scores of c.resumed_after_load)
        check.close('resumed', list(await each.trainOnBatch(x, y)), scores, 1e-5, 2e-4)
      for (const [i, w] of each.getWeights().entries())
        check.close('weights after', w, c.weights_after_resume[i], 1e-4, 1e-3)
    }
    const json = modelFromJson<Model>(readFileSync(file(c.json), 'utf8'))
    await json.loadWeights(file(c.weights_h5))
    await predicts('JSON', json)
    const yaml = modelFromYaml<Model>(readFileSync(file(c.yaml_file), 'utf8'))
    await yaml.loadWeights(file(c.weights_h5))
    await predicts('YAML', yaml)
    await json.saveWeights(path.join(folder, 'weights.h5'))
    const last = fromGraph(c.graph)
    await last.loadWeights(path.join(folder, 'weights.h5'))
    await predicts('our weights', last)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function byName(c: FunctionalCase, check: Check): Promise<void> {
  const m = ready(c)
  const loading = m.loadWeights(file(c.weights_h5), { byName: true })
  if (c.shapes_changed || c.keras_exception) return isTyped(check, await errorOf(() => loading))
  await loading
  for (const [i, w] of m.getWeights().entries())
    check.close(c.weight_names[i], w, c.weights_after[i], 0, 0)
  all(check, 'predict', await m.predict(one(c.inputs)), c.predict)
}

function text(c: FunctionalCase, check: Check): void {
  const m = fromGraph(c.graph)
  texts(m, c, check)
  check.equal('getConfig', norm(m.getConfig()), norm(c.get_config))
  for (const { index, name } of c.get_layer)
    for (const which of [{ index }, { name }])
      check.equal('getLayer', m.getLayer(which)?.name, name)
}

const errorOf = async (use: () => unknown): Promise<unknown> => {
  try {
    await use()
    return null
  } catch (error) {
    return error
  }
}
function isTyped(check: Check, error: unknown): void {
  const typed = error instanceof HiddenstateError && error.code !== 'ERR_INTERNAL'
  check.ok(`an error of the package, got ${error}`, typed)
}

async function error(c: FunctionalCase, check: Check): Promise<void> {
  const thrown = await errorOf(async () => {
    if (!c.graph) return build(c.program)
    const m = fromGraph(c.graph)
    if (c.compile) compile(m, c.compile)
    if (!c.call) return undefined
    const extra = { fit: { nbEpoch: 1, verbose: 0 }, evaluate: { verbose: 0 } }[c.call as string]
    const given = options(c.opts ?? {})
    const rest = c.opts || extra ? [{ ...deep(given), ...extra }] : []
    return (m as Any)[camel(c.call)](...c.args.map(deep), ...rest)
  })
  check.ok('survived', true)
  if (c.must || thrown !== null) isTyped(check, thrown)
}

const POSITIONAL: Record<string, string[]> = { l1l2: ['l1', 'l2'], maxnorm: ['m', 'axis'] }

/** A model by the calls that were recorded. */
async function build(steps: Any[]): Promise<Any> {
  const made: Any[] = []
  const at = (i: Any): Any => (Array.isArray(i) ? i.map((each) => made[each]) : made[i])
  const value = (v: Any): Any => {
    if (Array.isArray(v)) return v.map(value)
    if (v === null || typeof v !== 'object') return v
    if (v.ref !== undefined) return made[v.ref]
    if (v.class) return layer(v)
    if (!v.fn) return record(v)
    const names = POSITIONAL[v.fn] ?? ['l']
    const given = v.args.map((arg: Any, i: number) => [names[i]!, arg])
    return find<(o: object) => Any>(camel(v.fn))(Object.fromEntries(given))
  }
  const record = (v: object): Any =>
    Object.fromEntries(Object.entries(v).map(([k, each]) => [camel(k), value(each)]))
  const layer = (s: Any): Any => {
    const keywords = record(s.kwargs ?? {})
    const rest = Object.keys(keywords).length > 0 ? [keywords] : []
    return new (find<new (...args: Any[]) => Any>(s.class))(...s.args.map(value), ...rest)
  }
  for (const s of steps) {
    if (s.op === 'Input') made.push(Input(record(s.kwargs)))
    else if (s.op === 'layer') made.push(layer(s.layer))
    else if (s.op === 'call') made.push(made[s.layer].call(at(s.on)))
    else if (s.op === 'item') made.push(made[s.of][s.index])
    else if (s.op === 'merge') made.push(merge(at(s.on), record(s.kwargs)))
    else if (s.op === 'Model')
      made.push(new Model({ input: at(s.inputs), output: at(s.outputs), ...record(s.kwargs) }))
    else if (s.op === 'trainable') made.push((made[s.of].trainable = s.value))
    else if (s.op === 'Sequential') made.push(new Sequential(s.layers.map(value), record(s.kwargs)))
    else throw new Error(`no step ${s.op}`)
  }
  return made.at(-1)
}

const KINDS: Record<string, (c: FunctionalCase, check: Check) => Promise<void> | void> = {
  model,
  fit,
  h5,
  by_name: byName,
  text,
  error,
}

const suite: Suite<FunctionalCase> = {
  name: 'i_functional',
  floatx: ['float32'],
  needs: () => [],
  run: (c, check) => KINDS[c.kind]!(c, check),
}

export const register = (): void => golden(suite)
