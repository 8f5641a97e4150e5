/**
 * `node bench/quality/tagging.mjs [--data DIR] [--seeds 3] [--epochs 8]`
 *
 * The taggers of examples/tagging over seeds: F1 of spans of a BiLSTM with a CRF beside the same
 * net with a softmax and the most frequent tag. Prints the table; that of the made sentences goes
 * into docs/quality.md. Exit status 1 unless the CRF is ahead of both with every seed.
 */
import fs from 'node:fs'
import { parseArgs } from 'node:util'
import { encode, makeCorpus, readFolder } from '../../examples/tagging/corpus.mjs'
import { frequentTags, scoresOf, trainTagger } from '../../examples/tagging/taggers.mjs'
import { machine } from '../machine.mjs'
import { deviation, mean } from './judge.mjs'
import { withSection } from './section.mjs'

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    epochs: { type: 'string', default: '8' },
    units: { type: 'string', default: '32' },
  },
})
const rows = new Map()
const note = (name, { accuracy, spans }) => {
  rows.set(name, [...(rows.get(name) ?? []), { accuracy, f1: spans?.f1 ?? accuracy }])
}
for (let seed = 1; seed <= Number(values.seeds); seed++) {
  const sentences = values.data ? readFolder(values.data) : makeCorpus(seed)
  const data = encode(sentences)
  const settings = { epochs: Number(values.epochs), units: Number(values.units), seed }
  note('most frequent tag', scoresOf(sentences.test, frequentTags(sentences)))
  for (const end of ['softmax', 'crf']) {
    const { predicted } = await trainTagger(end, data, settings)
    note(`BiLSTM, ${end === 'crf' ? 'CRF' : end}`, scoresOf(sentences.test, predicted))
  }
}
const shown = (list) => `${(100 * mean(list)).toFixed(1)} ± ${(100 * deviation(list)).toFixed(1)}`
const table = ['| tagger | F1 of spans, % | tags right, % | F1, a seed each |', '|---|--:|--:|---|']
for (const [name, list] of rows) {
  const f1 = list.map((row) => row.f1)
  const each = f1.map((score) => (100 * score).toFixed(1)).join(', ')
  table.push(`| ${name} | ${shown(f1)} | ${shown(list.map((row) => row.accuracy))} | ${each} |`)
}
const [crf, ...others] = [...rows.values()].reverse()
const isAhead = crf.every((row, i) => others.every((other) => row.f1 > other[i].f1))
console.log(table.join('\n'))
if (!values.data) {
  const { date, processor, cores, node, isa } = machine()
  const page = new URL('../../docs/quality.md', import.meta.url)
  const body = `Sentences that \`examples/tagging/corpus.mjs\` makes, 1,500 to learn from and 600 held out, others with each seed: names of people, places and firms,
whose words are of several types; half of the names have a word beside them that tells. An embedding of 32, a BiLSTM of ${values.units} units each way, ${values.epochs} epochs of Adam.

${table.join('\n')}

${isAhead ? 'With every seed' : 'Not with every seed'} the CRF is ahead of both: where only the words of a name tell, a softmax decides word by word, and what it says does not always fit itself.
Made by \`node bench/quality/tagging.mjs\` on ${date.slice(0, 10)}, ${processor}, ${cores} cores, node ${node}, kernels ${isa}.`
  fs.writeFileSync(page, withSection(fs.readFileSync(page, 'utf8'), 'Tagging', body))
}
process.exitCode = isAhead ? 0 : 1
