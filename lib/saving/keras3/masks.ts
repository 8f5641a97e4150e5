/**
 * Masks in graphs of Keras 3. There the mask of an Embedding or a Masking layer is computed by
 * operations of the graph, and handed to each layer that reads it; here layers hand it on.
 */
import { type Config, isObject } from '../keras2/rule.js'

/** A tensor as the history of a functional model names it: `[layer, node, output]`. */
export function historyOf(value: unknown): readonly unknown[] | null {
  if (!isObject(value) || value.class_name !== '__keras_tensor__') return null
  const { keras_history: history } = isObject(value.config) ? value.config : {}
  return Array.isArray(history) ? history : null
}

/** The arguments of a layer's only call; none where it has several. */
function argumentsOf({ inbound_nodes: nodes }: Config): readonly unknown[] {
  const [node, ...others] = Array.isArray(nodes) ? (nodes as unknown[]) : []
  return isObject(node) && others.length === 0 && Array.isArray(node.args) ? node.args : []
}

/** A tensor and the number that is masked in it. */
const masking = (tensor: unknown, number: unknown): string | null => {
  const history = historyOf(tensor)
  return history && JSON.stringify([history, number])
}

/** The number that a layer masks in its input; null: it makes no mask. */
function maskedBy({ class_name: name, config }: Config): unknown {
  if (!isObject(config)) return null
  if (name === 'Masking') return config.mask_value
  return name === 'Embedding' && config.mask_zero === true ? 0 : null
}

const withoutMask = (node: unknown, isMask: (tensor: unknown) => boolean): unknown => {
  if (!isObject(node) || !isObject(node.kwargs) || !isMask(node.kwargs.mask)) return node
  const { mask: _mask, ...kwargs } = node.kwargs
  return { ...node, kwargs }
}

/**
 * The layers of a graph without the operations that make the mask of one of them, and without the
 * arguments that hand it on. A mask that is made otherwise stays.
 */
export function withoutMasks(layers: readonly unknown[]): readonly unknown[] {
  const known = new Set<string>()
  for (const layer of layers.filter(isObject)) {
    const number = maskedBy(layer)
    const mask = number === null ? null : masking(argumentsOf(layer)[0], number)
    if (mask !== null) known.add(mask)
  }
  const made = new Set<unknown>()
  const isMask = (tensor: unknown) => made.has(historyOf(tensor)?.[0])
  for (const layer of layers.filter(isObject)) {
    const [first, second] = argumentsOf(layer)
    const compares = layer.class_name === 'NotEqual' && known.has(masking(first, second) ?? '')
    const joins = layer.class_name === 'Any' && isMask(first)
    if (compares || joins) made.add(layer.name)
  }
  return layers
    .filter((layer) => !(isObject(layer) && made.has(layer.name)))
    .map((layer) =>
      isObject(layer) && Array.isArray(layer.inbound_nodes)
        ? { ...layer, inbound_nodes: layer.inbound_nodes.map((node) => withoutMask(node, isMask)) }
        : layer,
    )
}
