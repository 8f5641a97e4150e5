/** `npm start`: builds what is out of date, then runs an example: the one named, else the sentiment example. */
import { buildAll } from './build.mjs'
import { filesBelow, root, run } from './process.mjs'

const [name = 'sentiment', ...rest] = process.argv.slice(2)
const known = [...new Set(filesBelow('examples', /^main\.mjs$/).map((file) => file.split('/')[1]))]
if (!known.includes(name)) {
  console.error(`start: example must be one of ${known.join(', ')}, got ${name}.`)
  process.exit(1)
}
buildAll()
process.exit(run(process.execPath, [`examples/${name}/main.mjs`, ...rest], { cwd: root }))
