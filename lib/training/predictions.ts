/** Classes from a model's outputs, and a check that these are probabilities. */
import { NDArray, sizeOf } from '../ndarray.js'
import { Ragged } from '../ragged.js'

/**
 * Index of the largest output; for one output, 1 where it is above 0.5. [N, …, K] → int32 [N, …]
 * ([N, …, 1] stays so). Of sequences of different lengths, the same of each step.
 */
export function classesOf(outputs: NDArray | Ragged): NDArray | Ragged {
  if (outputs instanceof Ragged) {
    const { data, shape } = classesOfArray(
      new NDArray(outputs.data, [
        outputs.data.length / sizeOf(outputs.stepShape),
        ...outputs.stepShape,
      ]),
    )
    return new Ragged(data, outputs.lengths, shape.slice(1))
  }
  return classesOfArray(outputs)
}

function classesOfArray({ data, shape }: NDArray): NDArray {
  const width = shape.at(-1)!
  if (width === 1)
    return new NDArray(
      Int32Array.from(data, (p) => (p > 0.5 ? 1 : 0)),
      shape,
    )
  const classes = new Int32Array(data.length / width)
  for (let row = 0; row < classes.length; row++) {
    let best = 0
    for (let k = 1; k < width; k++) if (data[row * width + k]! > data[row * width + best]!) best = k
    classes[row] = best
  }
  return new NDArray(classes, shape.slice(0, -1))
}

/** A process warning when an output is no probability. */
export function warnUnlessProbabilities(outputs: NDArray): void {
  if ((outputs.data as Float32Array).every((p) => p >= 0 && p <= 1)) return
  process.emitWarning(
    'predictProba: outputs must be probabilities from 0 to 1, got others. The last activation should be softmax or sigmoid.',
    { code: 'HIDDENSTATE_PROBA' },
  )
}
