// Saves two models in turn to one file until it is killed.
import { data, model } from './task.mjs'

const file = process.argv[2]
// Large enough for a write to take a while.
const [a, b] = [model(200), model(200)]
const { x, y } = data(32, 5, 4)
await b.trainOnBatch(x, y)
await a.save(file)
process.stdout.write('saved\n')
for (;;) {
  await b.save(file)
  await a.save(file)
}
