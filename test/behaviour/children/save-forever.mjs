// Saves two models in turn to one file until it is killed.
import { data, model } from './task.mjs'

const file = process.argv[2]
const [a, b] = [model(64), model(64)]
const { x, y } = data(32, 5, 4)
await b.trainOnBatch(x, y)
await a.save(file)
process.stdout.write('saved\n')
for (;;) {
  await b.save(file)
  await a.save(file)
}
