/**
 * The Spec: the whole model as plain data, the only thing that flows from layers to native code.
 * Layers write it through {@link Graph}; `native/plan/compile.cc` reads it.
 */
import type { DeviceName, Precision } from './backend.js'
import type { Steps } from './layers/base/steps.js'
import type { Penalty } from './regularizers.js'
import type { Written } from './written.js'

/** Extents; `null` is unknown until data come. Without the batch axis inside a Spec. */
export type Shape = readonly (number | null)[]
export type Scalar = number | string | boolean | null
export type Option = Scalar | readonly Scalar[] | { readonly [key: string]: Option }

/**
 * One parameter of the model, as native code wants it (gates fused: W [D, G*H]). Any number of ops
 * may use it.
 */
export interface ParamSpec {
  /** 'lstm_1/W': the layer of the op that uses it first, and its name there. */
  path: string
  /** In a plan that has the parameters of another one: which of those it is. */
  from?: string
  dims: readonly number[]
  trainable: boolean
  /** Weight regularizer, already reduced to numbers; null: none. */
  penalty: Penalty | null // { l1, l2 } or { eigenvalue: k }
  /** Constraint, e.g. { name: 'maxnorm', m: 2, axis: 0 }; null: none. */
  constraint: { name: string; [key: string]: Option } | null
}

/** Activity regularizer of an output: adds l1*sum|y| + l2*sum(y^2) to the loss. */
export interface Activity {
  l1: number
  l2: number
}

/** One op. `op` is the name of a file in native/ops/. Values are named by strings. */
export interface OpSpec {
  op: string
  /**
   * Name for errors, parameter paths (`layer/param`) and random streams: 'lstm_1',
   * 'forward_lstm_1'. Unique among ops that have params.
   */
  layer: string
  className: string
  inputs: string[]
  /** Values that it makes; most ops make one. */
  outputs: string[]
  /** Value that holds the mask this op reads. */
  mask: string | null
  /** Value that holds the mask this op makes. */
  maskOut: string | null
  options: { [key: string]: Option }
  /** The op's name for each of its parameters ('W'), and the path of that parameter. */
  params: { name: string; param: string }[]
  activity: Activity | null
  /**
   * 'outputs': it computes a penalty, which predictions leave out. 'gradients': it runs when they
   * are known, and may read them, by 'gradient:' and the path of a parameter, or an input of the
   * plan. 'update': it runs when a training step has updated parameters.
   */
  after?: 'outputs' | 'gradients' | 'update'
  /** Its program addresses numbers of the whole batch, and yet no sample depends on another. */
  bySample?: true
}

/**
 * A program of the targets (its input 0) and an output (1), as they lie in memory (decision 0037).
 */
export interface ProgramSpec {
  nodes: { [attribute: string]: Option }[]
  /** The node that is its value. */
  output: number
  /** Of a loss: the last axis of its targets, where that is not the output's. */
  targetDim?: number
  /** Of a loss: values of the graph that it reads besides, its inputs from 2 on. */
  reads?: readonly string[]
  /** As of an op. */
  bySample?: true
}

/** The losses 'crf' and 'sparse_crf', until the layer that they are of says what they compute. */
export type CrfSpec = { name: 'crf'; isSparse: boolean }

/** A loss of another value than the output. */
export interface Scoring {
  readonly scored: string
  readonly loss: ProgramSpec
}

/** The loss 'ctc': targets are labels [L] of whole samples. */
export type CtcSpec = { name: 'ctc'; blank: number; zeroInfinity: boolean }

/**
 * A metric by its canonical name, see lib/metrics.ts, with its argument if it has one; or a name
 * and the program that it is.
 */
export type MetricSpec =
  | { name: string; [argument: string]: Scalar }
  | ({ name: string } & ProgramSpec)

/** A value that a model gives, and what `compile` says of it. */
export interface PredictionSpec {
  value: string
  /** Its mask (reaches the loss), or null. */
  mask: string | null
  /**
   * A canonical name, see lib/objectives.ts, for the output and its targets, or a program of both;
   * or a value of the graph, whose mean over all rows it is: then there are neither targets nor
   * metrics. Null: not compiled, predict only.
   */
  loss: string | ProgramSpec | CtcSpec | { value: string } | null
  /**
   * What the loss is taken of, where it is not the value: of 'ctc', what the softmax gets; of
   * 'crf', scores of tags. Metrics are of the value.
   */
  scored?: string
  /** Of the loss, in the total. */
  weight: number
  metrics: MetricSpec[]
  /** Whether sample weights are per step: [N, T]. */
  temporal: boolean
}

export interface Spec {
  /** What computes: a name of native/device/device.cc. */
  device: Exclude<DeviceName, 'auto'>
  floatx: Precision
  /** What a card may round operands of float32 to. */
  precision?: 'tf32'
  inputs: { name: string; dims: Shape }[]
  params: ParamSpec[]
  ops: OpSpec[]
  /** What predict gives: one or more. All have a loss, or none has. */
  predictions: PredictionSpec[]
  optimizer: { name: string; [hyper: string]: Option } | null
  /** Of a function: the number whose gradients are read. */
  cost?: string
  /** Values of one number each that are added to the loss. */
  penalties?: string[]
  /**
   * What parameters become, all together, or none where a number is not finite: at the end of a
   * call of a function; in training, after the update, which then has happened.
   */
  updates?: { param: string; value: string }[]
}

/** A value inside a graph under construction: where it comes from and what shape it has. */
export interface Value {
  name: string
  shape: Shape // without batch
  mask: string | null
  /** Whether its steps lie from the last to the first; those of its mask, if it has one, do not. */
  isReversed?: boolean | undefined
}

/**
 * Name of a model's first input as a value, ':input:2' of the second …;
 * no layer's name begins with a colon.
 */
const INPUT = ':input'

/** Which of a model's inputs a value is, from 0; -1: none. */
export function inputNumber(value: string): number {
  if (value === INPUT) return 0
  return value.startsWith(`${INPUT}:`) ? Number(value.slice(INPUT.length + 1)) - 1 : -1
}

/** What a parameter is penalized by and held to, where that are functions. */
export interface ParamFunctions {
  /** The layer, for errors. */
  where: string
  penalty: Written | null
  constraint: Written | null
  /** The columns of gates that are side by side: a penalty is of each. Empty: of the whole. */
  gates: readonly (readonly [from: number, to: number])[]
}

/**
 * A parameter as a layer gives it to an op.
 * Two ops share one when their `variable` is the same object.
 */
export interface ParamUse extends Omit<ParamSpec, 'path' | 'from'> {
  variable: object
  /** What its layer calls it, and the op too: 'W'. */
  name: string
  /** What the op calls it, where that is something else. */
  called?: string
  /** Penalty and constraint, where they are functions. */
  functions?: ParamFunctions
}

/** Collects ops while layers lower themselves. */
export class Graph {
  readonly inputs: { name: string; dims: Shape }[] = []
  readonly params: ParamSpec[] = []
  readonly ops: OpSpec[] = []
  /** Parameters with functions, in the order in which they are met. */
  readonly written: { param: ParamSpec; use: ParamUse }[] = []
  /** Outputs whose penalty is a function, and the layers that they are of. */
  readonly activities: { value: Value; penalty: Written; where: string }[] = []
  /**
   * Of outputs of a CRF, by their names: adds what its loss is taken of. `isSparse`: targets are
   * numbers of tags.
   */
  readonly scorings = new Map<string, (isSparse: boolean) => Scoring>()
  /** The shape of each value, without the batch. */
  readonly shapes = new Map<string, Shape>()
  #paramOf = new Map<object, ParamSpec>()
  #met = new Set<object>()
  #names = new Set<string>()
  #scope = ''
  #trains = true

  /** @param steps of a model that goes step by step; null: it is run on whole sequences */
  constructor(readonly steps: Steps | null = null) {}

  /** What a parameter is the value of. */
  get variables(): ReadonlyMap<ParamSpec, object> {
    return new Map([...this.#paramOf].map(([variable, param]) => [param, variable]))
  }

  /**
   * Lowers a part of the model: names inside begin with `scope` and a slash, and nothing inside is
   * trained unless `trains`.
   *
   * @param part.scope '' for the names as they are
   */
  within<T>(part: { scope: string; trains: boolean }, use: () => T): T {
    const [scope, trains] = [this.#scope, this.#trains]
    if (part.scope !== '') this.#scope = `${scope}${part.scope}/`
    this.#trains = trains && part.trains
    try {
      return use()
    } finally {
      this.#scope = scope
      this.#trains = trains
    }
  }

  /** A name, with those of the models that it is inside in front. */
  placeOf(name: string): string {
    return this.#scope + name
  }

  /** Whether a layer is met for the first time. */
  isNew(layer: object): boolean {
    return this.#met.size !== this.#met.add(layer).size
  }

  /** A fresh value name starting with `stem`: 'dense_1', then 'dense_1:2', ... */
  fresh(stem: string): string {
    let name = stem
    for (let n = 2; this.#names.has(name); n++) name = `${stem}:${n}`
    this.#names.add(name)
    return name
  }

  /**
   * The parameter of the model that `use` refers to;
   * it is trained if it is so in any of its places.
   */
  #param(layer: string, use: ParamUse): ParamSpec {
    const { variable, name, called: _, functions, ...rest } = use
    const trainable = rest.trainable && this.#trains
    let param = this.#paramOf.get(variable)
    if (!param) {
      param = { path: `${layer}/${name}`, ...rest, trainable }
      this.#paramOf.set(variable, param)
      this.params.push(param)
      if (functions) this.written.push({ param, use })
    }
    param.trainable ||= trainable
    return param
  }

  input(shape: Shape): Value {
    const name = this.fresh(INPUT)
    this.inputs.push({ name, dims: shape })
    this.shapes.set(name, shape)
    return { name, shape, mask: null }
  }

  /** Adds one op and returns its output. */
  op(op: string, inputs: readonly Value[], shape: Shape, rest: OpRest): Value {
    return this.several(op, inputs, [shape], rest)[0]!
  }

  /** Adds one op and returns its outputs. Of several, the first alone has the mask. */
  several(op: string, inputs: readonly Value[], shapes: readonly Shape[], rest: OpRest): Value[] {
    const layer = this.#scope + rest.layer
    const outputs = shapes.map(() => this.fresh(layer))
    for (const [i, name] of outputs.entries()) this.shapes.set(name, shapes[i]!)
    const maskOut = rest.mask === 'make' ? this.fresh(`${layer}/mask`) : null
    this.ops.push({
      op,
      layer,
      className: rest.className,
      inputs: inputs.map((v) => v.name),
      outputs,
      mask: rest.reads ?? null,
      maskOut,
      options: rest.options ?? {},
      params: (rest.params ?? []).map((use) => ({
        name: use.called ?? use.name,
        param: this.#param(this.#scope + (rest.owner ?? rest.layer), use).path,
      })),
      activity: rest.activity ?? null,
      ...(rest.after ? { after: rest.after } : {}),
      ...(rest.bySample ? { bySample: rest.bySample } : {}),
    })
    const mask =
      maskOut ??
      (rest.mask === 'pass'
        ? (inputs[0]?.mask ?? null)
        : typeof rest.mask === 'object'
          ? rest.mask.name
          : null)
    return outputs.map((name, i) => ({ name, shape: shapes[i]!, mask: i === 0 ? mask : null }))
  }
}

/** What an op has beside inputs and shapes. */
export interface OpRest {
  layer: string
  /** The layer whose parameters these are, where the op has another name. */
  owner?: string
  className: string
  options?: { [key: string]: Option }
  params?: ParamUse[]
  activity?: Activity | null
  after?: OpSpec['after'] | undefined
  bySample?: OpSpec['bySample'] | undefined
  /** Mask the op reads; default: none. */
  reads?: string | null
  /**
   * Mask of the output: 'none' (default), 'pass' (that of the first input), 'make' (this op
   * makes one), or a value's name.
   */
  mask?: 'none' | 'pass' | 'make' | { name: string | null }
}
