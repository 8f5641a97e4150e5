/** A native parameter as TypeScript sees it, and Keras' arrays as slices of it. */
import { type Precision, keptIn } from '../../backend.js'
import { fail, InternalError, ShapeError } from '../../errors.js'
import { floats, type Recipe } from '../../initializations.js'
import type { Floats, NativePlan } from '../../native.js'
import {
  describe,
  dtypeOf,
  isArrayObject,
  NDArray,
  shapeText,
  sizeOf,
  type TensorLike,
  type TypedArray,
} from '../../ndarray.js'
import { runAtOnce, type SlicedWork } from '../../sliced-work.js'

/**
 * What of an array has a scale where it is rounded to few bits: each index of the last axis, or of
 * the first, or of both together where the axes between are one matrix each.
 */
export type Scales = 'columns' | 'rows' | 'matrices'

/** What a variable must know of its layer. */
interface VariableOwner {
  readonly name: string
  readonly floatx: Precision
}

/** An initial value that is being made, or is made and not in a plan yet. */
interface Initial {
  readonly precision: 'float32' | 'float64'
  readonly making: SlicedWork<Floats>
  data: Floats | null // [dims]
}

/** How many numbers one step writes into a plan. */
const PART = 2 ** 20

/** The parts of an array that go into a plan one after the other, each with its first position. */
export function* partsOf(data: Floats): Generator<[data: Floats, from: number]> {
  for (let from = 0; from < data.length; from += PART)
    yield [data.subarray(from, from + PART) as Floats, from]
}

/**
 * One native parameter; owns its value until a plan does. It begins with a recipe, from which the
 * value is made when it is needed.
 */
export class Variable {
  /** The name native code knows it by inside its layer: 'W'. */
  readonly param: string
  /** False for statistics that no gradient reaches. */
  readonly trainable: boolean
  /** Null: its numbers are never rounded. */
  readonly scales: Scales | null
  #dims: readonly number[]
  /**
   * Whether weights with extents of 1 may still make axes shared:
   * true until an op uses the variable.
   */
  #sharable: boolean
  readonly #owner: VariableOwner
  /**
   * Makes the initial value; null once that is in a plan or replaced.
   * Until then the precision may change.
   */
  #madeBy: Recipe | null
  #initial: Initial | null = null
  // [dims], rounded when read; null while there is a recipe, or the value is in the plan
  #data: Floats | null = null
  #plan: NativePlan | null = null
  #written = 0 // how many of its numbers are in the plan already
  #planPath = '' // how #plan calls it

  /**
   * @param owner says name and precision, which may change
   */
  constructor(
    param: string,
    dims: readonly number[],
    recipe: Recipe,
    owner: VariableOwner,
    {
      trainable = true,
      sharable = false,
      scales = dims.length > 1 ? 'columns' : null,
    }: {
      trainable?: boolean | undefined
      sharable?: boolean | undefined
      scales?: Variable['scales'] | undefined
    } = {},
  ) {
    this.param = param
    this.#dims = [...dims]
    this.trainable = trainable
    this.scales = scales
    this.#sharable = sharable
    this.#owner = owner
    this.#madeBy = recipe
  }

  get dims(): readonly number[] {
    return this.#dims
  }

  get size(): number {
    return sizeOf(this.dims)
  }

  /** Whether an array of another shape may be written, by which axes become shared. */
  adopts(shape: readonly number[]): boolean {
    const { dims } = this
    return (
      this.#sharable &&
      shape.length === dims.length &&
      shape.every((extent, i) => extent === 1 || extent === dims[i])
    )
  }

  /** Whether it has the shape of another, or would take it on. */
  couldBe(other: Variable): boolean {
    return this.dims.join() === other.dims.join() || this.adopts(other.dims)
  }

  /** Takes on a shape that it {@link adopts}; its numbers are to be written next. */
  adopt(shape: readonly number[]): void {
    this.#dims = [...shape]
    this.#data = new Float64Array(this.size)
    this.#forget()
  }

  #forget(): void {
    this.#madeBy = null
    this.#initial = null
  }

  get #precision(): 'float32' | 'float64' {
    return keptIn(this.#owner.floatx)
  }

  /** Zeros, [dims], in its precision. */
  blank(): Floats {
    return floats(this.#precision, this.size)
  }

  /**
   * Does one step of making the initial value, if it is not made yet,
   * and of moving the value into the plan, if there is one.
   * @returns whether nothing is left to do
   * @throws InternalError `ERR_OUT_OF_MEMORY`
   */
  fillStep(): boolean {
    if (!this.#isOutside) return true
    const data = this.#data ?? this.#makeStep()
    if (!data) return false
    if (!this.#plan) return true
    const part = data.subarray(this.#written, this.#written + PART) as Floats
    this.#plan.write(this.#planPath, { data: part, shape: [part.length] }, this.#written)
    this.#written += part.length
    if (this.#written < data.length) return false
    this.#data = null
    this.#forget()
    return true
  }

  /** Whether the value is still to be made, or to go into the plan. */
  get #isOutside(): boolean {
    return this.#madeBy !== null || this.#data !== null
  }

  /** The initial value; null while steps of making it are left. */
  #makeStep(): Floats | null {
    const precision = this.#precision
    if (this.#initial?.precision !== precision)
      this.#initial = { precision, making: this.#madeBy!.make(precision), data: null }
    const initial = this.#initial
    if (initial.data) return initial.data
    try {
      const step = initial.making.next()
      if (step.done) initial.data = step.value
    } catch (error) {
      this.#initial = null // a generator that has thrown is at its end
      throw error
    }
    return initial.data
  }

  /** The initial value, made now. */
  #made(): Floats {
    for (;;) {
      const data = this.#makeStep()
      if (data) return data
    }
  }

  /** From now on the shape stays. */
  settle(): void {
    this.#sharable = false
  }

  /** `layer/param`, as the layer is called now: 'lstm_1/W'. */
  get path(): string {
    return `${this.#owner.name}/${this.param}`
  }

  /**
   * What the plan that has the value calls it: as the layer was called when the plan was made, the
   * models it is inside in front.
   */
  get planPath(): string {
    return this.#planPath
  }

  /** A copy of the value, from the plan when attached. */
  read(): Floats {
    if (this.#madeBy) return this.#made().slice()
    if (this.#data)
      return this.#owner.floatx === 'float64'
        ? new Float64Array(this.#data)
        : new Float32Array(this.#data)
    if (!this.#plan)
      return fail(InternalError, 'ERR_INTERNAL', {
        where: this.path,
        what: 'value',
        expected: 'data or a plan',
        actual: 'neither',
      })
    return this.#plan.read(this.#planPath).data
  }

  /** Replaces the value; the length must be that of `dims`. */
  write(value: ArrayLike<number>): void {
    this.#check(value)
    if (this.#plan) this.take(isFloats(value) ? value : new Float64Array(value))
    else this.take(value instanceof Float32Array ? value.slice() : new Float64Array(value))
  }

  /** Replaces the value by numbers, [dims], that nobody else keeps. */
  take(data: Floats): void {
    this.#plan?.write(this.#planPath, { data, shape: this.dims })
    this.#data = this.#plan ? null : data
    this.#forget()
  }

  /**
   * Says which plan the value belongs to, wherever it is now; {@link fillStep} moves it there.
   * @param layer what the plan calls the layer
   */
  attach(plan: NativePlan, layer: string): void {
    if (this.#plan === plan) return // in another place of the model
    const path = `${layer}/${this.param}`
    if (!this.#isOutside) this.#data = this.read()
    this.#plan = plan
    this.#planPath = path
    this.#written = 0
  }

  /** Takes the value back from a plan (before it is disposed), if it is there. */
  detach(plan: NativePlan): void {
    if (this.#plan !== plan) return
    if (!this.#isOutside) this.#data = this.read()
    this.#plan = null
  }

  /** Whether the value is in this plan. */
  isIn(plan: NativePlan): boolean {
    return this.#plan === plan
  }

  #check(value: ArrayLike<number>): void {
    if (value.length === this.size) return
    fail(ShapeError, 'ERR_SHAPE', {
      where: this.path,
      what: 'value',
      expected: `${this.size} numbers for ${shapeText(this.dims)}`,
      actual: `${value.length}`,
    })
  }
}

const isFloats = (value: ArrayLike<number>): value is Floats =>
  value instanceof Float32Array || value instanceof Float64Array

/** One entry of `getWeights()`, of a weight file, or (for moments) of the optimizer's state. */
export interface KerasArray {
  /** Keras' variable name: 'lstm_1_W_i'. */
  readonly name: string
  readonly variable: Variable
  /** Slice of the variable's last axis; null: all of it. */
  readonly columns: readonly [from: number, to: number] | null
  /** As Keras has it. */
  readonly shape: readonly number[]
  /**
   * Whether an optimizer changes it: the variable is trainable
   * and so are its layer and what wraps that.
   */
  readonly trainable: boolean
  /** Axes along which a kernel that was trained on TensorFlow runs the other way. */
  readonly flips?: readonly number[]
  /**
   * Whether Keras 2 has it beside others along the last axis,
   * instead of stacked along a new first one.
   */
  readonly besideOthers?: boolean
  /** How older files hold it: the shape there, and which of its axes each axis of `shape` is. */
  readonly older?: { readonly shape: readonly number[]; readonly axes: readonly number[] }
}

/** Columns [from, to) of the last axis of `data` [dims]. */
export function sliceColumns(
  data: Floats,
  dims: readonly number[],
  columns: KerasArray['columns'],
): Floats {
  if (!columns) return data
  const [from, to] = columns
  const width = dims.at(-1) ?? 1
  const rows = data.length / width
  const out =
    data instanceof Float64Array
      ? new Float64Array(rows * (to - from))
      : new Float32Array(rows * (to - from))
  for (let r = 0; r < rows; r++)
    out.set(data.subarray(r * width + from, r * width + to), r * (to - from))
  return out
}

/** Writes `part` into columns [from, to) of the last axis of `data` [dims], in place, in steps. */
function* merging(
  data: Floats,
  dims: readonly number[],
  columns: KerasArray['columns'],
  part: TypedArray,
): SlicedWork<void> {
  const width = dims.at(-1) ?? 1
  const [from, to] = columns ?? [0, width]
  const own = to - from
  const rows = data.length / width
  const step = Math.ceil(PART / own)
  for (let begin = 0; begin < rows; begin += step) {
    const end = Math.min(rows, begin + step)
    if (own === width) data.set(part.subarray(begin * own, end * own), begin * own)
    else
      for (let r = begin; r < end; r++)
        data.set(part.subarray(r * own, (r + 1) * own), r * width + from)
    yield
  }
}

/**
 * Reads many Keras arrays; each variable is fetched once.
 * @param fetch where to get a variable's numbers:
 *   its value by default, a moment for the optimizer's state
 */
export function readKerasArrays(
  arrays: readonly KerasArray[],
  fetch: (variable: Variable) => Floats = (v) => v.read(),
): NDArray[] {
  const values = new Map<Variable, Floats>()
  return arrays.map(({ variable, columns, shape }) => {
    let value = values.get(variable)
    if (!value) values.set(variable, (value = fetch(variable)))
    return NDArray.from(sliceColumns(value, variable.dims, columns), [...shape])
  })
}

/** How errors call an array: 'lstm_1/W_i'. */
function pathOf({ name, variable: { path } }: KerasArray): string {
  const layer = path.slice(0, path.lastIndexOf('/'))
  return `${layer}/${name.slice(layer.length + 1)}`
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((extent, i) => extent === b[i])

/** Variables of which the arrays have all columns: what these held before need not be read. */
function wholeVariables(arrays: readonly KerasArray[]): Set<Variable> {
  const parts = new Map<Variable, Map<number, number>>() // first column: how many
  for (const { variable, columns } of arrays) {
    const [from, to] = columns ?? [0, variable.dims.at(-1) ?? 1]
    parts.set(variable, (parts.get(variable) ?? new Map()).set(from, to - from))
  }
  const isWhole = ([variable, widths]: [Variable, Map<number, number>]) =>
    [...widths.values()].reduce((sum, width) => sum + width, 0) === (variable.dims.at(-1) ?? 1)
  return new Set([...parts].filter(isWhole).map(([variable]) => variable))
}

/**
 * Writes many Keras arrays, all or none: shapes are checked before the first number changes.
 * @param where who asks, for errors: 'lstm_1 (LSTM)'
 * @throws ShapeError `ERR_SHAPE` when the number of arrays or a shape differs.
 */
export function writeKerasArrays(...given: Parameters<typeof writingKerasArrays>): void {
  runAtOnce(writingKerasArrays(...given))
}

/** {@link writeKerasArrays} in steps; those of `store` are the last. */
export function* writingKerasArrays(
  where: string,
  arrays: readonly KerasArray[],
  values: readonly TensorLike[],
  fetch: (variable: Variable) => Floats = (v) => v.read(),
  store: (variable: Variable, data: Floats) => Iterable<void> = (v, data) => [v.take(data)],
): SlicedWork<void> {
  if (!Array.isArray(values)) {
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'weights',
      expected: `a list of ${arrays.length} arrays`,
      actual: describe(values),
    })
  }
  if (values.length !== arrays.length) {
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'weights',
      expected: `${arrays.length} arrays (${arrays.map((a) => a.name).join(', ')})`,
      actual: `${values.length}`,
    })
  }
  const given = values.map((value) => {
    const numbers = (isArrayObject(value) ? value.data : value) as ArrayLike<number>
    // the variable rounds them to its precision
    return NDArray.from(value, undefined, dtypeOf(numbers) ? undefined : 'float64')
  })
  for (const [i, array] of arrays.entries()) {
    const { shape } = array
    const got = (given[i] as NDArray).shape
    if (sameShape(got, shape) || array.variable.adopts(got)) continue
    const transposed = got.length === 2 && got[0] === shape[1] && got[1] === shape[0]
    fail(ShapeError, 'ERR_SHAPE', {
      where: pathOf(array),
      what: 'shape',
      expected: shapeText(shape),
      actual: shapeText(got),
      hint: transposed ? 'Transposed?' : undefined,
    })
  }
  for (const [i, { variable, shape }] of arrays.entries()) {
    const got = (given[i] as NDArray).shape
    if (!sameShape(got, shape)) variable.adopt(got)
  }
  const whole = wholeVariables(arrays)
  const changed = new Map<Variable, Floats>()
  for (const [i, { variable, columns }] of arrays.entries()) {
    let data = changed.get(variable)
    if (!data)
      changed.set(variable, (data = whole.has(variable) ? variable.blank() : fetch(variable)))
    yield* merging(data, variable.dims, columns, (given[i] as NDArray).data)
  }
  for (const [variable, data] of changed) yield* store(variable, data)
}

/**
 * The arrays of several places of a model. Those of a variable are listed in its first place, and
 * train if they do so in any place.
 */
export function inFirstPlace(places: readonly (readonly KerasArray[])[]): KerasArray[] {
  const first = new Map<Variable, number>()
  const trained = new Set<Variable>()
  for (const [i, arrays] of places.entries())
    for (const { variable, trainable } of arrays) {
      if (!first.has(variable)) first.set(variable, i)
      if (trainable) trained.add(variable)
    }
  return places.flatMap((arrays, i) =>
    arrays
      .filter(({ variable }) => first.get(variable) === i)
      .map((array) => ({ ...array, trainable: trained.has(array.variable) })),
  )
}
