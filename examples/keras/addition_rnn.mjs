/**
 * Sequence to sequence: one LSTM reads a sum such as '16+61', another writes '77'. Numbers have up
 * to two digits, and the question is read backwards, which helps.
 *
 *   npm start keras/addition_rnn [-- --epochs 100 --digits 2 --size 5000]
 */
import '../one-sentence.mjs'
import { Activation, Dense, LSTM, RepeatVector, Sequential, TimeDistributed } from 'hiddenstate'
import { decode, encode, makeAdditions } from './additions.mjs'
import { percent, readOptions } from './options.mjs'

const RNN = LSTM // or GRU, SimpleRNN
const hiddenSize = 128
const batchSize = 128
const { epochs, digits, size, seed } = readOptions(
  { epochs: 100, digits: 2, size: 5000 },
  { epochs: 1, size: 1000 },
)

console.log('Generating data...')
const sums = makeAdditions(size, digits, 1)
const questions = encode(sums.map(([question]) => question)) // [N, 2 digits + 1, 12]
const answers = encode(sums.map(([, answer]) => answer)) // [N, digits + 1, 12]
const [, maxlen, nbChars] = questions.shape
const held = size / 10
console.log(`Total addition questions: ${size}, of which ${held} are held out (seed ${seed})`)

const model = new Sequential()
model.add(new RNN(hiddenSize, { inputShape: [maxlen, nbChars] }))
model.add(new RepeatVector(digits + 1))
model.add(new RNN(hiddenSize, { returnSequences: true }))
model.add(new TimeDistributed(new Dense(nbChars)))
model.add(new Activation('softmax'))
model.compile({ loss: 'categorical_crossentropy', optimizer: 'adam', metrics: ['accuracy'] })

let accuracy
for (let iteration = 1; iteration <= epochs; iteration += 10) {
  console.log(`\n${'-'.repeat(50)}\nIteration ${iteration}`)
  const nbEpoch = Math.min(10, epochs - iteration + 1)
  const { history } = await model.fit(questions, answers, {
    batchSize,
    nbEpoch,
    validationSplit: 0.1,
  })
  accuracy = history.val_acc.at(-1)
  // Ten sums that it has not learned from.
  const shown = sums.slice(-10)
  const guesses = decode(await model.predict(encode(shown.map(([question]) => question))))
  shown.forEach(([question, answer], i) => {
    const mark = guesses[i] === answer ? '☑' : '☒'
    console.log(`Q ${[...question].reverse().join('')}  T ${answer}  ${mark} ${guesses[i]}`)
  })
}
console.log(`\nValidation accuracy ${percent(accuracy)} of the characters`)
console.log(
  '(Keras 1.2.2, same data, 100 epochs: 97.93 ± 0.24 % over 3 seeds; its docstring promises 99 % in 55.)',
)
