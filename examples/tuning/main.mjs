/**
 * Searches for the parameters of a small recurrent net: a table while it runs, the best trials,
 * and a picture of all of them. Run again, it goes on with its journal.
 *
 *   npm start tuning [-- --trials 24 --workers 2 --again --smoke]
 *
 * The same by the command line: `npx hiddenstate tune examples/tuning/objective.mjs`.
 */
import '../one-sentence.mjs'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { tune } from 'hiddenstate/tune'
import { options, space } from './objective.mjs'

const { values } = parseArgs({
  options: {
    trials: { type: 'string' },
    workers: { type: 'string' },
    again: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
  },
})
const here = path.dirname(fileURLToPath(import.meta.url))
const out = path.join(here, 'out')
fs.mkdirSync(out, { recursive: true })
const journal = path.join(out, values.smoke ? 'smoke.jsonl' : 'tuning.jsonl')
if (values.again || values.smoke) fs.rmSync(journal, { force: true })
if (values.smoke) process.env.TUNING_EPOCHS = '2'

const sweep = await tune({
  ...options,
  space,
  objective: path.join(here, 'objective.mjs'),
  trials: values.smoke ? 3 : Number(values.trials ?? options.trials),
  ...(values.workers === undefined ? {} : { workers: Number(values.workers) }),
  journal,
})
console.log(`\n${sweep.table()}`)
console.log(`\nBest: ${JSON.stringify(sweep.best?.params)}`)
const file = path.join(out, 'tuning.svg')
fs.writeFileSync(file, sweep.toSvg())
console.log(`Journal: ${path.relative(process.cwd(), journal)} (--again: from the start)`)
console.log(`Picture: ${path.relative(process.cwd(), file)}`)
