/**
 * `node bench/quality/page.mjs [FILE]`: writes docs/quality.md and its drawings from the JSON that
 * run.mjs left. No figure in the tables is typed by hand.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { drawCurves } from './drawing.mjs'
import { sectionOf } from './section.mjs'
import { tasks } from './tasks.mjs'

const here = path.dirname(fileURLToPath(import.meta.url))
const docs = path.join(here, '..', '..', 'docs')
const read = (file) => JSON.parse(fs.readFileSync(file, 'utf8'))
const report = read(process.argv[2] ?? path.join(here, '..', 'out', 'quality.json'))
const keras = read(path.join(here, 'curves.json'))
const number = (v) => (Math.abs(v) < 0.01 ? v.toExponential(2) : v.toPrecision(4))
const show = ({ mean, sd, n }) => `${number(mean)} ± ${number(sd)}, n=${n}`
const isOwn = (name) => tasks[name].against !== undefined
const entries = Object.entries(tasks).flatMap(([name, { layers }]) =>
  layers.map((layer) => ({
    name,
    layer,
    key: `${name}/${layer}`,
    entry: report[`${name}/${layer}`],
  })),
)
const missing = entries.filter(({ entry }) => !entry).map(({ key }) => key)
const found = entries.filter(({ entry }) => entry)

const rowsOf = (list) =>
  list.flatMap(({ name, layer, entry }) =>
    Object.entries(entry.judged).map(
      ([measure, v]) =>
        `| ${name} | ${layer} | ${measure} (${v.better} is better) | ${show(v.ours)} | ${show(v.keras)} | ${number(v.margin)} | ${v.accepted ? 'yes' : '**no**'} |`,
    ),
  )
const rows = rowsOf(found.filter(({ name }) => !isOwn(name)))
const ownRows = rowsOf(found.filter(({ name }) => isOwn(name)))

fs.mkdirSync(path.join(docs, 'quality'), { recursive: true })
const drawn = [...new Set(found.map(({ name }) => name))].map((name) => {
  const lines = found
    .filter((of) => of.name === name)
    .flatMap(({ layer, entry }) =>
      tasks[name].curves.flatMap((measure) => [
        ...(keras[name]?.[layer][measure] ?? []).map((values, seed) => ({
          layer,
          measure,
          from: 'Keras',
          seed,
          values,
        })),
        ...entry.runs.map(({ seed, curve }) => ({
          layer,
          measure,
          from: 'hiddenstate',
          seed,
          values: curve[measure],
        })),
      ]),
    )
  const title = isOwn(name)
    ? `${name}: a line a fold`
    : `${name}: grey Keras 1.2.2, red hiddenstate, a line a seed`
  fs.writeFileSync(path.join(docs, 'quality', `${name}.svg`), drawCurves(lines, title))
  return `![${title}](quality/${name}.svg)`
})

const machines = [
  ...new Set(
    found.map(
      ({ entry: { machine: m } }) =>
        `${m.date.slice(0, 10)}, commit ${m.commit}, ${m.processor}, ${m.cores} cores, node ${m.node}, kernels ${m.isa}, threads by ${m.threading}`,
    ),
  ),
]
const text = `# Learning quality against Keras 1.2.2

The same data, model, optimizer and number of epochs as real Keras 1.2.2 (Theano 1.0.5, float32) was run with, over seeds. Data are
checked by fingerprint before a run, parameter counts after building the model. The Keras figures, one value a seed, are in
\`bench/quality/bars.json\`, its curves in \`bench/quality/curves.json\`; the set-ups in \`bench/quality/tasks.mjs\`.

A result is accepted when our mean is not worse than Keras' mean by more than the margin 3 · sd · √(1/n + 1/n_keras); sd is Keras', or the
pooled one where ours is larger. With so few seeds the sd itself is rough.

| task | layer | measure | hiddenstate: mean ± sd | Keras 1.2.2: mean ± sd | margin | accepted |
|---|---|---|---|---|--:|---|
${rows.join('\n')}
${missing.length > 0 ? `\nNot run: ${missing.join(', ')}.\n` : ''}
A set-up of our own, for which there is no Keras run, held against naive Bayes on the same ten folds by the same rule:

| task | layer | measure | hiddenstate: mean ± sd | naive Bayes: mean ± sd | margin | accepted |
|---|---|---|---|---|--:|---|
${ownRows.join('\n')}

Made by \`npm run quality -- ${Object.values(tasks)
  .flatMap(({ needs }) => (needs ? [`--${needs} PATH`] : []))
  .join(' ')}\` and \`node bench/quality/page.mjs\` on: ${machines.join('; ')}.

## Curves
${drawn.join('\n')}

## Reading it
- sentiment: 600 held-out sentences have a sampling error of 1.5 points; naive Bayes on words reaches 83.2 % on the same split and a
  regularised logistic regression 85.8 %. An LSTM on 2,400 short sentences is not better than counting words, here or in Keras.
- sine: plain linear prediction from the last five values is far better (MSE 7e-7): the task shows learning, not forecasting.
- vowels: 1-nearest-neighbour on mean and standard deviation of the coefficients has 96.5 %. A test of masking more than of learning.
  SimpleRNN looks better than Keras' three seeds: with Keras' own initial weights and shuffles of these seeds (drawn again with numpy) its curves repeat Keras' to
  the fourth digit over all 40 epochs, and with those of 20 seeds it has 97.0 ± 0.8 % in epochs 31-40, where the three have 95.7: they were unlucky ones.
- jsb: negative log-likelihood a frame; plain key frequencies give 11.09. The bar for LSTM has two seeds only.
- addition: sums of two numbers of up to two digits, 4,500 to learn from. Keras' own example promises 99 % after 55 epochs; Keras 1.2.2 does not
  reach that in 100 epochs with this set-up. There are only 5,050 such pairs, so more data cannot help.
- chars: nats a character after three epochs; Witten-Bell n-grams counted on the same 180,040 characters give 2.07 (3-gram), 1.79 (4-gram) and 1.72 (5-gram).
- sunspots: one month ahead. "As this month" has an RMSE of 20.09 over the test months, a linear autoregression over 24 months 18.21. On the raw scale
  the LSTM does not beat the first on average; with square roots and differences it does, but not the second. That holds for Keras as well.
- polarity: 10,662 sentences about films (rt-polarity) in ten folds; one fold stops the training by its loss, one is held against. The model was chosen among
  four by the stopping folds 1 to 3. The sampling error over all sentences is 0.4 points: accepted by the rule, but counting words is better by about a point.
`
const page = path.join(docs, 'quality.md')
// Of other programs: tagging.mjs writes its section, that of digits.mjs is by hand.
const before = fs.existsSync(page) ? fs.readFileSync(page, 'utf8') : ''
const kept = ['Tagging', 'Spoken digits'].map((name) => sectionOf(before, name)).filter(Boolean)
fs.writeFileSync(page, [text, ...kept.map((section) => `${section}\n`)].join('\n'))
console.log(
  `docs/quality.md: ${rows.length + ownRows.length} rows${missing.length > 0 ? `, not run: ${missing.join(', ')}` : ''}`,
)
