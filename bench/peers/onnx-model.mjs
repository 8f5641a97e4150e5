/**
 * A workload as an ONNX model (opset 14), so that nothing but the runtime is needed. Protocol
 * buffers, as far as ONNX's onnx.proto needs them here: a message is a list of [field number,
 * value] in Uint8Arrays.
 *
 *   ModelProto   ir_version 1 · graph 7 · opset_import 8 (version 2)
 *   GraphProto   node 1 · name 2 · initializer 5 · input 11 · output 12
 *   NodeProto
 *     input 1 · output 2 · op_type 4 · attribute 5 (name 1 · i 3 · type 20, 2 means an integer)
 *   TensorProto  dims 1 · data_type 2 · name 8 · raw_data 9
 *   ValueInfo
 *     name 1 · type 2 { tensor_type 1 { elem_type 1 · shape 2 { dim 1 { dim_value 1 } } } }
 */
const FLOAT = 1
const INT32 = 6
const INT64 = 7

function varint(n) {
  const bytes = []
  for (; n > 127; n = Math.floor(n / 128)) bytes.push((n % 128) | 128)
  return Buffer.from([...bytes, n])
}

/** Fields [number, value]: an integer, a text, or bytes (of a message too). */
function message(...fields) {
  return Buffer.concat(
    fields.flatMap(([field, value]) => {
      if (typeof value === 'number') return [varint(field * 8), varint(value)]
      const bytes = Buffer.from(value)
      return [varint(field * 8 + 2), varint(bytes.length), bytes]
    }),
  )
}

const bytesOf = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength)
const tensor = (name, dims, array, type = FLOAT) =>
  message(...dims.map((d) => [1, d]), [2, type], [8, name], [9, bytesOf(array)])
const valueInfo = (name, dims, type = FLOAT) => {
  const shape = message(...dims.map((d) => [1, message([1, d])]))
  return message([1, name], [2, message([1, message([1, type], [2, shape])])])
}
const node = (type, inputs, outputs, attributes = {}) =>
  message(
    ...inputs.map((name) => [1, name]),
    ...outputs.map((name) => [2, name]),
    [4, type],
    ...Object.entries(attributes).map(([name, i]) => [5, message([1, name], [3, i], [20, 2])]),
  )

const operators = { lstm: 'LSTM', gru: 'GRU', lbr_gru: 'GRU', rnn: 'RNN' }
/** Where each of ONNX's gates lies among ours: i o f g; z r g. */
const order = { lstm: [0, 3, 1, 2], gru: [0, 1, 2], lbr_gru: [0, 1, 2], rnn: [0] }
const activations = { bce: 'Sigmoid', ce: 'Softmax' }

/** Ours [rows, G·H] → [G·H, rows] with the gates in ONNX's order. */
function gates(ours, rows, { cell, G, H }) {
  const theirs = new Float32Array(ours.length)
  for (const [to, from] of order[cell].entries())
    for (let h = 0; h < H; h++)
      for (let r = 0; r < rows; r++) theirs[(to * H + h) * rows + r] = ours[(r * G + from) * H + h]
  return theirs
}

/**
 * The bytes of the model. Input `x` [T, B, D] (words: [T, B] int32), stateful also `h` and `c` [1,
 * B, H]; output `y` [B, K], stateful `h_0` and `c_0`.
 */
export function onnxModel(job, floats) {
  const { cell, B, T, D, H, L, V, K, G, loss, stateful } = job
  const nodes = []
  const constants = []
  const inputs = [V > 0 ? valueInfo('x', [T, B], INT32) : valueInfo('x', [T, B, D])]
  const states = stateful ? (cell === 'lstm' ? ['h', 'c'] : ['h']) : []
  for (const state of states) inputs.push(valueInfo(state, [1, B, H]))
  let value = 'x'
  if (V > 0) {
    constants.push(tensor('embedding', [V, D], floats('embedding')))
    nodes.push(node('Gather', ['embedding', 'x'], ['rows']))
    value = 'rows'
  }
  for (let l = 0; l < L; l++) {
    const width = l === 0 ? D : H
    const biases = new Float32Array(2 * G * H)
    biases.set(gates(floats(`b${l}`), 1, job))
    if (cell === 'lbr_gru') biases.set(gates(floats(`c${l}`), 1, job), G * H)
    constants.push(
      tensor(`W${l}`, [1, G * H, width], gates(floats(`W${l}`), width, job)),
      tensor(`U${l}`, [1, G * H, H], gates(floats(`U${l}`), H, job)),
      tensor(`b${l}`, [1, 2 * G * H], biases),
    )
    const outputs = [`all_${l}`, `h_${l}`, ...(cell === 'lstm' ? [`c_${l}`] : [])]
    const attributes = { hidden_size: H, ...(cell === 'lbr_gru' ? { linear_before_reset: 1 } : {}) }
    nodes.push(
      node(operators[cell], [value, `W${l}`, `U${l}`, `b${l}`, '', ...states], outputs, attributes),
    )
    if (l < L - 1) {
      constants.push(tensor(`direction_${l}`, [1], BigInt64Array.of(1n), INT64))
      nodes.push(node('Squeeze', [`all_${l}`, `direction_${l}`], [`x_${l + 1}`]))
      value = `x_${l + 1}`
    }
  }
  const outputs = states.map((state) => valueInfo(`${state}_0`, [1, B, H]))
  if (K > 0) {
    constants.push(tensor('axis', [1], BigInt64Array.of(0n), INT64))
    constants.push(
      tensor('dense_W', [H, K], floats('dense_W')),
      tensor('dense_b', [K], floats('dense_b')),
    )
    nodes.push(node('Squeeze', [`h_${L - 1}`, 'axis'], ['last']))
    nodes.push(node('Gemm', ['last', 'dense_W', 'dense_b'], [activations[loss] ? 'dense' : 'y']))
    if (activations[loss]) nodes.push(node(activations[loss], ['dense'], ['y']))
    outputs.push(valueInfo('y', [B, K]))
  }
  const graph = message(
    ...nodes.map((n) => [1, n]),
    [2, 'workload'],
    ...constants.map((c) => [5, c]),
    ...inputs.map((i) => [11, i]),
    ...outputs.map((o) => [12, o]),
  )
  return message([1, 8], [7, graph], [8, message([2, 14])])
}
