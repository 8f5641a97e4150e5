/**
 * What the writers of a model *as it predicts* share (ONNX, PyTorch): its calls in order, its
 * layers' arrays, and the settings that only we and Keras have.
 */
import { ConfigError, fail } from '../errors.js'
import type { Layer } from '../layers/base/layer.js'
import type { NDArray } from '../ndarray.js'
import { fusedValues } from './fused.js'

export type Config = Readonly<Record<string, unknown>>

/** A layer that is being written. */
export interface Written {
  readonly className: string
  readonly config: Config
  readonly layer: Layer
}

/** A layer, or a setting of it, that cannot be written. @throws ConfigError ERR_OPTION */
export type Unwritable = (
  layer: Layer,
  what: string,
  expected: string,
  actual: unknown,
  hint?: string,
) => never

/** @param format what cannot hold it: 'ONNX' */
export const refusing =
  (format: string): Unwritable =>
  ({ where }, what, expected, actual, hint) =>
    fail(ConfigError, 'ERR_OPTION', {
      where,
      layer: where,
      what,
      expected: `${expected}, to be written as ${format}`,
      actual: typeof actual === 'function' ? 'a function' : String(actual),
      ...(hint === undefined ? {} : { hint }),
    })

/**
 * Settings of recurrent layers that neither ONNX nor PyTorch has a word for.
 *
 * @param own configuration of the recurrent layer; `config` may be that of a Bidirectional
 */
export function checkRecurrent(
  { layer, config }: Written,
  own: Config,
  unwritable: Unwritable,
): void {
  const plain = {
    initial_state: 'zero',
    stateful: false,
    zero_output_for_mask: false,
    zoneout: 0,
    ...(config.layer ? { merge_mode: 'concat' } : {}),
  }
  for (const [key, value] of Object.entries(plain)) {
    const actual = key === 'merge_mode' ? config[key] : own[key]
    if (actual !== undefined && actual !== value) unwritable(layer, key, String(value), actual)
  }
}

/** A layer of a configuration, and the layers that it is called with. */
export interface Call {
  readonly name: string
  readonly className: string
  readonly config: Config
  readonly from: readonly string[]
}

/** What the writing needs of a model. */
export interface WritableModel {
  readonly layerClass: { readonly className: string }
  readonly flattenedLayers: readonly Layer[]
  getConfig(): unknown
}

/**
 * The calls of a model's layers in order, and the names of its outputs.
 *
 * @param format what it is written as
 * @throws ConfigError ERR_OPTION for a layer that is called twice
 */
export function callsOf(
  model: WritableModel,
  format: string,
): { calls: Call[]; outputs: string[] } {
  const config = model.getConfig()
  type Item = { class_name: string; config: Config; name: string; inbound_nodes: unknown[][] }
  if (Array.isArray(config)) {
    const list = config as Item[]
    const names = list.map((each) => String(each.config.name))
    const calls = list.map((each, i) => ({
      name: names[i]!,
      className: each.class_name,
      config: each.config,
      from: i === 0 ? [] : [names[i - 1]!],
    }))
    return { calls, outputs: names.slice(-1) }
  }
  const { layers, output_layers: out } = config as {
    layers: Item[]
    output_layers: [string, number, number][]
  }
  const calls = layers.map(({ class_name: className, config: own, name, inbound_nodes: nodes }) => {
    if (nodes.length > 1)
      fail(ConfigError, 'ERR_OPTION', {
        where: `${name} (${className})`,
        what: 'layer',
        expected: `called once, to be written as ${format}`,
        actual: `${nodes.length} calls`,
      })
    const from = ((nodes[0] ?? []) as [string][]).map(([each]) => each)
    return { name, className, config: own, from }
  })
  return { calls: inOrder(calls), outputs: out.map(([name]) => name) }
}

/** Calls after those that they need. */
function inOrder(calls: readonly Call[]): Call[] {
  const done = new Set<string>()
  const out: Call[] = []
  let open = [...calls]
  while (open.length > 0) {
    const ready = open.filter(({ from }) => from.every((name) => done.has(name)))
    if (ready.length === 0) break
    for (const call of ready) {
      done.add(call.name)
      out.push(call)
    }
    open = open.filter((call) => !done.has(call.name))
  }
  return out
}

/** A layer's arrays as Keras 2 has them: [kernel, recurrent kernel, bias]. */
export const arraysOf = (layer: Layer): NDArray[] => fusedValues(layer).map(({ value }) => value)
