/**
 * A model that goes step by step: which values are sequences that it goes through, and the states
 * that its recurrent layers get from outside and give back.
 */
import { ConfigError, fail } from '../../errors.js'
import type { Graph, Value } from '../../spec.js'
import type { Variable } from './variable.js'

/** A layer, as far as refusals go. */
interface Stepping {
  readonly where: string
  stepsAt(stepped: readonly boolean[]): readonly boolean[]
}

/** A state of a recurrent layer in one of its places. */
export interface StepState {
  /** The place: the layer's name, in the second place with ':2' behind it. */
  readonly layer: string
  /** 'h' */
  readonly name: string
  /** Without the batch. */
  readonly shape: readonly number[]
  /** The parameter that it begins with; null: zeros. */
  readonly begins: Variable | null
  /** Values of the graph: before the first of the steps, and after the last. */
  readonly before: string
  readonly after: string
}

/** A state on its way into an op. */
export type StateBefore = Pick<StepState, 'name' | 'shape' | 'begins'> & { readonly value: Value }

/** What a {@link Graph} of steps knows besides its ops. */
export class Steps {
  readonly states: StepState[] = []
  readonly #sequences = new Set<string>()
  /** How often each layer has been met. */
  readonly #places = new Map<string, number>()

  /** Whether the graph goes through it step by step. */
  has(value: Value): boolean {
    return this.#sequences.has(value.name)
  }

  /** From now on the graph goes through the value, of any number of steps. */
  add(value: Value): Value {
    this.#sequences.add(value.name)
    return { ...value, shape: [null, ...value.shape.slice(1)] }
  }

  /** What a layer has made of its inputs, known for sequences where they are such. */
  made(layer: Stepping, inputs: readonly Value[], outputs: readonly Value[]): readonly Value[] {
    const stepped = layer.stepsAt(inputs.map((input) => this.has(input)))
    return outputs.map((value, i) => (stepped[i] ? this.add(value) : value))
  }

  /** The states of a layer that reads x, as inputs of the graph. */
  enter(graph: Graph, states: readonly Omit<StateBefore, 'value'>[]): StateBefore[] {
    return states.map((state) => ({ ...state, value: graph.input(state.shape) }))
  }

  /**
   * What they are after the steps.
   * @param place the layer, as the graph calls it
   */
  leave(place: string, states: readonly StateBefore[], after: readonly Value[]): void {
    const times = (this.#places.get(place) ?? 0) + 1
    this.#places.set(place, times)
    const layer = times > 1 ? `${place}:${times}` : place
    for (const [i, { value, ...state }] of states.entries())
      this.states.push({ ...state, layer, before: value.name, after: after[i]!.name })
  }
}

/** @throws ConfigError ERR_OPTION for a layer that needs more of a sequence than one step */
export function refuseSteps({ where }: { where: string }, actual: string, hint: string): never {
  return fail(ConfigError, 'ERR_OPTION', {
    where: 'model.session',
    layer: where,
    what: where,
    expected: 'a layer that goes through a sequence step by step',
    actual,
    hint,
  })
}
