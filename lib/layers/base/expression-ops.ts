/** Layers that are expressions: from expressions to ops of a model's graph. */
import { type Dims, showDims } from '../../expressions/dims.js'
import type { Expr, Placeholder } from '../../expressions/expr.js'
import { divided } from '../../expressions/lowering/divide.js'
import { inMemoryOrder, memoryOf } from '../../expressions/lowering/layout.js'
import { type Frame, type LoweredOp, opsOf } from '../../expressions/lowering/ops.js'
import { fail, ShapeError } from '../../errors.js'
import type { Activity, Graph, OpRest, ParamUse, Shape, Value } from '../../spec.js'

/** The letter of the batch, and that of steps, in shapes that a layer's expressions see. */
export const BATCH = 'B'

/**
 * A layer's input with the batch as expressions have it: [null, null, 3] is ['B', 'T', 3]; further
 * axes of unknown extent are T2, T3, …
 */
export function dimsOf(shape: Shape): Dims {
  let unknowns = 0
  return shape.map((extent, axis) => {
    if (axis === 0) return BATCH
    if (extent !== null) return extent
    return ++unknowns === 1 ? 'T' : `T${unknowns}`
  })
}

/** The other way round: [B, 2*T] is [null, null]. */
export const shapeOf = (dims: Dims): Shape =>
  dims.map((extent) => (typeof extent === 'number' ? extent : null))

/** Between ops of a layer a value has the batch where native code looks for it. */
const crosses = (dims: Dims): boolean =>
  dims.length > 2 ? dims[1] === BATCH : dims.length > 0 && dims[0] === BATCH

const FRAME: Frame = {
  whole: false,
  crosses,
  stateDims: (dims) => dims.map((extent) => (extent === BATCH ? -1 : (extent as number))),
}

/** Extents without the batch, of a value as it lies in memory. */
function memoryShape(dims: Dims): Shape {
  const at = dims.length > 2 ? 1 : 0
  return shapeOf(dims.filter((_, axis) => axis !== at))
}

/** What a layer's expressions stand for. */
export interface ExpressionOps {
  /** The layer. */
  readonly layer: string
  readonly className: string
  readonly where: string
  /** Of each input and parameter that the expressions read. */
  readonly inputs: ReadonlyMap<Expr, Value>
  readonly params: ReadonlyMap<Expr, ParamUse>
  /** Mask that the op reads. */
  readonly reads?: string | null
  /** Activity regularizer of the output. */
  readonly activity?: Activity | null
  /** The layer whose parameters these are, where `layer` is a part of it. */
  readonly owner?: string
  readonly after?: OpRest['after']
  readonly bySample?: OpRest['bySample']
  /** Mask of the output. */
  readonly mask?: { name: string | null }
}

/**
 * Adds the ops that compute `root`, which is as memory has it, and returns its value.
 *
 * @throws ShapeError ERR_SHAPE where the batch is none of its axes
 */
export function addExpression(graph: Graph, root: Expr, rest: ExpressionOps): Value {
  return addExpressions(graph, [root], rest)[0]!
}

/** The same of several; mask and penalty are of the first. @throws as {@link addExpression} */
export function addExpressions(
  graph: Graph,
  roots: readonly Expr[],
  rest: ExpressionOps,
): readonly Value[] {
  const made = divided(roots, crosses)
  const wrong = made.findIndex(({ shape }) => !crosses(shape))
  if (wrong >= 0)
    fail(ShapeError, 'ERR_SHAPE', {
      where: rest.where,
      layer: rest.where,
      what: 'the value',
      expected: `one with the batch, ${BATCH}, as its first axis`,
      actual: showDims(roots[wrong]!.shape),
    })
  const values = new Map(rest.inputs)
  const ops = opsOf(made, null, FRAME)
  const last = ops.length - 1
  for (const [i, one] of ops.entries()) {
    const outputs = graph.several(
      one.op,
      one.inputs.map((expr) => values.get(expr)!),
      one.outputs.map(({ shape }) => memoryShape(shape)),
      {
        layer: nameOf(one, i, ops, rest.layer),
        owner: rest.owner ?? rest.layer,
        after: rest.after,
        bySample: rest.bySample,
        className: rest.className,
        options: one.options,
        params: one.params.map((expr, k) => ({ ...rest.params.get(expr)!, called: `p${k}` })),
        reads: readsMask(one) ? (rest.reads ?? null) : null,
        ...(i === last && rest.mask ? { mask: rest.mask } : {}),
        ...(i === last && rest.activity ? { activity: rest.activity } : {}),
      },
    )
    for (const [k, expr] of one.outputs.entries()) values.set(expr, outputs[k]!)
  }
  const [first, ...others] = made.map((expr) => values.get(expr)!)
  let value = first!
  // An input itself: nothing computes it whose output could be penalized.
  if (last < 0 && rest.activity)
    value = graph.op('activation', [value], value.shape, {
      layer: rest.layer,
      className: rest.className,
      options: { activation: 'linear' },
      activity: rest.activity,
    })
  return [rest.mask ? { ...value, mask: rest.mask.name } : value, ...others]
}

/**
 * The same of a value as users see it, [B, T, …].
 *
 * @param given the value of each placeholder that it reads
 */
export function addValue(
  graph: Graph,
  y: Expr,
  given: ReadonlyMap<Placeholder, Value>,
  rest: Omit<ExpressionOps, 'inputs'>,
): Value {
  const memory = new Map([...given.keys()].map((x) => [x, memoryOf(x)]))
  const [root] = inMemoryOrder([y], memory)
  const inputs = new Map([...given].map(([x, value]) => [memory.get(x)!, value]))
  return addExpression(graph, root!, { ...rest, inputs })
}

/** A loop is called as the layer, whose states are its own; other ops say where they are. */
function nameOf(one: LoweredOp, index: number, ops: readonly LoweredOp[], layer: string): string {
  const main = ops.find(({ op }) => op === 'scan') ?? ops.at(-1)
  return one === main ? layer : `${layer}/${index + 1}`
}

const readsMask = ({ options }: LoweredOp): boolean =>
  (options.nodes as unknown as readonly { op: string }[]).some(({ op }) => op === 'mask')
