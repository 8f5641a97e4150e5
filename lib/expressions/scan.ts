/** A loop over the leading axis of sequences, as Theano's scan. */
import { describe } from '../ndarray.js'
import { broadcastTo, slice } from './arranging.js'
import { type Dim, type Dims, sameDims, showDims } from './dims.js'
import { Expr, lift, make } from './expr.js'
import { dependents, ordered } from './order.js'
import { refuse, refuseShape, within } from './place.js'

/** What a step carries to the next one. */
export interface ScanState {
  readonly initial: Expr
  /** Its value before a step. */
  readonly before: Expr
  /** Its value after a step. */
  readonly next: Expr
}

/** How a loop runs. */
export interface LoopOptions {
  readonly goBackwards: boolean
  /** Gradients go through this many last steps; null: through all. */
  readonly lastSteps: number | null
  /** Of layers alone: gradients are cut before steps k, 2k, …; null: nowhere. */
  readonly truncate?: number | null
  /** Of layers alone: how many steps are kept for gradients at a time; null: all. */
  readonly checkpoint?: 'auto' | number | null
  /** Of layers alone: a batch begins with the states that the one before has left. */
  readonly stateful?: boolean
}

/** A loop; its outputs are {@link ScanOutput}s of it. */
export class Scan extends Expr {
  constructor(
    readonly where: string,
    readonly sequences: readonly Expr[],
    /** Of each sequence, what a step reads. */
    readonly steps: readonly Expr[],
    readonly states: readonly ScanState[],
    /** A step's values: [T, ...] each. */
    readonly outputs: readonly Expr[],
    readonly length: Dim,
    readonly loop: LoopOptions,
  ) {
    const inner = new Set([...steps, ...states.map(({ before }) => before)])
    const outside = readFromOutside([...outputs, ...states.map(({ next }) => next)], inner)
    super(
      'scan',
      [...sequences, ...states.map(({ initial }) => initial), ...outside],
      [],
      {},
      where,
    )
    this.outside = outside
  }

  /** What a step reads beside its sequences and states: the same at every step. */
  readonly outside: readonly Expr[]
}

/** One output of a scan: all steps of it, [T, ...], or the last. */
export class ScanOutput extends Expr {
  constructor(
    readonly scan: Scan,
    readonly index: number,
    readonly isLast = false,
  ) {
    const { shape } = scan.outputs[index]!
    super('scan_output', [scan], isLast ? shape : [scan.length, ...shape], { index, isLast })
    this.name = `${scan.where}[${index}]`
  }
}

/** What a step reads that is the same at every step, in parts as large as possible. */
function readFromOutside(outputs: readonly Expr[], inner: ReadonlySet<Expr>): Expr[] {
  const list = ordered(outputs)
  const isMask = ({ op }: Expr) => op === 'mask' // of a layer: it is another one at each step
  const changing = dependents(list, new Set([...inner, ...list.filter(isMask)]))
  const read = list.filter((expr) => changing.has(expr) && !inner.has(expr))
  const outside = [...read.flatMap(({ args }) => args), ...outputs].filter(
    (expr) => (!changing.has(expr) || isMask(expr)) && expr.op !== 'number',
  )
  return [...new Set(outside)]
}

/** Options of {@link scan}. */
export interface ScanOptions<O extends readonly (Expr | null)[]> {
  /** One value, or several of equal length: a step reads one place of their first axis. */
  sequences?: Expr | readonly Expr[]
  /**
   * For each value of a step: what it is before the first step, or null if it does not come back.
   */
  outputsInfo: O
  /** How many steps; default: as many as the sequences have. */
  nSteps?: number
  /**
   * Gradients go through the last steps only, this many. Default: through all. The option
   * `truncate` of layers is another thing: it cuts at k, 2k, …
   */
  truncateGradient?: number | null
  /** From the last step to the first; outputs in the order of processing. Default `false`. */
  goBackwards?: boolean
  /** What messages call it. Default 'scan'. */
  name?: string
}

/** What is passed to a step, in this order: each sequence's place, then each state. */
export type ScanStep<O extends readonly (Expr | null)[]> = (
  ...args: Expr[]
) => { readonly [K in keyof O]: Expr | number } | Expr

let isInStep = false

/** @throws ConfigError ERR_OPTION when a step is being built */
export function requireOutsideOfSteps(where: string): void {
  if (!isInStep) return
  refuse({
    where,
    what: 'it',
    expected: 'outside of a step',
    actual: 'a call inside of one, which is not supported',
  })
}

/** Runs `make`, which builds a step. */
export function inStep<T>(make: () => T): T {
  isInStep = true
  try {
    return make()
  } finally {
    isInStep = false
  }
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) > 0

/**
 * theano.scan: calls `step` once, to learn what it computes; native code then runs it for each
 * place of the sequences' first axis.
 *
 * A state of one axis beside sequences of samples, [T, B, D], begins with the same value for each
 * sample: [H] counts as [B, H].
 *
 * @param step gets a place of each sequence, then the states before the step; gives a value for
 *   each of `outputsInfo`
 * @returns for each of them all steps: [T, …]
 * @throws ShapeError ERR_SHAPE; ConfigError ERR_OPTION for a scan in a step, and bad options
 * @example
 * import { fn, placeholder, scan, shared } from 'hiddenstate/backend'
 * const x = placeholder(['T', 1], 'x')
 * const info = { sequences: x, outputsInfo: [shared([0], 'sum')] }
 * const [sums] = scan((x, sum) => [sum.add(x)], info)
 * console.log(String(sums.shape)) // T,1
 */
export function scan<const O extends readonly (Expr | null)[]>(
  step: ScanStep<O>,
  options: ScanOptions<O>,
): { [K in keyof O]: Expr } {
  const where = options.name ?? 'scan'
  requireOutsideOfSteps(where)
  const infos = [...options.outputsInfo]
  for (const info of infos)
    if (info !== null && !(info instanceof Expr))
      refuse({
        where,
        what: 'outputsInfo',
        expected: 'expressions or null',
        actual: describe(info),
      })
  const { sequences, length } = sequencesOf(where, options)
  const steps = sequences.map(
    (s) => new Expr('step', [], s.shape.slice(1), {}, `${s.name ?? s.label}[t]`),
  )
  const initials = infos.map((info) => info && spread(info, sequences[0]))
  const befores = initials.map(
    (s, i) => s && new Expr('state', [], s.shape, {}, `${infos[i]!.name ?? `state ${i}`}[t-1]`),
  )
  const outputs = within(`${where}: step`, () =>
    valuesOf(where, step, [...steps, ...befores.filter((s) => s !== null)], infos.length),
  )
  const states = befores.flatMap((before, i): ScanState[] => {
    if (!before) return []
    requireSame(where, before, outputs[i]!)
    return [{ initial: initials[i]!, before, next: outputs[i]! }]
  })
  const loop = {
    goBackwards: options.goBackwards ?? false,
    lastSteps: lastStepsOf(where, options.truncateGradient),
  }
  const node = new Scan(where, sequences, steps, states, outputs, length, loop)
  return outputs.map((_, i) => new ScanOutput(node, i)) as { [K in keyof O]: Expr }
}

function sequencesOf(
  where: string,
  { sequences: given = [], nSteps }: Pick<ScanOptions<never>, 'sequences' | 'nSteps'>,
): { sequences: Expr[]; length: Dim } {
  if (nSteps !== undefined && !isCount(nSteps))
    refuse({ where, what: 'nSteps', expected: 'a positive integer', actual: describe(nSteps) })
  const all = [given].flat() as Expr[]
  for (const s of all) {
    lift(s, where)
    if (s.ndim === 0)
      refuseShape({
        where,
        what: `sequence ${s.label}`,
        expected: 'of one axis or more',
        actual: '[]',
      })
  }
  const sequences =
    nSteps === undefined
      ? all
      : all.map((s) => (s.shape[0] === nSteps ? s : slice(s, 0, nSteps, 0)))
  const [first] = sequences
  for (const s of sequences)
    if (s.shape[0] !== first!.shape[0])
      refuseShape({
        where,
        what: `sequence ${s.label}: its leading axis`,
        expected: `as long as that of ${first!.label}`,
        actual: String(s.shape[0]),
      })
  const length = first?.shape[0] ?? nSteps
  if (length === undefined)
    return refuse({ where, what: 'it', expected: 'given sequences or nSteps', actual: 'neither' })
  return { sequences, length }
}

/** Repeats a state of one axis for each sample of sequences [T, B, D]: [H] → [B, H]. */
function spread(info: Expr, sequence: Expr | undefined): Expr {
  if (sequence?.ndim !== 3 || info.ndim !== 1) return info
  const dims = [sequence.shape[1]!, info.shape[0]!]
  return broadcastTo(info, filledLike(sequence, dims))
}

/** Zeros with these extents; letters among them are extents of `like`. */
export function filledLike(like: Expr, dims: Dims): Expr {
  const axes = dims.map((extent) =>
    typeof extent === 'number' ? extent : -1 - like.shape.indexOf(extent),
  )
  return make('full', axes.some((axis) => axis < 0) ? [like] : [], { value: 0, dims: axes })
}

function valuesOf(where: string, step: unknown, args: Expr[], count: number): Expr[] {
  if (typeof step !== 'function')
    refuse({ where, what: 'the first argument', expected: 'a function', actual: describe(step) })
  const given = inStep(() => (step as (...args: Expr[]) => unknown)(...args))
  const values = (Array.isArray(given) ? given : [given]).map((value) => lift(value, 'its result'))
  if (values.length !== count)
    refuse({
      where: 'its result',
      what: 'it',
      expected: `${count} values, one for each of outputsInfo`,
      actual: String(values.length),
    })
  return values
}

function requireSame(where: string, before: Expr, next: Expr): void {
  if (sameDims(before.shape, next.shape)) return
  refuseShape({
    where,
    what: `new value of ${before.name}`,
    expected: `${showDims(before.shape)} as its initial value`,
    actual: showDims(next.shape),
  })
}

function lastStepsOf(where: string, given: unknown): number | null {
  // Theano: -1 is all
  if (given === undefined || given === null || given === -1) return null
  if (isCount(given)) return given
  return refuse({
    where,
    what: 'truncateGradient',
    expected: 'a positive integer or null',
    actual: describe(given),
  })
}
