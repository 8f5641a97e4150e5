/** What a softmax at the end of a graph is made of, for losses that have the softmax in them. */
import { fail, ShapeError } from '../errors.js'
import type { Graph, OpSpec } from '../spec.js'

/** Ops that end in an activation: without it, they give what it gets. */
const ENDS_IN_ACTIVATION: ReadonlySet<string> = new Set([
  'dense',
  'convolution',
  'locally_connected',
])

/**
 * The value whose softmax an output is. Where one op makes both, it becomes two.
 *
 * @param value an output of the graph
 * @throws ShapeError ERR_SHAPE for an output that is no softmax over its last axis
 */
export function logitsOf(graph: Graph, value: string, loss: string): string {
  const op = graph.ops.find(({ outputs }) => outputs[0] === value)
  if (op?.op === 'activation' && op.options.activation === 'softmax') return op.inputs[0]!
  // Rows of samples become steps again: TimeDistributed
  if (op?.op === 'unfold') {
    const inside = logitsOf(graph, op.inputs[0]!, loss)
    const inputs = [inside, ...op.inputs.slice(1)]
    return addedBefore(op, { ...op, inputs, maskOut: null, activity: null }, graph)
  }
  if (!op || !ENDS_IN_ACTIVATION.has(op.op) || op.options.activation !== 'softmax')
    return fail(ShapeError, 'ERR_SHAPE', {
      where: op ? `${op.layer} (${op.className})` : 'model',
      what: `output for the loss '${loss}'`,
      expected: 'a softmax over its last axis',
      actual: op ? describeOp(op) : 'an input',
      hint: "End the model in TimeDistributed(Dense(K, { activation: 'softmax' })) or Activation('softmax').",
    })
  const options = { ...op.options, activation: 'linear' }
  const logits = addedBefore(op, { ...op, options, activity: null }, graph)
  graph.ops[graph.ops.indexOf(op)] = {
    op: 'activation',
    layer: op.layer,
    className: op.className,
    inputs: [logits],
    outputs: [value],
    mask: null,
    maskOut: null,
    options: { activation: 'softmax' },
    params: [],
    activity: op.activity,
    ...(op.after ? { after: op.after } : {}),
  }
  return logits
}

const describeOp = ({ options: { activation } }: OpSpec): string =>
  typeof activation === 'string' ? `the activation '${activation}'` : 'something else'

/** Puts an op in front of another, with an output of its own of the same shape. */
function addedBefore(other: OpSpec, op: OpSpec, graph: Graph): string {
  const [value] = other.outputs
  const name = graph.fresh(`${value}/logits`)
  graph.shapes.set(name, graph.shapes.get(value!)!)
  graph.ops.splice(graph.ops.indexOf(other), 0, { ...op, outputs: [name] })
  return name
}
