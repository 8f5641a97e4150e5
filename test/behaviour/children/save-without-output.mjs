// Saves after descriptors 1 and 2 have been closed, and ends with status 4.
import { closeSync } from 'node:fs'
import { model } from './task.mjs'

const m = model()
closeSync(1)
closeSync(2)
await m.save(process.argv[2])
process.exit(4)
