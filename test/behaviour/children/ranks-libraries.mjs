/** A rank, or a process alone, that trains, and says which libraries of MPI it has open. Linux. */
import fs from 'node:fs'
import { distribute } from 'hiddenstate'
import { task } from './ranks-models.mjs'

const world = await distribute()
const { model, x, y, fit } = task('gru', world)
await model.fit(x, y, { ...fit, nbEpoch: 1 })
const mapped = fs.readFileSync('/proc/self/maps', 'utf8').match(/[^/\s]*mpi[^/\s]*\.so[^/\s]*$/gm)
console.log(JSON.stringify({ rank: world.rank, libraries: [...new Set(mapped ?? [])].sort() }))
