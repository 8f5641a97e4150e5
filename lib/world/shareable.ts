/** Which models ranks can share out: those of which each sample can be computed by itself. */
import { ConfigError, fail } from '../errors.js'
import type { Option, OpSpec, ProgramSpec, Shape, Spec } from '../spec.js'
import { placeOf, places } from './by-sample.js'

/** Operations of which a sample depends on no other one of its batch. */
const BY_SAMPLE: ReadonlySet<string> = new Set([
  'recurrence',
  'conv_recurrence',
  'dense',
  'embedding',
  'activation',
  'parametric_activation',
  'highway',
  'maxout_dense',
  'dropout',
  'noise',
  'sample_normalization',
  'mask_value',
  'masking',
  'reshape',
  'permute',
  'repeat_vector',
  'reverse',
  'merge',
  'dot',
  'fold',
  'unfold',
  'convolution',
  'locally_connected',
  'pooling',
  'resize',
])

const isRandom = ({ op, options }: OpSpec): boolean =>
  op === 'dropout' ||
  op === 'noise' ||
  Number(options.dropoutW ?? 0) > 0 ||
  Number(options.dropoutU ?? 0) > 0

/** Of values of a graph, by their names; without the batch. */
type Shapes = ReadonlyMap<string, Shape>

/** What of a program of an op stands against it; null: nothing. */
function programObstacle(op: OpSpec, shapes: Shapes): string | null {
  if (op.bySample) return null
  const { nodes, outputs, whole, sequences, states } = op.options as unknown as ProgramOptions
  if (whole) return 'values without a batch'
  const isScan = op.op === 'scan'
  const inputs = op.inputs.map((input) => placeOf(shapes.get(input)!))
  const found = places(nodes, (node) => {
    const index = node.index as number
    if (node.op === 'input') return inputs[index]
    if (node.op === 'mask') return { rank: 2, batch: isScan ? 0 : 1 } // a step: [B, 1]
    // a step of [T, B, …]
    if (node.op === 'sequence') return { rank: inputs[index]!.rank - 1, batch: 0 }
    const dims = node.op === 'state' ? states![index]!.dims : null
    return dims ? { rank: dims.length, batch: dims.indexOf(-1) } : undefined
  })
  if ('node' in found) return `'${found.node}'`
  if (isScan) {
    const others = inputs.slice(sequences).some(({ batch }) => batch === null)
    const states0 = states!.every(({ next, dims }) => found[next]!.batch === dims.indexOf(-1))
    return others || !states0 ? 'a state that samples share' : null
  }
  const isSame = (outputs as number[]).every(
    (node, i) => found[node]!.batch === placeOf(shapes.get(op.outputs[i]!)!).batch,
  )
  return isSame ? null : 'an output that samples share'
}

/** The options of ops `expression` and `scan`. */
interface ProgramOptions {
  nodes: readonly unknown[]
  outputs: readonly unknown[]
  whole?: boolean
  sequences?: number
  states?: readonly { next: number; dims: readonly number[] }[]
}

/** Where samples of a batch meet in an op, in words; null: nowhere. */
function meeting(op: OpSpec, shapes: Shapes): string | null {
  const layer = `${op.layer} (${op.className})`
  const isProgram = op.op === 'expression' || op.op === 'scan'
  if (!isProgram && !BY_SAMPLE.has(op.op))
    return `one with ${layer}, which looks at a batch as a whole`
  const mixes = isProgram ? programObstacle(op, shapes) : null
  if (mixes) return `one with ${layer}, whose samples may meet in ${mixes}`
  return op.options.stateful === true
    ? `one with ${layer}, whose states go from batch to batch`
    : null
}

/**
 * Where samples of one batch meet when a model predicts, in words; null: nowhere.
 *
 * @param spec without training
 * @param shapes of the values of its graph, without the batch
 */
export function meetingOf({ ops }: Spec, shapes: Shapes): string | null {
  // mode 0 has running statistics when it predicts
  const alone = ({ op, options }: OpSpec) => op === 'batch_normalization' && options.mode === 0
  for (const op of ops) {
    const what = alone(op) ? null : meeting(op, shapes)
    if (what !== null) return what
  }
  return null
}

/** What of the graph stands against it, in words; null: nothing. */
function obstacle(
  { ops, penalties = [], updates = [] }: Spec,
  shapes: Shapes,
): { layer?: string; what: string } | null {
  if (penalties.length > 0) return { what: 'one with penalties that are expressions' }
  if (updates.length > 0) return { what: 'one with constraints that are expressions' }
  const folded = new Set<string>() // values whose rows are steps
  for (const op of ops) {
    const layer = `${op.layer} (${op.className})`
    const meets = meeting(op, shapes)
    if (meets !== null) return { layer, what: meets }
    const isInside = op.inputs.some((input) => folded.has(input))
    if (isInside && isRandom(op))
      return { layer, what: `one with dropout or noise inside TimeDistributed, ${layer}` }
    if (op.op === 'fold' || (isInside && op.op !== 'unfold'))
      for (const output of op.outputs) folded.add(output)
  }
  return null
}

/** The same of losses and metrics. */
function lossObstacle({ predictions }: Spec, shapes: Shapes): string | null {
  for (const { value, scored = value, loss, metrics } of predictions) {
    const mixes = (of: Pick<ProgramSpec, 'nodes' | 'output' | 'reads'>, output: string) => {
      const given = [output, output, ...(of.reads ?? [])] // targets have as many axes
      const found = places(of.nodes.slice(0, of.output + 1), ({ op, index }) =>
        op === 'input' ? placeOf(shapes.get(given[index as number]!)!) : undefined,
      )
      if ('node' in found) return `'${found.node}'`
      return found[of.output]!.batch === null ? 'its value' : null
    }
    if (typeof loss === 'object' && loss !== null && 'value' in loss)
      return 'one whose loss is a value of its own'
    const isProgram = typeof loss === 'object' && loss !== null && 'nodes' in loss
    const inLoss = isProgram && !loss.bySample ? mixes(loss, scored) : null
    if (inLoss) return `one with a loss whose samples may meet in ${inLoss}`
    for (const metric of metrics) {
      if (!('nodes' in metric)) continue
      const { nodes, output } = metric as ProgramSpec
      // the mean is taken anyhow
      const { op, args } = nodes[output] as { op?: Option; args?: readonly number[] }
      const inMetric = mixes({ nodes, output: op === 'mean' ? args![0]! : output }, value)
      if (inMetric)
        return `one with the metric '${metric.name}', whose samples may meet in ${inMetric}`
    }
  }
  return null
}

/**
 * @param shapes of the values of its graph, without the batch
 * @throws ConfigError ERR_OPTION for a model that ranks cannot share out yet, naming what of it
 */
export function checkShareable(spec: Spec, shapes: Shapes): void {
  const { device } = spec
  const found = device === 'cpu' ? obstacle(spec, shapes) : { what: `one for a card ('${device}')` }
  const actual = found?.what ?? lossObstacle(spec, shapes)
  if (actual === null) return
  fail(ConfigError, 'ERR_OPTION', {
    where: 'compile',
    ...(found?.layer ? { layer: found.layer } : {}),
    what: 'the model beside `distribute`',
    expected: 'one that can be trained sample by sample',
    actual,
  })
}
