/**
 * A sweep over tune-objective.mjs: --journal FILE --trials N --workers N [--lock] [--here, in this
 * process]. Ends with 0 when it has its trials.
 */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { tune } from 'hiddenstate/tune'
import objective, { space } from './tune-objective.mjs'

const { values } = parseArgs({
  options: {
    journal: { type: 'string' },
    trials: { type: 'string' },
    workers: { type: 'string', default: '2' },
    lock: { type: 'boolean', default: false },
    here: { type: 'boolean', default: false },
  },
})
const folder = path.dirname(fileURLToPath(import.meta.url))
await tune({
  space,
  objective: values.here ? objective : path.join(folder, 'tune-objective.mjs'),
  workers: values.here ? 0 : Number(values.workers),
  trials: Number(values.trials),
  journal: values.journal,
  lock: values.lock,
  sampler: 'tpe',
  seed: 1,
  verbose: 0,
})
