/**
 * A rank, or a process alone: trains every model for 20 steps of Adam, makes every call, and says
 * as JSON what came of it. Arguments: virtual shards ('none': not distributed); 'hashes': of the
 * numbers, too, since a launcher may mix long lines of several ranks.
 */
import { createHash } from 'node:crypto'
import { distribute, setSeed } from 'hiddenstate'
import { calls } from './ranks-calls.mjs'
import { NAMES, task } from './ranks-models.mjs'

const [shards, how] = process.argv.slice(2)
const hashOf = (...parts) => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex').slice(0, 16)
}
const numbersIn = (value) =>
  typeof value === 'number' ? [value] : Object.values(value).flatMap(numbersIn)
const world = shards === 'none' ? null : await distribute({ virtualShards: Number(shards) })
const models = {}
const say = (name, model, values) => {
  const weights = hashOf(...model.getWeights().map(({ data }) => new Uint8Array(data.buffer)))
  const numbers = numbersIn(values)
  models[name] = how === 'hashes' ? { weights, logs: hashOf(JSON.stringify(numbers)) } : { weights, numbers }
}

// Rank 0's numbers are everybody's: the others' seeds do not count.
setSeed(world ? 7 + world.rank : 7)
for (const name of NAMES) {
  const { model, x, y, fit } = task(name, world)
  if (world && !world.isMain) setSeed(1000 + world.rank)
  const { history } = await model.fit(x, y, { ...fit, nbEpoch: 5, validationSplit: 0.1 })
  say(name, model, [history, await model.evaluate(x, y, { verbose: 0, batchSize: 28 })])
}
for (const [name, call] of Object.entries(calls)) {
  const { model, values } = await call(world)
  say(name, model, values)
}
console.log(JSON.stringify({ rank: world?.rank ?? 0, size: world?.size ?? 1, models }))
