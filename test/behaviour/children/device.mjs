/**
 * What a program is told of cards, as JSON: the devices; what `compile` says of a model for a card;
 * the largest difference of the weights that both devices train.
 */
import { mean, square, sub } from 'hiddenstate/backend'
import {
  ctc,
  Dense,
  Dropout,
  Embedding,
  GRU,
  info,
  LSTM,
  Sequential,
  setFloatx,
  setSeed,
} from 'hiddenstate'

const saidBy = (call) => {
  try {
    call()
    return null
  } catch ({ name, code, message }) {
    return { name, code, message }
  }
}

const made = () =>
  new Sequential([
    new Embedding(12, 5, { inputLength: 6, maskZero: true }),
    new LSTM(7, { returnSequences: true, dropoutU: 0.2 }),
    new GRU(4, { activation: 'softmax' }),
    new Dropout(0.3),
    new Dense(3, { activation: 'softmax' }),
  ])
const compiled = (model, device, loss = 'sparse_categorical_crossentropy', precision = null) =>
  model.compile({ optimizer: 'adam', loss, metrics: ['accuracy'], device, precision })
const written = (t, p) => mean(square(sub(t, p)), -1)
const classes = (rows) => rows.map(([k]) => [0, 1, 2].map((j) => Number(j === k)))

const x = Array.from({ length: 20 }, (_, i) => Array.from({ length: 6 }, (_, t) => (i * t) % 12))
const y = x.map((_, i) => [i % 3])

async function trained(device, weights, loss, precision) {
  const model = made()
  compiled(model, device, loss, precision)
  model.setWeights(weights)
  setSeed(5)
  const { history } = await model.fit(x, loss ? classes(y) : y, { nbEpoch: 3, batchSize: 8, verbose: 0 })
  return { weights: model.getWeights(), loss: history.loss, predicted: await model.predict(x) }
}

/** Steps of a session of a model for a card beside what it predicts. */
async function stepped(weights) {
  const model = made()
  compiled(model, 'cuda')
  model.setWeights(weights)
  const session = model.session()
  let last
  for (const word of x[1]) last = await session.step(word)
  const whole = await model.predict([x[1]])
  return Math.max(...[...last.data].map((v, i) => Math.abs(v - whole.data[i])))
}

const difference = (a, b) => Math.max(...a.data.map((v, i) => Math.abs(v - b.data[i])))

const apart = (a, b) => Math.max(...a.loss.map((v, i) => Math.abs(v - b.loss[i])))

/** What `compile` says of mixed_bfloat16 on the card. */
function mixedSaid() {
  setFloatx('mixed_bfloat16')
  const said = saidBy(() => compiled(made(), 'cuda'))
  setFloatx('float32')
  return said
}

const refused = made()
const result = {
  devices: info().devices,
  card: saidBy(() => compiled(refused, 'cuda')),
  mixedCard: mixedSaid(),
}
if (result.card === null) {
  const weights = made().getWeights()
  const [cpu, cuda] = [await trained('cpu', weights), await trained('cuda', weights)]
  const again = await trained('cuda', weights)
  const [onCpu, onCard] = [
    await trained('cpu', weights, written),
    await trained('cuda', weights, written),
  ]
  result.writtenLoss = apart(onCpu, onCard)
  const tf32 = {
    cpu: await trained('cpu', weights, undefined, 'tf32'),
    cuda: await trained('cuda', weights, undefined, 'tf32'),
  }
  result.tf32 = apart(tf32.cuda, cuda)
  result.tf32OnCpu = apart(tf32.cpu, cpu)
  if (result.mixedCard === null) {
    setFloatx('mixed_bfloat16')
    result.mixed = apart(await trained('cpu', weights), await trained('cuda', weights))
    setFloatx('float32')
  }
  result.session = await stepped(cuda.weights)
  result.weights = Math.max(...cpu.weights.map((w, i) => difference(w, cuda.weights[i])))
  result.loss = apart(cpu, cuda)
  result.predicted = difference(cpu.predicted, cuda.predicted)
  const labeller = new Sequential([
    new LSTM(3, { returnSequences: true, inputShape: [null, 2] }),
    new Dense(3, { activation: 'softmax' }),
  ])
  const options = { optimizer: 'sgd', loss: ctc(), device: 'cuda' }
  result.ctc = saidBy(() => labeller.compile(options))
  result.again = Math.max(...cuda.weights.map((w, i) => difference(w, again.weights[i])))
} else {
  compiled(refused, 'cpu')
  result.afterwards = (await refused.fit(x, y, { nbEpoch: 1, verbose: 0 })).history.loss.length
}
console.log(JSON.stringify(result))
