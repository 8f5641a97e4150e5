/**
 * Whether a competitor computes what we compute, from the same weights on the same batch.
 *
 * Predictions: float32 carried over T steps in another order of summation, with another
 * approximation of tanh; 1e-3 of the largest output has room for both and none for another formula
 * (a wrong gate order gives 0.1 and more).
 *
 * Training: the first loss as predictions. What two steps of Adam take off it depends on every
 * gradient; its sign-like first step turns rounding in tiny gradients into whole steps, and
 * libraries differ in where epsilon stands: 5 % of the change. Gradients of U alone left out change
 * it by more. A change too small to be seen in float32 beside the loss itself is not judged.
 */
const PREDICTION = 1e-3
const CHANGE = 0.05
const FLOAT32 = 1e-6

const largest = (numbers) => Math.max(...numbers.map(Math.abs))

/** `{ same, text }` of two answers to `prepare` (peers/serve.mjs). */
export function agreement(ours, theirs) {
  return ours.losses
    ? ofLosses(ours.losses, theirs.losses)
    : ofOutputs(ours.outputs, theirs.outputs)
}

function ofOutputs(ours, theirs) {
  if (theirs.length !== ours.length)
    return { same: false, text: `${theirs.length} outputs instead of ${ours.length}` }
  const error = largest(ours.map((v, i) => theirs[i] - v)) / largest(ours)
  return { same: error <= PREDICTION, text: `outputs within ${error.toExponential(0)}` }
}

function ofLosses(ours, theirs) {
  const first = Math.abs(theirs[0] - ours[0]) / Math.abs(ours[0])
  if (!(first <= PREDICTION))
    return { same: false, text: `first loss ${theirs[0]} instead of ${ours[0]}` }
  const [change, wanted] = [theirs, ours].map((losses) => losses.at(-1) - losses[0])
  const noise = (FLOAT32 * Math.abs(ours[0])) / Math.abs(wanted)
  if (noise > CHANGE)
    return { same: true, text: 'first loss the same; it changes too little to judge the gradients' }
  const error = Math.abs(change - wanted) / Math.abs(wanted)
  return { same: error <= CHANGE, text: `loss falls the same within ${(100 * error).toFixed(1)} %` }
}
