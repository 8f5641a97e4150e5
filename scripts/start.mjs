/**
 * `npm start`: builds what is out of date, then runs an example:
 * the one named, else the sentiment example.
 */
import { buildAll } from './build.mjs'
import { examples } from './examples.mjs'
import { root, run } from './process.mjs'

const [name = 'sentiment', ...rest] = process.argv.slice(2)
const file = examples.get(name)
if (!file) {
  console.error(`start: example must be one of ${[...examples.keys()].join(', ')}, got ${name}.`)
  process.exit(1)
}
buildAll()
process.exit(run(process.execPath, [file, ...rest], { cwd: root }))
