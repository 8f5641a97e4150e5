/**
 * The name of a layer: given by the user, counted, or made from that of the layer it is a copy of.
 */
import { ConfigError, fail } from '../../errors.js'
import { describe } from '../../ndarray.js'
import { noteRename, uniqueName } from './names.js'
import { normalizeOption } from './option-rules.js'
import { ParameterOwner } from './weights.js'

/** The part of a layer that has its name. */
export abstract class NamedLayer extends ParameterOwner {
  abstract readonly layerClass: { readonly className: string }
  #name = ''
  /** Whether nobody has chosen the name, so that a model may choose another. */
  #isCounted = false
  /** Layers whose name is this one's with a prefix. */
  readonly #namesakes: { layer: NamedLayer; prefix: string }[] = []
  /** The layer whose name this one has, with a prefix. */
  #leader: NamedLayer | null = null

  /** @param name null: one that nobody has yet in this process */
  protected begin(name: string | null): void {
    this.#isCounted = name === null
    this.#name = name ?? this.#counted()
  }

  /**
   * Unique within a model; the stem of its parameters' names in `getWeights`, files and errors. May
   * be set at any time: weights and optimizer state stay, and files have the new name. In Keras
   * 1.2.2 the parameters keep the old one.
   * @throws ConfigError `ERR_OPTION` for what cannot be a name, and for the two layers inside a
   *   Bidirectional, which are called as the layer that was wrapped
   */
  get name(): string {
    return this.#name
  }

  set name(name: string) {
    if (this.#leader) {
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: 'name',
        expected: `that of ${this.#leader.where}, the wrapped layer, with a prefix`,
        actual: describe(name),
        hint: 'Set the name of that layer: bidirectional.options.layer.name.',
      })
    }
    this.#call(
      (normalizeOption(this.where, 'name', name, null) as string | null) ?? this.#counted(),
    )
    this.#isCounted = name === null
    noteRename()
  }

  #counted(): string {
    return uniqueName(this.layerClass.className.toLowerCase())
  }

  #call(name: string): void {
    this.#name = name
    for (const { layer, prefix } of this.#namesakes) layer.#call(prefix + name)
  }

  /** @internal From now on the other layer is called as this one, with `prefix` in front. */
  leads(layer: NamedLayer, prefix: string): void {
    this.#namesakes.push({ layer, prefix })
    layer.#leader = this
    layer.#call(prefix + this.name)
  }

  /** @internal The first layer that is called as this one, and does its work. */
  get standIn(): NamedLayer | undefined {
    return this.#namesakes[0]?.layer
  }

  /** @internal Takes another name while it is one of `taken`, unless somebody chose it. */
  avoidNames(taken: ReadonlySet<string>): void {
    const named = this.#leader ?? this
    while (named.#isCounted && taken.has(this.name)) named.#call(named.#counted())
  }
}
