/** Makes the graph of calls of a configuration. Keras 1.2.2 engine/topology.py, `from_config`. */
import { ConfigError, fail } from '../errors.js'
import type { Decode, Layer } from '../layers/base/layer.js'
import type { Tensor } from '../layers/base/tensor.js'
import { describe } from '../ndarray.js'
import { isRecord } from '../per-name.js'

/** `[layer, node_index, tensor_index]`, and, in Keras 2, the keyword arguments of the call. */
type Place = readonly [layer: string, node: number, tensor: number]

/** A layer with the calls that are still to be made. */
interface Pending {
  readonly name: string
  readonly layer: Layer
  readonly calls: (readonly Place[])[]
  made: number
}

const refuse = (where: string, what: string, expected: string, value: unknown): never =>
  fail(ConfigError, 'ERR_OPTION', { where, what, expected, actual: describe(value) })

function listOf(where: string, what: string, value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : refuse(where, what, 'a list', value)
}

function placeOf(where: string, value: unknown): Place {
  const [layer, node, tensor, keywords = {}] = Array.isArray(value) ? (value as unknown[]) : []
  const isCount = (n: unknown) => Number.isInteger(n) && (n as number) >= 0
  if (typeof layer !== 'string' || !isCount(node) || !isCount(tensor))
    return refuse(where, 'tensor', '[layer, node_index, tensor_index]', value)
  if (!isRecord(keywords) || Object.keys(keywords).length > 0) {
    const actual = JSON.stringify(keywords)?.slice(0, 200) ?? 'nothing'
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'arguments of a call',
      expected: 'none',
      actual,
    })
  }
  return [layer, node as number, tensor as number]
}

/** `input_layers` and `output_layers`; newer files write one place without the list around it. */
function placesOf(where: string, what: string, value: unknown): Place[] {
  const list = listOf(where, what, value)
  const all = typeof list[0] === 'string' ? [list] : list
  if (all.length === 0) refuse(where, what, 'one tensor or more', value)
  return all.map((each, i) => placeOf(`${where}: ${what}[${i}]`, each))
}

/** Gives a layer its name: a nested Sequential has none in its own configuration. */
function named(layer: Layer, name: string): Layer {
  if (layer.name !== name) layer.name = name
  return layer
}

/**
 * @param config `{ name, layers, input_layers, output_layers }`
 * @param decode makes the layers
 * @throws ConfigError ERR_OPTION, ERR_UNKNOWN_NAME; ShapeError ERR_SHAPE
 */
export function graphFromConfig(
  where: string,
  config: Readonly<Record<string, unknown>>,
  decode: Decode,
): { input: Tensor[]; output: Tensor[] } {
  const layers = new Map<string, Pending>()
  for (const [i, entry] of listOf(where, 'layers', config.layers).entries()) {
    const place = `layers[${i}]`
    if (!isRecord(entry)) return refuse(where, place, '{ name, class_name, config }', entry)
    const { name, inbound_nodes: nodes = [] } = entry
    if (typeof name !== 'string') return refuse(where, `${place}.name`, 'a string', name)
    if (layers.has(name)) return refuse(where, `${place}.name`, 'one that no other has', name)
    const calls = listOf(where, `${place}.inbound_nodes`, nodes).map((node) =>
      listOf(where, `${place}.inbound_nodes`, node).map((each) =>
        placeOf(`${where}: ${place}`, each),
      ),
    )
    layers.set(name, { name, layer: named(decode(entry, place), name), calls, made: 0 })
  }
  /** The tensor; null: its call is still to be made. */
  const tensorAt = (asking: string, [name, index, tensor]: Place): Tensor | null => {
    const found = layers.get(name)
    if (!found)
      return refuse(where, `layer for ${asking}`, `one of ${[...layers.keys()].join(', ')}`, name)
    const { layer, calls } = found
    const at = layer.isScope ? index - 1 : index
    const node = layer.nodes[at]
    if (node) {
      const { outputs } = node
      return (
        outputs[tensor] ??
        refuse(where, `tensor_index for ${asking}`, `below ${outputs.length}`, tensor)
      )
    }
    if (at >= 0 && at < calls.length) return null
    return refuse(where, `node_index for ${asking}`, `one of ${calls.length} calls`, index)
  }
  callAll([...layers.values()], tensorAt, (names) =>
    refuse(where, 'graph', 'without a circle', names.join(', ')),
  )
  const tensors = (what: string) =>
    placesOf(where, what, config[what]).map((place) => tensorAt(what, place)!)
  return { input: tensors('input_layers'), output: tensors('output_layers') }
}

/**
 * Makes all calls, each as soon as the tensors that it needs are there; those of a layer in order.
 *
 * @param refuseCircle is given the names of layers whose calls need one another
 */
function callAll(
  layers: readonly Pending[],
  tensorAt: (asking: string, place: Place) => Tensor | null,
  refuseCircle: (names: readonly string[]) => never,
): void {
  let pending = layers.filter(({ calls }) => calls.length > 0)
  while (pending.length > 0) {
    let made = 0
    for (const each of pending) {
      for (; each.made < each.calls.length; each.made++, made++) {
        const inputs = each.calls[each.made]!.map((place) => tensorAt(each.name, place))
        if (inputs.includes(null)) break
        each.layer.call(inputs as Tensor[])
      }
    }
    pending = pending.filter((each) => each.made < each.calls.length)
    if (made === 0) refuseCircle(pending.map(({ name }) => name))
  }
}
