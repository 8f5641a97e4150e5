/**
 * A card that fails in the second epoch, as JSON: what calls say, and whether the weights are those
 * of the end of the first. HIDDENSTATE_STAND_IN_DEAD: the file from whose making on it is dead.
 */
import fs from 'node:fs'
import { Dense, LambdaCallback, LSTM, Sequential, setSeed } from 'hiddenstate'

const said = async (call) => {
  try {
    await call()
    return null
  } catch ({ name, code, message }) {
    return { name, code, message }
  }
}
const flat = (weights) => weights.flatMap((w) => [...w.data])
const made = (device) => {
  const model = new Sequential([new LSTM(4, { inputShape: [5, 3] }), new Dense(2)])
  model.compile({ optimizer: 'adam', loss: 'mse', device })
  return model
}

setSeed(3)
const x = Array.from({ length: 12 }, (_, i) =>
  Array.from({ length: 5 }, (_, t) => [0, 1, 2].map((d) => Math.sin(i + t * d))),
)
const y = x.map(([[a, b]]) => [a, b])
const model = made('cuda')
const bystander = made('cpu')
let epochs = 0
let kept = []
const fitted = await said(() =>
  model.fit(x, y, {
    nbEpoch: 3,
    batchSize: 4,
    verbose: 0,
    callbacks: [
      new LambdaCallback({
        onEpochEnd() {
          epochs++
          kept = flat(model.getWeights())
          fs.writeFileSync(process.env.HIDDENSTATE_STAND_IN_DEAD, '')
        },
      }),
    ],
  }),
)
const again = await said(() => model.predict(x))
const another = await said(async () => made('cuda').predict(x))
const left = flat(model.getWeights())
const { history } = await bystander.fit(x, y, { nbEpoch: 1, verbose: 0 })
model.compile({ optimizer: 'adam', loss: 'mse', device: 'cpu' })
const moved = flat(model.getWeights())
const goesOn = (await model.fit(x, y, { nbEpoch: 1, verbose: 0 })).history.loss
console.log(
  JSON.stringify({
    ...{ fitted, again, another, epochs },
    isKept: kept.length > 0 && JSON.stringify(left) === JSON.stringify(kept),
    isMoved: JSON.stringify(moved) === JSON.stringify(kept),
    bystander: history.loss.length,
    goesOn: goesOn.length,
  }),
)
