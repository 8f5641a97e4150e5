import type { Variable } from '../layers/base/variable.js'
import { loadNative, type NativeArray, type NativeOutputs, type NativePlan } from '../native.js'
import type { Spec } from '../spec.js'
import type { Runner } from './runner.js'

/** A plan that reads the weights which lie in the plan of a model; it predicts whole batches. */
export class PlanBeside {
  readonly #spec: Spec
  readonly #variables: ReadonlyMap<string, Variable>
  #plan: NativePlan | null = null
  /** The plan whose weights #plan reads. */
  #of: NativePlan | null = null

  /** @param variables for each path of a parameter in the Spec what it is the value of */
  constructor(spec: Spec, variables: ReadonlyMap<string, Variable>) {
    this.#spec = spec
    this.#variables = variables
  }

  /** The plan for the weights that are in `owner`, made anew when that is another one. */
  at(owner: NativePlan): NativePlan {
    if (this.#plan && this.#of === owner) return this.#plan
    const params = this.#spec.params.map((param) => ({
      ...param,
      from: this.#variables.get(param.path)!.planPath,
    }))
    const plan = loadNative().compile({ ...this.#spec, params }, owner)
    this.dispose()
    this.#plan = plan
    this.#of = owner
    return plan
  }

  /**
   * Predicts in the queue of the model's calls; the caller holds a turn.
   *
   * @param inputs is asked when the weights are in the plan of the model
   * @throws as `Runner.run`
   */
  async run(runner: Runner, call: string, inputs: () => NativeArray[]): Promise<NativeOutputs> {
    const plan = this.at(await runner.whole(call))
    const data = plan.load({ x: inputs() })
    try {
      const request = { mode: 'predict', data, batchSize: data.samples, maxBatches: 1 } as const
      return (await runner.running(call, plan, request)).outputs!
    } finally {
      data.dispose()
    }
  }

  /** Predicts at once, on this thread; the caller has checked that it may. */
  runAtOnce(runner: Runner, inputs: () => NativeArray[]): NativeOutputs {
    const plan = this.at(runner.filledPlan())
    return plan.predict({ x: inputs() })
  }

  /** Frees its memory; it may be used again. */
  dispose(): void {
    this.#plan?.dispose()
    this.#plan = null
    this.#of = null
  }
}
