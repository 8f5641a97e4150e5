import type { ConstraintLike } from '../constraints.js'
import * as chain from '../expressions/chain.js'
import { add, mul } from '../expressions/elementwise.js'
import { Expr, Placeholder } from '../expressions/expr.js'
import { softmax } from '../expressions/activations.js'
import { exchanged } from '../expressions/lowering/layout.js'
import { objectiveProgram } from '../expressions/lowering/objective.js'
import type { Init } from '../initializations.js'
import type { TensorLike } from '../ndarray.js'
import type { RegularizerLike } from '../regularizers.js'
import type { Graph, ParamUse, Scoring, Shape, Value } from '../spec.js'
import { addValue, dimsOf, type ExpressionOps } from './base/expression-ops.js'
import { Layer, type LayerOptions } from './base/layer.js'
import { oneOf } from './base/option-rules.js'

/** Options of {@link CRF}. */
export interface CRFOptions extends LayerOptions {
  /** Initial values of W. Default `'glorot_uniform'`. */
  init?: Init
  /** Initial values of the transitions U. Default `'orthogonal'`. */
  innerInit?: Init
  /** Whether tags have a score b of their own. Default `true`. */
  bias?: boolean
  /** Whether tags have scores for being the first and for being the last. Default `true`. */
  boundary?: boolean
  /**
   * What comes out of `predict`: ones at the tags of the best path, or the probability of each tag
   * at each step. Default `'path'`.
   */
  returns?: 'path' | 'marginals'
  /** Initial values, in the order W, b, U, start, end. Default: `init` and `innerInit`, zeros. */
  weights?: readonly TensorLike[] | null
  /** Penalty on W. Default none. */
  WRegularizer?: RegularizerLike
  /** Penalty on b. Default none. */
  bRegularizer?: RegularizerLike
  /** Penalty on the transitions U. Default none. */
  URegularizer?: RegularizerLike
  /** Constraint of W. Default none. */
  WConstraint?: ConstraintLike
  /** Constraint of b. Default none. */
  bConstraint?: ConstraintLike
  /** Constraint of U. Default none. */
  UConstraint?: ConstraintLike
  /** D, when the layer is the first. */
  inputDim?: number | null
}

/**
 * A linear-chain conditional random field: the tags of a sequence are scored together, each by its
 * step and by the tag before it, and `predict` gives the best path. The usual end of a tagger, on a
 * bidirectional LSTM; `new CRF(K)` for K tags.
 *
 * [B, T, D] → [B, T, K]: ones at the tags of the best path (Viterbi), which `predictClasses` gives
 * as numbers; with `returns: 'marginals'` the probability of each tag at each step. The score of a
 * path is the sum of x W + b at its tags, of the transitions U[i, j] from tag i to the next one j,
 * and of start and end. Masked steps are not there, wherever they lie, and come out as zeros.
 *
 * Train it with `loss: 'crf'`, targets one-hot [B, T, K], or `loss: 'sparse_crf'`, targets
 * [B, T, 1] of tags 0 to K - 1: −log p(path | x), as the mean over the steps of
 * −log p(tag | next tag, x), whose sum it is. So masks and weights, of samples or of steps, count
 * as in every loss. The metric `'accuracy'` then is the share of the batch's real steps with the
 * right tag.
 *
 * Weights: W [D, K], b [K], U [K, K], start [K], end [K].
 * @param outputDim K, how many tags there are
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for other inputs
 * @example
 * import { Bidirectional, CRF, LSTM, Sequential } from 'hiddenstate'
 * const model = new Sequential([
 *   new Bidirectional(new LSTM(8, { returnSequences: true }), { inputShape: [null, 4] }),
 *   new CRF(3),
 * ])
 * model.compile({ loss: 'sparse_crf', optimizer: 'adam', metrics: ['accuracy'] })
 * const x = [[[1, 0, 0, 0], [0, 1, 0, 0]], [[0, 0, 1, 0], [0, 0, 0, 1]]]
 * await model.trainOnBatch(x, [[[0], [1]], [[2], [0]]])
 * console.log((await model.predictClasses(x)).shape) // [ 2, 2 ]
 * @see Lafferty, McCallum, Pereira 2001, ICML; Huang, Xu, Yu 2015 (arXiv:1508.01991);
 *   keras_contrib.layers.CRF
 */
export class CRF extends Layer<CRFOptions & { outputDim: number }> {
  static override readonly className = 'CRF'
  static override readonly positional = ['outputDim']
  static override readonly defaults: Readonly<Record<string, unknown>> = {
    ...Layer.defaults,
    init: 'glorot_uniform',
    innerInit: 'orthogonal',
    bias: true,
    boundary: true,
    returns: 'path',
    weights: null,
    WRegularizer: null,
    bRegularizer: null,
    URegularizer: null,
    WConstraint: null,
    bConstraint: null,
    UConstraint: null,
    inputDim: null,
  }
  override readonly supportsMasking = true
  protected override readonly inputLetters = ['B', 'T', 'D']

  constructor(outputDim: number, options?: CRFOptions) {
    super([outputDim], options)
    oneOf(this.where, this.spelled('returns'), ['path', 'marginals'], this.options.returns)
  }

  protected override impliedInputShape(): Shape | null {
    const { inputDim } = this.options
    return inputDim === null ? null : [null, null, inputDim]
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape.slice(0, -1), this.options.outputDim]
  }

  protected override createVariables(inputShape: Shape): void {
    const D = this.known(inputShape, -1, 'D')
    const { outputDim: K, init, innerInit, bias, boundary } = this.options
    const rules = (name: 'W' | 'b' | 'U') => ({
      regularizer: this.options[`${name}Regularizer`],
      constraint: this.options[`${name}Constraint`],
    })
    this.addVariable('W', [D, K], init, rules('W'))
    if (bias) this.addVariable('b', [K], 'zero', rules('b'))
    this.addVariable('U', [K, K], innerInit, { ...rules('U'), scales: null })
    if (!boundary) return
    this.addVariable('start', [K], 'zero')
    this.addVariable('end', [K], 'zero')
  }

  protected emit(graph: Graph, x: Value): Value {
    const { outputDim: K, bias, returns } = this.options
    const { layer, className } = this.opName()
    const uses = this.paramUses()
    const isOfSteps = ({ name }: ParamUse) => name === 'W' || name === 'b'
    const e = graph.op('dense', [x], this.computeOutputShape(x.shape), {
      layer,
      className,
      options: { units: K, activation: 'linear', bias },
      params: uses.filter(isOfSteps),
    })
    const mask =
      x.mask === null
        ? null
        : graph.op('mask_value', [e], [e.shape[0]!, 1], {
            layer: `${layer}/mask`,
            className,
            reads: x.mask,
          })
    const own = uses.filter((use) => !isOfSteps(use))
    const of = { layer, className, where: this.where, mask, uses: own, bySample: true } as const
    const parts = new Parts(graph, of)
    const y = returns === 'path' ? parts.path(e) : parts.marginals(e)
    // Losses come when the graph is there: a model's scope is no longer around them.
    const later = { ...of, layer: graph.placeOf(layer) }
    const known = own.map((use) => ({ ...use, trainable: false }))
    graph.scorings.set(y.name, (isSparse) =>
      new Parts(graph, { ...later, uses: known, after: 'outputs' }).scoring(e, isSparse),
    )
    return { ...y, mask: x.mask }
  }

  protected override savedOptions(): Record<string, unknown> {
    const options = super.savedOptions()
    return this.built ? { ...options, inputDim: this.inputShape?.at(-1) } : options
  }
}

/** The ops of a chain. */
class Parts {
  readonly #uses: ReadonlyMap<Expr, ParamUse>
  readonly #chain: chain.Chain
  #count = 0

  constructor(
    readonly graph: Graph,
    readonly of: Pick<ExpressionOps, 'layer' | 'className' | 'where' | 'after' | 'bySample'> & {
      /** [T, 1]; null: all steps are real. */
      readonly mask: Value | null
      readonly uses: readonly ParamUse[]
    },
  ) {
    const weights = of.uses.map((use) => new Expr('weight', [], use.dims, {}, use.name))
    const named = (name: string) => weights.find((each) => each.name === name) ?? null
    this.#uses = new Map(weights.map((weight, i) => [weight, of.uses[i]!]))
    this.#chain = { transitions: named('U')!, start: named('start'), end: named('end') }
  }

  /** One number more, of values and the mask as users see them. */
  #value(values: readonly Value[], what: string, make: Make): Value {
    const { mask, layer, ...rest } = this.of
    const all = mask === null ? values : [...values, mask]
    const given = all.map(({ shape }) => new Placeholder(dimsOf([null, ...shape]), what))
    const y = make(given.slice(0, values.length), mask === null ? null : given.at(-1)!, this.#chain)
    return addValue(this.graph, y, new Map(given.map((x, i) => [x, all[i]!])), {
      ...rest,
      layer: `${layer}/${what}`,
      owner: layer,
      params: this.#uses,
    })
  }

  /** Of a loop that goes backwards: in the order of the steps. */
  #reversed(value: Value): Value {
    const { layer, className, after } = this.of
    return this.graph.op('reverse', [value], value.shape, {
      layer: `${layer}/reversed_${++this.#count}`,
      className,
      after,
    })
  }

  #masked(y: Value): Value {
    if (this.of.mask === null) return y
    return this.#value([y], 'masked', ([given], mask) => mul(given!, mask!))
  }

  path(e: Value): Value {
    const best = this.#value([e], 'best', ([x], mask, c) => chain.bestBefore(x!, mask, c))
    const back = this.#value([best], 'path', ([a], mask, c) => chain.bestPath(a!, mask, c))
    return this.#masked(this.#reversed(back))
  }

  marginals(e: Value): Value {
    const before = this.#value([e], 'before', ([x], mask, c) => chain.scoresBefore(x!, mask, c)[0])
    const after = this.#value([e], 'after', ([x], mask, c) => chain.scoresAfter(x!, mask, c))
    const both = [before, this.#reversed(after)]
    return this.#masked(this.#value(both, 'marginals', ([a, b]) => softmax(add(a!, b!))))
  }

  /** What the loss is taken of, and the loss. */
  scoring(e: Value, isSparse: boolean): Scoring {
    const K = e.shape.at(-1)!
    const { mask } = this.of
    const next = mask && this.#reversed(this.#value([mask], 'next', ([m]) => chain.nextSteps(m!)))
    const values = next ? [e, next] : [e]
    const scored = this.#value(values, 'scored', ([x, n], m, c) =>
      chain.scored(x!, n ?? null, m, c),
    )
    const pairs = this.#value([e], 'pairs', ([x], _, c) => chain.pairScores(x!, c))
    const targetDim = isSparse ? 1 : K
    const shapes: Shape[] = [[scored.shape[0]!, targetDim], scored.shape, pairs.shape]
    const inputs = shapes.map((shape) => new Placeholder(dimsOf([null, ...shape]), 'x'))
    const [y, of, scores] = inputs
    const losses = exchanged(chain.chainLoss(y!, of!, scores!, K)) // [T, B]
    const program = objectiveProgram(inputs, losses)
    return {
      scored: scored.name,
      loss: { ...program, targetDim, reads: [pairs.name], bySample: true },
    }
  }
}

type Make = (values: readonly Expr[], mask: Expr | null, chain: chain.Chain) => Expr
