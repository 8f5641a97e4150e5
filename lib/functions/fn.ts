/** Functions of expressions: native code computes outputs and updates of one call. */
import { checkBoolean, checkOneOf, checkSignal } from '../call-options.js'
import type { WeightHolder } from '../engine/owner.js'
import { Runner } from '../engine/runner.js'
import { fail, StateError } from '../errors.js'
import { sameDims, showDims } from '../expressions/dims.js'
import { Expr, lift, Placeholder } from '../expressions/expr.js'
import { refuse, refuseShape } from '../expressions/place.js'
import { SharedVariable } from '../expressions/variables.js'
import type { Variable } from '../layers/base/variable.js'
import type { CallResult, NativeArray, NativePlan } from '../native.js'
import { describe, NDArray, type TensorLike } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { checkedArguments } from './arguments.js'
import { type LoweredFunction, lowerFunction } from './lowering.js'

/** What a variable becomes: `[w, add(w, v)]`. */
export type Update = readonly [variable: SharedVariable, value: Expr | number]

/** Options of {@link fn}. */
export interface FnOptions {
  /** What variables become after each call. Default: none. */
  updates?: readonly Update[]
  /** What messages call it. Default 'fn'. */
  name?: string
  /**
   * Whether dropout draws and `learningPhase()` is 1; default: whether there are updates. Where
   * `learningPhase()` is one of the inputs, each call says it.
   */
  training?: boolean
  /**
   * When a new value of a variable is not finite, no variable changes. 'warn' (default): one
   * process warning with code HIDDENSTATE_NAN; 'throw': the call rejects with ERR_NAN.
   */
  onNaN?: 'warn' | 'throw'
}

/** What a call gives: an array, or one for each output. */
export type FnResult<O extends Expr | readonly Expr[]> = O extends readonly Expr[]
  ? { -readonly [K in keyof O]: NDArray }
  : NDArray

/** A function that {@link fn} has made. */
export interface Fn<R> {
  /** Runs on the engine thread; calls of it, and of others with its variables, wait in a queue. */
  (...values: TensorLike[]): Promise<R>
  /**
   * The same at once, on this thread: the shortest way for small calls.
   *
   * @throws StateError ERR_BUSY while a call of it is under way
   */
  sync(...values: TensorLike[]): R
  /** The same as a call, with options: a signal ends the wait for its turn. */
  run(values: readonly TensorLike[], options?: { signal?: AbortSignal | null }): Promise<R>
  /** Frees the native memory; the variables keep their values. Later calls throw ERR_DISPOSED. */
  dispose(): void
  [Symbol.dispose](): void
}

/**
 * A function of expressions, as Theano's `function`: arrays in, arrays out, and variables that it
 * updates. All updates read the old values; they take effect together after the outputs are known,
 * or not at all when a number of theirs is not finite.
 *
 * @param inputs placeholders, in the order of the arguments; `learningPhase()` may be one
 * @param outputs an expression, or several
 * @returns a function: with its name, `await train(x, y)`
 * @throws ShapeError ERR_SHAPE; ConfigError ERR_OPTION
 * @example
 * import { fn, grad, mean, placeholder, shared, square } from 'hiddenstate/backend'
 * const [x, y] = [placeholder(['N', 1], 'x'), placeholder(['N', 1], 'y')]
 * const W = shared([[0]], 'W')
 * const cost = mean(square(x.dot(W).sub(y)))
 * const train = fn([x, y], cost, { updates: [[W, W.sub(grad(cost, W).mul(0.1))]] })
 * for (let i = 0; i < 50; i++) await train([[1], [2]], [[3], [6]])
 * console.log(W.getValue().data[0].toFixed(3)) // 3.000
 * @see theano.function, keras.backend.function
 */
export function fn<const O extends Expr | readonly Expr[]>(
  inputs: readonly Expr[],
  outputs: O,
  options: FnOptions = {},
): Fn<FnResult<O>> {
  const made = new FunctionOfExpressions(inputs, outputs, options)
  const result = (values: NDArray[]) =>
    (outputs instanceof Expr ? values[0] : values) as FnResult<O>
  const call = async (values: readonly TensorLike[], given?: object) =>
    result(await made.run(values, given))
  return Object.assign((...values: TensorLike[]) => call(values), {
    sync: (...values: TensorLike[]) => result(made.sync(values)),
    run: call,
    dispose: () => made.dispose(),
    [Symbol.dispose]: () => made.dispose(),
  })
}

/** For each variable the runner of a function that uses it: functions that share it take turns. */
const runners = new WeakMap<SharedVariable, Runner>()

/** The variables of a function, as its runner sees them. */
class Variables implements WeightHolder {
  constructor(readonly scopes: LoweredFunction['scopes']) {}

  get variables(): readonly Variable[] {
    return [...this.scopes.keys()].map(({ variable }) => variable)
  }
  attach(plan: NativePlan): void {
    for (const [{ variable }, scope] of this.scopes) variable.attach(plan, scope)
  }
  detach(plan: NativePlan): void {
    for (const variable of this.variables) variable.detach(plan)
  }
  isIn(plan: NativePlan): boolean {
    return this.variables.every((variable) => variable.isIn(plan))
  }
}

class FunctionOfExpressions {
  readonly #name: string
  readonly #inputs: readonly Expr[]
  readonly #placeholders: readonly Placeholder[]
  readonly #runner: Runner
  /** How many outputs it has. */
  readonly #outputs: number
  readonly #training: boolean
  readonly #onNaN: 'warn' | 'throw'
  #hasWarned = false

  constructor(inputs: readonly Expr[], outputs: Expr | readonly Expr[], given: FnOptions) {
    const options = resolveOptions<Required<FnOptions>>(
      'fn',
      { updates: [], name: 'fn', training: undefined as never, onNaN: 'warn' },
      given,
    )
    const { name, updates, training, onNaN } = options
    this.#name = name
    this.#inputs = checkedInputs(name, inputs)
    this.#placeholders = this.#inputs.filter((input) => input instanceof Placeholder)
    const list = [outputs].flat().map((output) => lift(output, `${name}: outputs`))
    this.#outputs = list.length
    this.#training =
      training === undefined ? updates.length > 0 : checkBoolean(name, 'training', training)
    this.#onNaN = checkOneOf(name, 'onNaN', onNaN, ['warn', 'throw'] as const)
    const graph = {
      inputs: this.#placeholders,
      outputs: list,
      updates: checkedUpdates(name, updates),
    }
    const lowered = lowerFunction(graph, name)
    this.#runner = this.#runnerOf(lowered)
  }

  #runnerOf({ spec, scopes }: LoweredFunction): Runner {
    const holders = [new Variables(scopes)]
    const runner = new Runner({
      layers: () => holders,
      spec: () => spec,
      names: () => new Map(),
      hyper: () => null,
      noun: 'function',
    })
    const others = new Set([...scopes.keys()].flatMap((one) => runners.get(one) ?? []))
    const [first, ...rest] = others
    for (const other of rest) other.checkUnused(this.#name)
    first?.join(runner)
    for (const other of rest) first!.join(other)
    for (const variable of scopes.keys()) runners.set(variable, runner)
    return runner
  }

  /** The arrays of a call for native code, and whether it is training. */
  #prepared(values: readonly TensorLike[]): { x: NativeArray[]; training: boolean } {
    const phase = this.#inputs.findIndex((input) => !(input instanceof Placeholder))
    const isGiven = phase >= 0 && phase < values.length
    const arrays = isGiven ? values.filter((_, i) => i !== phase) : values
    const x = checkedArguments(this.#name, this.#placeholders, arrays)
    const training = isGiven ? Boolean(Number(values[phase])) : this.#training
    return { x, training }
  }

  async run(values: readonly TensorLike[], given: object = {}): Promise<NDArray[]> {
    const runner = this.#runner
    runner.checkAlive(this.#name)
    const { signal: wanted } = resolveOptions<{ signal: unknown }>(
      this.#name,
      { signal: null },
      given,
    )
    const signal = checkSignal(this.#name, wanted)
    signal?.throwIfAborted()
    const { x, training } = this.#prepared(values)
    const data = runner.load({ x })
    if (training) runner.drawSeed()
    const turn = await runner.take(signal)
    try {
      const request = {
        mode: 'call',
        training,
        data: data.set,
        batchSize: 1,
        maxBatches: 1,
      } as const
      const { outputs, badBatch } = await runner.run(this.#name, request, signal)
      return this.#result({ outputs: outputs!, badBatch })
    } finally {
      data.dispose()
      turn.release()
    }
  }

  sync(values: readonly TensorLike[]): NDArray[] {
    const runner = this.#runner
    runner.checkUnused(this.#name)
    runner.checkStill(this.#name)
    const { x, training } = this.#prepared(values)
    if (training) runner.drawSeed()
    return this.#result(runner.callAtOnce({ x, training }))
  }

  #result({ outputs, badBatch }: CallResult): NDArray[] {
    if (badBatch >= 0) this.#tellOfNaN()
    return outputs
      .slice(0, this.#outputs)
      .map(({ data, shape }) => new NDArray(data, shape.slice(1)))
  }

  #tellOfNaN(): void {
    const failure = {
      where: this.#name,
      what: 'new values of variables',
      expected: 'finite',
      actual: 'a number that is not',
      hint: 'The call changed no variable. Lower the learning rate, or look for such data.',
    }
    if (this.#onNaN === 'throw') fail(StateError, 'ERR_NAN', failure)
    if (this.#hasWarned) return
    this.#hasWarned = true
    const { where, what, expected, actual, hint } = failure
    process.emitWarning(`${where}: ${what} must be ${expected}, got ${actual}. ${hint}`, {
      code: 'HIDDENSTATE_NAN',
    })
  }

  dispose(): void {
    this.#runner.dispose()
  }
}

const labelOf = (value: unknown): string => (value instanceof Expr ? value.label : describe(value))

function checkedInputs(where: string, inputs: readonly Expr[]): readonly Expr[] {
  if (!Array.isArray(inputs))
    refuse({ where, what: 'inputs', expected: 'a list of placeholders', actual: describe(inputs) })
  for (const [i, input] of (inputs as readonly unknown[]).entries()) {
    const isInput = input instanceof Placeholder || (input instanceof Expr && input.op === 'phase')
    if (!isInput)
      refuse({
        where,
        what: `inputs[${i}]`,
        expected: 'a placeholder or learningPhase()',
        actual: labelOf(input),
      })
    if (inputs.indexOf(input as Expr) < i)
      refuse({
        where,
        what: `inputs[${i}]`,
        expected: 'another',
        actual: `${labelOf(input)} again`,
      })
  }
  return [...inputs]
}

function checkedUpdates(
  where: string,
  updates: readonly Update[],
): (readonly [SharedVariable, Expr])[] {
  const seen = new Set<SharedVariable>()
  return updates.map((update) => {
    const [variable, given]: readonly unknown[] = Array.isArray(update) ? update : []
    if (!(variable instanceof SharedVariable))
      return refuse({
        where,
        what: 'an update',
        expected: '[variable, value] of a shared variable',
        actual: labelOf(variable ?? update),
      })
    if (seen.has(variable))
      refuse({
        where,
        what: 'updates',
        expected: 'of different variables',
        actual: `two of ${variable.label}`,
      })
    seen.add(variable)
    const value = lift(given, `${where}: update of ${variable.label}`)
    if (!sameDims(variable.shape, value.shape))
      refuseShape({
        where,
        what: `update of ${variable.label}`,
        expected: showDims(variable.shape),
        actual: showDims(value.shape),
      })
    return [variable, value]
  })
}
