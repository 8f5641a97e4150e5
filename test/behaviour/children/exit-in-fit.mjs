// process.exit, an uncaught error, or the end of all other work, in the middle of a fit.
import { longFit, model } from './task.mjs'

const how = process.argv[2]
const m = model(64, 8)
const running = longFit(m)
running.catch(() => {})
setTimeout(() => {
  if (how === 'exit') process.exit(7)
  if (how === 'throw') throw new Error('on purpose')
  if (how === 'signal') process.kill(process.pid, 'SIGTERM')
}, 150)
