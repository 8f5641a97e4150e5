/** A workload as a model of this package. */

const losses = {
  mse: { loss: 'mse', activation: 'linear' },
  bce: { loss: 'binary_crossentropy', activation: 'sigmoid' },
  ce: { loss: 'categorical_crossentropy', activation: 'softmax' },
}

/**
 * Gates use the logistic sigmoid, as all competitors do; weights come in one array for all gates.
 */
function recurrent(hs, cell, H, options, cells) {
  if (cells) return new cells[cell](H, options)
  if (cell === 'rnn') return new hs.SimpleRNN(H, options)
  const gated = { innerActivation: 'sigmoid', consumeLess: 'gpu', ...options }
  if (cell === 'lstm') return new hs.LSTM(H, gated)
  return new hs.GRU(H, { ...gated, ...(cell === 'lbr_gru' ? { resetAfter: true } : {}) })
}

/**
 * `{ model, compile }` made by the package `hs`; `options` go to every recurrent layer. `cells`:
 * the classes of recurrent layers instead of its own. `rows`: it takes batches of so many alone.
 */
export function modelOf(
  hs,
  { cell, B, T, D, H, L, V, K, loss, stateful, rows = stateful ? B : null },
  options = {},
  cells = null,
) {
  const model = new hs.Sequential()
  if (V > 0)
    model.add(new hs.Embedding(V, D, rows ? { batchInputShape: [rows, T] } : { inputLength: T }))
  for (let l = 0; l < L; l++) {
    const first =
      l === 0 && V === 0 ? (rows ? { batchInputShape: [rows, T, D] } : { inputShape: [T, D] }) : {}
    const rest = { returnSequences: l < L - 1, stateful: Boolean(stateful) }
    model.add(recurrent(hs, cell, H, { ...options, ...rest, ...first }, cells))
  }
  if (K > 0) model.add(new hs.Dense(K, { activation: losses[loss].activation }))
  return {
    model,
    compile: (more = {}) => model.compile({ optimizer: 'adam', loss: losses[loss].loss, ...more }),
  }
}
