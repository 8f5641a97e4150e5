/** Initial values of parameters. Keras 1.2.2 `keras.initializations`, in its 'th' order of fans. */
import { ConfigError, fail, nearest, ShapeError } from './errors.js'
import { type Floats, loadNative } from './native.js'
import { allocate, describe } from './ndarray.js'
import { resolveOptions } from './options.js'
import { type RandomStream, takeStream } from './random.js'
import { runAtOnce, type SlicedWork } from './sliced-work.js'

/**
 * A function that makes initial values: shape in, numbers in C order out. Files hold no code: a
 * configuration says the layer's default instead of a function, and a warning `HIDDENSTATE_CONFIG`
 * tells so once a process.
 */
export type Initializer = (shape: readonly number[]) => ArrayLike<number>
/** What an option for an initialization takes. */
export type Init = InitName | Initializer

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** How the axes of a kernel lie: 'th' [out, in, …], 'tf' [rows, columns, …, in, out]. */
export type Ordering = 'th' | 'tf'

/**
 * Fans as Keras 1.2.2 counts them: a matrix [in, out]; kernels of 4 or 5 axes; any other shape
 * sqrt(product) for both.
 */
export function fans(
  shape: readonly number[],
  ordering: Ordering = 'th',
): { fanIn: number; fanOut: number } {
  const [a = 1, b = 1, ...rest] = shape
  if (shape.length === 2) return { fanIn: a, fanOut: b }
  if (shape.length === 4 || shape.length === 5) {
    if (ordering === 'th') return { fanIn: b * size(rest), fanOut: a * size(rest) }
    return { fanIn: (shape.at(-2) ?? 1) * a * b, fanOut: (shape.at(-1) ?? 1) * a * b }
  }
  return { fanIn: Math.sqrt(size(shape)), fanOut: Math.sqrt(size(shape)) }
}

/** Precision of numbers that are kept. */
type Kept = 'float32' | 'float64'

/**
 * Makes the initial values of a parameter:
 * the same ones each time, in an array that the caller may keep.
 */
export interface Recipe {
  make(precision: Kept): SlicedWork<Floats>
}

/** Makes initial values from the random numbers of a stream. */
interface Formula {
  /** How many words of 32 bits it draws. */
  words: number
  make(stream: RandomStream, precision: Kept): SlicedWork<Floats>
}

/**
 * How many numbers one step makes, in some tenths of a millisecond.
 * Even, since normal ones come in pairs.
 */
const STEP = 2 ** 14

/** `n` zeros of this precision. */
export const floats = (precision: Kept, n: number): Floats => allocate(precision, n) as Floats

/** `n` numbers that `fill` draws, in pairs or one by one. */
function drawn(
  n: number,
  isPaired: boolean,
  fill: (stream: RandomStream, part: Float64Array) => Float64Array,
): Formula {
  const all = isPaired ? n + (n % 2) : n
  return {
    words: 2 * all,
    *make(stream, precision) {
      const out = floats(precision, n)
      const part = new Float64Array(Math.min(STEP, all))
      for (let at = 0; at < n; at += STEP) {
        out.set(fill(stream, part).subarray(0, n - at), at)
        yield
      }
      return out
    },
  }
}

/** Rows that a step copies. */
export const rowsAtOnce = (columns: number): number => Math.ceil(STEP / columns)

const within = (shape: readonly number[], s: number): Formula =>
  drawn(size(shape), false, (stream, part) => stream.fill(part, -s, 2 * s))
const around = (shape: readonly number[], s: number): Formula =>
  drawn(size(shape), true, (stream, part) => stream.fillNormal(part, 0, s))

/** Initial values without random numbers. */
const fixed = (n: number, write: (out: Floats) => unknown): Formula => ({
  words: 0,
  // biome-ignore lint/correctness/useYield: one step
  *make(_stream, precision) {
    const out = floats(precision, n)
    write(out)
    return out
  },
})

const both = ({ fanIn, fanOut }: { fanIn: number; fanOut: number }) => fanIn + fanOut

/** The rules of initializers with a scale, whose numbers are made later, as those of names are. */
const scaledRules = new WeakMap<Initializer, Rule>()

/** An initializer with a scale; configurations write its name alone, as Keras does. */
function scaled(
  name: InitName,
  options: { scale?: number },
  byDefault: number,
  formula: (shape: readonly number[], scale: number) => Formula,
): Initializer {
  const { scale } = resolveOptions(name, { scale: byDefault }, options)
  if (!Number.isFinite(scale)) {
    fail(ConfigError, 'ERR_OPTION', {
      where: name,
      what: 'scale',
      expected: 'a finite number',
      actual: describe(scale),
    })
  }
  const initializer: Initializer = (shape) => initialize(initializer, shape)
  scaledRules.set(initializer, (shape) => formula(shape, scale))
  return Object.defineProperty(initializer, 'name', { value: name })
}

/**
 * U(±scale). Default scale 0.05, as the string `'uniform'` has it.
 * @throws ConfigError `ERR_OPTION`
 * @example
 * import { Dense, uniform } from 'hiddenstate'
 * const layer = new Dense(8, { init: uniform({ scale: 0.1 }) })
 * @see keras.initializations.uniform
 */
export const uniform = (options: { scale?: number } = {}): Initializer =>
  scaled('uniform', options, 0.05, within)
/**
 * N(0, scale²). Default scale 0.05, as the string `'normal'` has it.
 * @throws ConfigError `ERR_OPTION`
 * @example
 * import { normal, SimpleRNN } from 'hiddenstate'
 * const layer = new SimpleRNN(8, { init: normal({ scale: 0.001 }), inputShape: [20, 1] })
 * @see keras.initializations.normal
 */
export const normal = (options: { scale?: number } = {}): Initializer =>
  scaled('normal', options, 0.05, around)
/**
 * Orthonormal rows or columns, times `scale`. Default 1.1, as the string `'orthogonal'` has it.
 * @throws ConfigError `ERR_OPTION`
 * @see keras.initializations.orthogonal
 */
export const orthogonal = (options: { scale?: number } = {}): Initializer =>
  scaled('orthogonal', options, 1.1, orthogonalMatrix)
/**
 * `scale` times the unit matrix; only for square matrices.
 * Default 1, as the string `'identity'` has it.
 * @throws ConfigError `ERR_OPTION`; ShapeError `ERR_SHAPE` when a layer needs another shape
 * @example
 * import { identity, SimpleRNN } from 'hiddenstate'
 * // an IRNN
 * const layer = new SimpleRNN(8, { innerInit: identity({ scale: 0.9 }), inputShape: [20, 1] })
 * @see keras.initializations.identity
 */
export const identity = (options: { scale?: number } = {}): Initializer =>
  scaled('identity', options, 1, identityMatrix)

type Rule = (shape: readonly number[], ordering?: Ordering) => Formula
/** Types the rules and keeps their names. */
const rules = <Name extends string>(table: Record<Name, Rule>) => table

const table = rules({
  /** U(-0.05, 0.05). */
  uniform: (shape) => within(shape, 0.05),
  /** N(0, 0.05). */
  normal: (shape) => around(shape, 0.05),
  /** U(±sqrt(3 / fanIn)). */
  lecun_uniform: (shape, o) => within(shape, Math.sqrt(3 / fans(shape, o).fanIn)),
  /** U(±sqrt(6 / (fanIn + fanOut))). */
  glorot_uniform: (shape, o) => within(shape, Math.sqrt(6 / both(fans(shape, o)))),
  /** N(0, sqrt(2 / (fanIn + fanOut))), not truncated. */
  glorot_normal: (shape, o) => around(shape, Math.sqrt(2 / both(fans(shape, o)))),
  /** U(±sqrt(6 / fanIn)). */
  he_uniform: (shape, o) => within(shape, Math.sqrt(6 / fans(shape, o).fanIn)),
  /** N(0, sqrt(2 / fanIn)). */
  he_normal: (shape, o) => around(shape, Math.sqrt(2 / fans(shape, o).fanIn)),
  orthogonal: (shape) => orthogonalMatrix(shape, 1.1),
  identity: (shape) => identityMatrix(shape, 1),
  zero: (shape) => fixed(size(shape), () => {}),
  one: (shape) => fixed(size(shape), (out) => out.fill(1)),
})

/** Keras 1.2.2's initializations: 'zero' and 'one' without s. */
export type InitName = keyof typeof table
/** Every {@link InitName}. */
export const initNames = Object.keys(table) as InitName[]

/**
 * A random matrix with orthonormal rows or columns (whichever are fewer), times `scale`; further
 * axes are flattened. Saxe, McClelland, Ganguli 2013 (arXiv:1312.6120). Keras takes the singular
 * vectors of a normal matrix; Gram-Schmidt on its rows gives the same (Haar) distribution.
 */
function orthogonalMatrix(shape: readonly number[], scale: number): Formula {
  const rows = shape[0] ?? 1
  const columns = size(shape.slice(1))
  const [n, m] = rows <= columns ? [rows, columns] : [columns, rows] // n vectors of length m
  const normals = around([n, m], 1)
  return {
    words: normals.words,
    *make(stream, precision) {
      const q = yield* normals.make(stream, 'float64') // [n, m]
      if (n > 0) {
        const orthonormalize = loadNative().orthonormalization(n, m)
        while (orthonormalize(q as Float64Array)) yield
      }
      const out = floats(precision, rows * columns)
      const rowsOfStep = rowsAtOnce(columns)
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++)
          out[r * columns + c] = scale * ((rows <= columns ? q[r * m + c] : q[c * m + r]) as number)
        if ((r + 1) % rowsOfStep === 0) yield
      }
      return out
    },
  }
}

/** `scale` times the unit matrix; only for square matrices. */
function identityMatrix(shape: readonly number[], scale: number): Formula {
  const [n = 0, m = 0] = shape
  if (shape.length !== 2 || n !== m) {
    fail(ShapeError, 'ERR_SHAPE', {
      where: 'initialization identity',
      what: 'shape',
      expected: 'a square matrix [n, n]',
      actual: `[${shape.join(', ')}]`,
    })
  }
  return fixed(n * n, (out) => {
    for (let i = 0; i < n; i++) out[i * n + i] = scale
  })
}

/**
 * Checks an `init` option: a name of {@link initNames} or a function.
 * @throws ConfigError `ERR_UNKNOWN_NAME`
 */
export function toInit(value: unknown, where: string): Init {
  if (typeof value === 'function') return value as Initializer
  if (typeof value === 'string' && Object.hasOwn(table, value)) return value as InitName
  const near = typeof value === 'string' ? nearest(value, initNames) : undefined
  return fail(ConfigError, 'ERR_UNKNOWN_NAME', {
    where,
    what: 'initialization',
    expected: `one of ${initNames.join(', ')} or a function of the shape`,
    actual: describe(value),
    hint: near && `Did you mean '${near}'?`,
  })
}

/** The recipe of a formula. It reserves the random numbers that the formula will draw. */
function waiting(formula: Formula): Recipe {
  const stream = takeStream(formula.words)
  return { make: (precision) => formula.make(stream.copy(), precision) }
}

/**
 * How the numbers for a parameter of this shape are made. The random numbers of this thread's
 * stream are set aside now, so that it does not matter when they are used. A function of the user's
 * is called now.
 *
 * @param ordering of a kernel's axes
 * @throws ShapeError `ERR_SHAPE` when a function returns another number of them, and for 'identity'
 *   of a shape that is not square
 */
export function recipe(init: Init, shape: readonly number[], ordering: Ordering = 'th'): Recipe {
  const rule = typeof init === 'string' ? table[init] : scaledRules.get(init)
  if (rule) return waiting(rule(shape, ordering))
  const values = (init as Initializer)(shape)
  if (values?.length !== size(shape)) {
    fail(ShapeError, 'ERR_SHAPE', {
      where: `initialization ${(init as Initializer).name || '(function)'}`,
      what: 'result',
      expected: `${size(shape)} numbers for shape [${shape.join(', ')}]`,
      actual: `${values?.length}`,
    })
  }
  // A function may keep what it returns, and change it.
  const kept = values instanceof Float32Array ? values.slice() : Float64Array.from(values)
  return waiting(fixed(kept.length, (out) => out.set(kept)))
}

/** The numbers of {@link recipe}, made at once. */
export function initialize(
  init: Init,
  shape: readonly number[],
  ordering: Ordering = 'th',
): Floats {
  return runAtOnce(recipe(init, shape, ordering).make('float64'))
}
