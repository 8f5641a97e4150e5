/** The layers of a model: as others see them, what they are called, what they compute in. */
import { type Precision, floatx as globalFloatx } from '../../backend.js'
import { ConfigError, fail } from '../../errors.js'
import type { Layer } from './layer.js'
import { noteRename, renames } from './names.js'

/** Layers and those inside them. */
export const withChildren = (layers: readonly Layer[]): Layer[] =>
  layers.flatMap((layer) => [layer, ...withChildren(layer.children)])

/**
 * The same without models and the layers inside them: a name in a model may be used outside of it,
 * too.
 */
const outsideModels = (layers: readonly Layer[]): Layer[] =>
  layers.flatMap((layer) => (layer.isScope ? [] : [layer, ...outsideModels(layer.children)]))

export const CHANGE = 'model.add(layer) and model.pop() change the layers.'

/** A frozen list whose `pop`, `push` and the like say how layers are changed. */
function fixed(layers: readonly Layer[]): readonly Layer[] {
  const list = [...layers]
  for (const call of [
    'pop',
    'push',
    'shift',
    'unshift',
    'splice',
    'sort',
    'reverse',
    'fill',
    'copyWithin',
  ]) {
    const value = () =>
      fail(ConfigError, 'ERR_OPTION', {
        where: `model.layers.${call}`,
        what: 'list of layers',
        expected: 'left as it is',
        actual: `a call of ${call}`,
        hint: CHANGE,
      })
    Object.defineProperty(list, call, { value })
  }
  return Object.freeze(list)
}

export class Members {
  readonly list: Layer[] = []
  /** The list as users get it: another one after each change. Null: to be made when asked for. */
  #frozen: readonly Layer[] | null = null
  /** The layers and those inside them. */
  #everyLayer = new Set<Layer>()
  /** The first of them that has a precision of its own. */
  #withPrecision: Layer | null = null
  /** Names that are taken, when {@link renames} was #namesAt. */
  #names = new Set<string>()
  #namesAt = -1

  get frozenList(): readonly Layer[] {
    return (this.#frozen ??= fixed(this.list))
  }

  /** Puts layers at the end. They have their names and their precision already. */
  admit(layers: readonly Layer[]): void {
    // a Merge brings the names in its branches
    if (this.list.length === 0) this.#namesAt = -1
    else for (const each of [...layers, ...outsideModels(layers)]) this.#names.add(each.name)
    this.list.push(...layers)
    this.#frozen = null
    for (const each of withChildren(layers)) {
      this.#everyLayer.add(each)
      if (each.precision !== null) this.#withPrecision ??= each
    }
  }

  /** Removes the last layer. */
  pop(): void {
    this.list.pop()
    this.#frozen = null
    this.#namesAt = -1
    this.#everyLayer = new Set(withChildren(this.list))
    if (this.#withPrecision && !this.#everyLayer.has(this.#withPrecision))
      this.#withPrecision = [...this.#everyLayer].find((each) => each.precision !== null) ?? null
  }

  /**
   * Changes names that nobody chose so that no layer of the model has them: the counts in them
   * begin anew in each process, and a model may come from a file.
   *
   * @param layer the one that is added
   * @param beside gives further layers whose names are taken
   */
  avoidNames(layer: Layer, beside: () => readonly Layer[]): void {
    const added = layer.built ? [] : outsideModels([layer])
    if (this.#namesAt !== renames()) {
      this.#names = new Set([...outsideModels(this.list), ...beside()].map((each) => each.name))
      this.#namesAt = renames()
    }
    for (const each of added) each.avoidNames(this.#names)
  }

  /**
   * The precision of the model when `layers` are part of it.
   *
   * @throws ConfigError ERR_OPTION for two that differ
   */
  precisionWith(layers: readonly Layer[]): Precision {
    const added = withChildren(layers).filter((each) => each.precision !== null)
    const first = this.#withPrecision ?? added[0]
    const other = added.find((each) => each.precision !== first!.precision)
    if (other) {
      fail(ConfigError, 'ERR_OPTION', {
        where: other.where,
        layer: other.where,
        what: 'dtype',
        expected: `'${first!.precision}', as that of ${first!.where}`,
        actual: `'${other.precision}'`,
        hint: 'A model computes in one precision.',
      })
    }
    return first?.precision ?? this.list[0]?.floatx ?? globalFloatx()
  }
}

/**
 * Layers of a graph have names that differ: those that nobody chose change where they must.
 *
 * @throws ConfigError ERR_OPTION for a chosen name that two have
 */
export function giveNames(where: string, layers: readonly Layer[]): void {
  const taken = new Map<string, Layer>()
  for (const layer of layers) {
    const before = layer.name
    layer.avoidNames(new Set(taken.keys()))
    if (layer.name !== before) noteRename()
    const other = taken.get(layer.name)
    if (other) {
      fail(ConfigError, 'ERR_OPTION', {
        where,
        layer: layer.where,
        what: 'layer names',
        expected: 'unique',
        actual: `'${layer.name}' twice: ${other.where} and ${layer.where}`,
        hint: 'Give one of the layers another `name`: set layer.name.',
      })
    }
    taken.set(layer.name, layer)
  }
}
