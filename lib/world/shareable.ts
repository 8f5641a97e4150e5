/** Which models ranks can share out: those of which each sample can be computed by itself. */
import { ConfigError, fail } from '../errors.js'
import type { OpSpec, Spec } from '../spec.js'

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

/** Metrics that are no mean over samples. */
const OF_BATCHES: ReadonlySet<string> = new Set([
  'matthews_correlation',
  'precision',
  'recall',
  'fbeta_score',
  'fmeasure',
])

const isRandom = ({ op, options }: OpSpec): boolean =>
  op === 'dropout' ||
  op === 'noise' ||
  Number(options.dropoutW ?? 0) > 0 ||
  Number(options.dropoutU ?? 0) > 0

/** What of the graph stands against it, in words; null: nothing. */
function obstacle({
  ops,
  penalties = [],
  updates = [],
}: Spec): { layer?: string; what: string } | null {
  if (penalties.length > 0) return { what: 'one with penalties that are expressions' }
  if (updates.length > 0) return { what: 'one with constraints that are expressions' }
  const folded = new Set<string>() // values whose rows are steps
  for (const op of ops) {
    const layer = `${op.layer} (${op.className})`
    if (!BY_SAMPLE.has(op.op) || op.after)
      return { layer, what: `one with ${layer}, which may look at a batch as a whole` }
    if (op.options.stateful === true)
      return { layer, what: `one with ${layer}, whose states go from batch to batch` }
    if (op.activity) return { layer, what: `one with an activity regularizer, of ${layer}` }
    const isInside = op.inputs.some((input) => folded.has(input))
    if (isInside && isRandom(op))
      return { layer, what: `one with dropout or noise inside TimeDistributed, ${layer}` }
    if (op.op === 'fold' || (isInside && op.op !== 'unfold'))
      for (const output of op.outputs) folded.add(output)
  }
  return null
}

/** The same of losses and metrics. */
function lossObstacle({ predictions }: Spec): string | null {
  for (const { loss, metrics } of predictions) {
    if (typeof loss !== 'string') return 'one whose loss is a function, CTC or that of a CRF'
    for (const metric of metrics) {
      if ('nodes' in metric) return `one with the metric '${metric.name}', a function`
      if (OF_BATCHES.has(metric.name))
        return `one with the metric '${metric.name}', which is no mean over samples`
    }
  }
  return null
}

/** @throws ConfigError ERR_OPTION for a model that ranks cannot share out yet, naming what of it */
export function checkShareable(spec: Spec, device: string): void {
  const found = device === 'cpu' ? obstacle(spec) : { what: `one for the device '${device}'` }
  const actual = found?.what ?? lossObstacle(spec)
  if (actual === null) return
  fail(ConfigError, 'ERR_OPTION', {
    where: 'compile',
    ...(found?.layer ? { layer: found.layer } : {}),
    what: 'the model beside `distribute`',
    expected: 'one that can be trained sample by sample',
    actual,
  })
}
