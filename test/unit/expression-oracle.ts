/**
 * What expressions and programs mean: a slow interpreter of both in float64, to hold lowering and
 * native code against. It shares nothing with either but the names of ops.
 */
import type { Expr } from '../../lib/expressions/expr.js'
import { type Scan, ScanOutput } from '../../lib/expressions/scan.js'
import { SharedVariable } from '../../lib/expressions/variables.js'
import { Gradient } from '../../lib/expressions/gradient.js'
import type { Spec } from '../../lib/spec.js'

export interface Val {
  d: Float64Array
  s: number[]
}
type Attributes = Readonly<Record<string, unknown>>

const size = (s: readonly number[]) => s.reduce((a, b) => a * b, 1)
export const val = (s: readonly number[], d?: ArrayLike<number>): Val => ({
  d: d ? Float64Array.from(d) : new Float64Array(size(s)),
  s: [...s],
})

/** Index of each element of `s` in C order. */
function* places(s: readonly number[]): Generator<number[]> {
  for (let i = 0; i < size(s); i++) {
    const at: number[] = []
    let rest = i
    for (let axis = s.length - 1; axis >= 0; axis--) {
      at.unshift(rest % s[axis]!)
      rest = Math.floor(rest / s[axis]!)
    }
    yield at
  }
}

/** The element of `v` at a place, broadcast; a place may have more axes in front. */
function at(v: Val, place: readonly number[]): number {
  let i = 0
  for (const [axis, extent] of v.s.entries()) {
    const k = place[place.length - v.s.length + axis]!
    i = i * extent + (extent === 1 ? 0 : k)
  }
  return v.d[i]!
}

const replaced = (list: readonly number[], at: number, by: number): number[] =>
  list.map((one, i) => (i === at ? by : one))

const build = (s: readonly number[], f: (place: number[]) => number): Val => {
  const out = val(s)
  let i = 0
  for (const place of places(s)) out.d[i++] = f(place)
  return out
}

function broadcast(vals: readonly Val[]): number[] {
  const rank = Math.max(...vals.map((v) => v.s.length))
  return Array.from({ length: rank }, (_, k) => {
    const extents = vals.map((v) => v.s[v.s.length - rank + k] ?? 1)
    return extents.find((extent) => extent !== 1) ?? 1
  })
}

const expm1 = (x: number, a = 1) => (x > 0 ? x : a * Math.expm1(x))
const activations: Record<string, (x: number) => number> = {
  linear: (x) => x,
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  hard_sigmoid: (x) => Math.min(1, Math.max(0, 0.2 * x + 0.5)),
  relu: (x) => Math.max(0, x),
  softplus: (x) => Math.max(0, x) + Math.log1p(Math.exp(-Math.abs(x))),
  softsign: (x) => x / (1 + Math.abs(x)),
  elu: (x) => expm1(x),
  selu: (x) => 1.0507009873554805 * expm1(x, 1.6732632423543772),
  exponential: Math.exp,
  swish: (x) => x / (1 + Math.exp(-x)),
}

const each: Record<string, (a: Attributes, ...x: number[]) => number> = {
  exp: (_, x) => Math.exp(x!),
  log: (_, x) => Math.log(x!),
  sqrt: (_, x) => Math.sqrt(x!),
  square: (_, x) => x! * x!,
  abs: (_, x) => Math.abs(x!),
  sign: (_, x) => Math.sign(x!),
  reciprocal: (_, x) => 1 / x!,
  power: (a, x) => x! ** (a.exponent as number),
  clip: (a, x) => Math.min(a.max as number, Math.max(a.min as number, x!)),
  dropout: (_, x) => x!,
  stop_gradient: (_, x) => x!,
  add: (_, x, y) => x! + y!,
  sub: (_, x, y) => x! - y!,
  mul: (_, x, y) => x! * y!,
  div: (_, x, y) => x! / y!,
  max: (_, x, y) => Math.max(x!, y!),
  min: (_, x, y) => Math.min(x!, y!),
  equal: (_, x, y) => Number(x === y),
  less: (_, x, y) => Number(x! < y!),
  less_equal: (_, x, y) => Number(x! <= y!),
  where: (_, c, x, y) => (c ? x! : y!),
}

function rows(v: Val, f: (row: number[]) => number[]): Val {
  const K = v.s.at(-1)!
  const out = val(v.s)
  for (let r = 0; r < v.d.length; r += K) out.d.set(f([...v.d.subarray(r, r + K)]), r)
  return out
}
const softmax = (row: number[]): number[] => {
  const top = Math.max(...row)
  const e = row.map((x) => Math.exp(x - top))
  const sum = e.reduce((a, b) => a + b, 0)
  return e.map((x) => x / sum)
}

const reductions: Record<string, (x: number[]) => number> = {
  sum: (x) => x.reduce((a, b) => a + b, 0),
  mean: (x) => x.reduce((a, b) => a + b, 0) / x.length,
  max_of: (x) => Math.max(...x),
  min_of: (x) => Math.min(...x),
  prod: (x) => x.reduce((a, b) => a * b, 1),
}

function product(a: Val, b: Val, transposed: boolean): Val {
  const [R, C] = b.s.slice(-2) as [number, number]
  const [K, N] = transposed ? [C, R] : [R, C]
  return build([...a.s.slice(0, -1), N], (place) => {
    let sum = 0
    for (let k = 0; k < K; k++) {
      const right = transposed ? [place.at(-1)!, k] : [k, place.at(-1)!]
      const lead = b.s.length > 2 ? place.slice(0, -2) : []
      sum += at(a, [...place.slice(0, -1), k]) * at(b, [...lead, ...right])
    }
    return sum
  })
}

/** The value of an op. */
export function compute(op: string, args: readonly Val[], a: Attributes): Val {
  const [x, y] = args as [Val, Val]
  const axis = a.axis as number
  if (op === 'activation' && a.name === 'softmax') return rows(x, softmax)
  if (op === 'activation') return build(x.s, (p) => activations[a.name as string]!(at(x, p)))
  if (op === 'log_softmax') return rows(x, (row) => softmax(row).map(Math.log))
  const formula = each[op]
  if (formula) return build(broadcast(args), (p) => formula(a, ...args.map((v) => at(v, p))))
  const reduce = reductions[op]
  if (reduce) {
    const axes = a.axes as number[]
    const kept = x.s.map((n, k) => (axes.includes(k) ? 1 : n))
    const out = build(kept, (place) => {
      const over = x.s.map((n, k) => (axes.includes(k) ? n : 1))
      return reduce(
        [...places(over)].map((p) =>
          at(
            x,
            p.map((i, k) => i + place[k]!),
          ),
        ),
      )
    })
    return a.keep ? out : { d: out.d, s: x.s.filter((_, k) => !axes.includes(k)) }
  }
  switch (op) {
    case 'number':
      return val([], [a.value as number])
    case 'phase':
      return val([], [0])
    case 'full': {
      const dims = (a.dims as number[]).map((n) => (n >= 0 ? n : x.s[-1 - n]!))
      return val(dims, new Float64Array(size(dims)).fill(a.value as number))
    }
    case 'dot':
      return product(x, y, a.transposed === true)
    case 'batch_dot':
      return product(x, y, a.transposed === true)
    case 'argmax':
      return build(
        x.s.filter((_, k) => k !== axis),
        (p) => {
          const line = Array.from({ length: x.s[axis]! }, (_, i) =>
            at(x, [...p.slice(0, axis), i, ...p.slice(axis)]),
          )
          return line.indexOf(Math.max(...line))
        },
      )
    case 'cumsum':
      return build(x.s, (p) => {
        let sum = 0
        for (let i = 0; i <= p[axis]!; i++) sum += at(x, replaced(p, axis, i))
        return sum
      })
    case 'gather':
      return build([...y.s, ...x.s.slice(1)], (p) =>
        at(x, [at(y, p.slice(0, y.s.length)), ...p.slice(y.s.length)]),
      )
    case 'pick':
      return build(y.s, (p) => at(x, [...p, at(y, p)]))
    case 'one_hot':
      return build([...x.s, a.classes as number], (p) => Number(at(x, p.slice(0, -1)) === p.at(-1)))
    case 'concat': {
      const total = args.reduce((n, v) => n + v.s[axis]!, 0)
      return build(replaced(x.s, axis, total), (p) => {
        let k = p[axis]!
        let part = 0
        while (k >= args[part]!.s[axis]!) k -= args[part++]!.s[axis]!
        return at(args[part]!, replaced(p, axis, k))
      })
    }
    case 'slice': {
      const n = x.s[axis]!
      const place = (i: number) => Math.min(n, Math.max(0, i < 0 ? i + n : i))
      const from = place(a.from as number)
      const to = a.to === null ? n : place(a.to as number)
      const length = Math.max(0, Math.ceil((to - from) / (a.step as number)))
      return build(replaced(x.s, axis, length), (p) =>
        at(x, replaced(p, axis, from + p[axis]! * (a.step as number))),
      )
    }
    case 'reshape': {
      const dims = (a.dims as number[]).map((n) => (n < -1 ? x.s[-2 - n]! : n))
      const known = dims.reduce((n, d) => n * (d === -1 ? 1 : d), 1)
      return { d: x.d.slice(), s: dims.map((n) => (n === -1 ? x.d.length / known : n)) }
    }
    case 'permute': {
      const axes = a.axes as number[]
      return build(
        axes.map((k) => x.s[k]!),
        (p) =>
          at(
            x,
            x.s.map((_, k) => p[axes.indexOf(k)]!),
          ),
      )
    }
    case 'broadcast':
      return build(y.s, (p) => at(x, p))
    case 'repeat': {
      const count = a.count as number
      return build(replaced(x.s, axis, x.s[axis]! * count), (p) =>
        at(x, replaced(p, axis, Math.floor(p[axis]! / count))),
      )
    }
    default:
      throw new Error(`no op ${op}`)
  }
}

const step = (v: Val, t: number): Val => {
  const n = size(v.s.slice(1))
  return { d: v.d.slice(t * n, (t + 1) * n), s: v.s.slice(1) }
}
const stacked = (all: readonly Val[], s: readonly number[]): Val =>
  val(
    [all.length, ...(all[0]?.s ?? s)],
    all.flatMap((v) => [...v.d]),
  )

// ---- expressions ----

/** Values of expressions, given those of placeholders. */
export function evaluate(roots: readonly Expr[], given: ReadonlyMap<Expr, Val>): Val[] {
  const known = new Map(given)
  const loops = new Map<Scan, Val[]>()
  const value = (expr: Expr, env: Map<Expr, Val>): Val => {
    const hit = env.get(expr) ?? known.get(expr)
    if (hit) return hit
    let made: Val
    if (expr instanceof SharedVariable) {
      const { data, shape } = expr.getValue()
      made = val(shape, data)
    } else if (expr instanceof ScanOutput) {
      const all = run(expr.scan, env)[expr.index]!
      made = expr.isLast ? step(all, all.s[0]! - 1) : all
    } else if (expr instanceof Gradient) throw new Error('no gradients here')
    else
      made = compute(
        expr.op,
        expr.args.map((arg) => value(arg, env)),
        expr.attributes,
      )
    env.set(expr, made)
    return made
  }
  const run = (loop: Scan, env: Map<Expr, Val>): Val[] => {
    const hit = loops.get(loop)
    if (hit) return hit
    const sequences = loop.sequences.map((s) => value(s, env))
    for (const outside of loop.outside) value(outside, env)
    const T = sequences[0]?.s[0] ?? (loop.length as number)
    let states = loop.states.map(({ initial }) => value(initial, env))
    const all: Val[][] = loop.outputs.map(() => [])
    for (let i = 0; i < T; i++) {
      const t = loop.loop.goBackwards ? T - 1 - i : i
      const inner = new Map(env)
      for (const [k, s] of loop.steps.entries()) inner.set(s, step(sequences[k]!, t))
      for (const [k, s] of loop.states.entries()) inner.set(s.before, states[k]!)
      for (const [k, out] of loop.outputs.entries()) all[k]!.push(value(out, inner))
      states = loop.states.map(({ next }) => value(next, inner))
    }
    const out = all.map((steps) => stacked(steps, []))
    loops.set(loop, out)
    return out
  }
  return roots.map((root) => value(root, known))
}

// ---- programs ----

interface Node {
  op: string
  args?: number[]
  index?: number
  name?: string
  [key: string]: unknown
}

function runProgram(nodes: readonly Node[], leaf: (node: Node) => Val | undefined): Val[] {
  const out: Val[] = []
  for (const node of nodes)
    out.push(
      leaf(node) ??
        compute(
          node.op,
          (node.args ?? []).map((i) => out[i]!),
          node,
        ),
    )
  return out
}

/** Values that a Spec of a function gives back and what parameters become; without gradients. */
export function runSpec(
  spec: Spec,
  inputs: readonly Val[],
  params: ReadonlyMap<string, Val>,
): { outputs: Val[] } {
  const values = new Map<string, Val>(spec.inputs.map(({ name }, i) => [name, inputs[i]!]))
  for (const { op, inputs: names, outputs, options, params: uses } of spec.ops) {
    const args = names.map((name) => values.get(name)!)
    const nodes = options.nodes as unknown as Node[]
    const leaf = (node: Node): Val | undefined => {
      if (node.op === 'input') return args[node.index!]
      if (node.op !== 'param') return undefined
      return params.get(uses.find(({ name }) => name === node.name)!.param)
    }
    if (op === 'expression') {
      const made = runProgram(nodes, leaf)
      for (const [i, node] of (options.outputs as number[]).entries())
        values.set(outputs[i]!, made[node]!)
      continue
    }
    const o = options as unknown as {
      sequences: number
      states: { from: number | string | null; dims: number[] | null; next: number }[]
      outputs: { node: number; last: boolean }[]
      steps: number | null
      goBackwards: boolean
    }
    const T = o.sequences > 0 ? args[0]!.s[0]! : o.steps!
    let states = o.states.map(({ from, dims }) => {
      if (from === null) return val(dims!)
      if (typeof from === 'number') return args[from]!
      return params.get(uses.find(({ name }) => name === from)!.param)!
    })
    const all: Val[][] = o.outputs.map(() => [])
    for (let i = 0; i < T; i++) {
      const t = o.goBackwards ? T - 1 - i : i
      const made = runProgram(nodes, (node) => {
        if (node.op === 'sequence') return step(args[node.index!]!, t)
        if (node.op === 'state') return states[node.index!]
        return leaf(node)
      })
      for (const [k, { node }] of o.outputs.entries()) all[k]!.push(made[node]!)
      states = o.states.map(({ next }) => made[next]!)
    }
    for (const [k, { last }] of o.outputs.entries())
      values.set(outputs[k]!, last ? all[k]!.at(-1)! : stacked(all[k]!, []))
  }
  return { outputs: spec.predictions.map(({ value }) => values.get(value)!) }
}
