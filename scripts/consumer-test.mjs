/**
 * Packs the package, installs the tarball in an empty project with no compiler on PATH, no scripts and no network, then loads
 * it both ways and trains. Needs `npm run prebuild` first; `--keep` leaves the project for a look.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { capture, root } from './process.mjs'

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'hiddenstate-consumer-'))
const bin = path.join(dir, 'bin')
const project = path.join(dir, 'project')
fs.mkdirSync(bin)
fs.mkdirSync(project)
process.on('exit', () => process.argv.includes('--keep') || fs.rmSync(dir, { recursive: true, force: true }))

function must(step, command, args, options) {
  const { status, output, stdout } = capture(command, args, options)
  if (status === 0) return stdout
  console.error(`${output}\nconsumer test: ${step} failed (exit status ${status})`)
  process.exit(1)
}

const manifest = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
const npm = process.env.npm_execpath ?? must('finding npm', 'sh', ['-c', 'readlink -f "$(command -v npm)"']).trim()
const cache = must('asking npm for its cache', process.execPath, [npm, 'config', 'get', 'cache']).trim()

const packed = JSON.parse(
  must('npm pack', process.execPath, [npm, 'pack', '--json', '--pack-destination', dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  }),
)
const tarball = path.join(dir, packed[0].filename)
const listed = packed[0].files.map((file) => file.path)
for (const wanted of [
  /^prebuilds\/.*\.node$/,
  /^dist\/index\.js$/,
  /^dist\/index\.cjs$/,
  /^dist\/index\.d\.ts$/,
  /^LICENSE$/,
  /^NOTICE$/,
])
  if (!listed.some((file) => wanted.test(file))) {
    console.error(`consumer test: the tarball must hold ${wanted}; run \`npm run prebuild\` first`)
    process.exit(1)
  }
// The dependencies, as their users' npm would fetch them: into the cache now, offline below.
const dependencies = Object.entries(manifest.dependencies).map(([name, range]) => `${name}@${range}`)
must('caching the dependencies', process.execPath, [npm, 'cache', 'add', '--prefer-offline', ...dependencies])

// Nothing but node, npm, sh and env can be found: a compiler that is called would not be there.
for (const [name, target] of [
  ['node', process.execPath],
  ['sh', fs.realpathSync('/bin/sh')],
  ['env', fs.realpathSync('/usr/bin/env')],
])
  fs.symlinkSync(target, path.join(bin, name))
const env = { PATH: bin, HOME: dir, npm_config_cache: cache, npm_config_update_notifier: 'false' }
fs.writeFileSync(path.join(project, 'package.json'), '{ "name": "consumer", "version": "1.0.0", "private": true }\n')
must(
  'npm install',
  process.execPath,
  [npm, 'install', '--ignore-scripts', '--offline', '--no-audit', '--no-fund', tarball],
  { cwd: project, env },
)

const training = `
  hs.setSeed(1)
  const model = new hs.Sequential([new hs.LSTM(8, { inputShape: [5, 1] }), new hs.Dense(1)])
  model.compile({ loss: 'mse', optimizer: 'adam' })
  const x = Float32Array.from({ length: 320 }, (_, i) => Math.sin(i)), y = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i * 5 + 5))
  const history = await model.fit({ data: x, shape: [64, 5, 1] }, { data: y, shape: [64, 1] }, { nbEpoch: 5, verbose: 0 })
  const { loss } = history.history
  if (!(loss.at(-1) < loss[0])) throw new Error('the loss did not fall: ' + loss)
  await model.save('model.h5')
  const again = await hs.loadModel('model.h5')
  const [a, b] = [await model.predict({ data: x, shape: [64, 5, 1] }), await again.predict({ data: x, shape: [64, 5, 1] })]
  if (!a.data.every((v, i) => Math.abs(v - b.data[i]) < 1e-6)) throw new Error('the loaded model predicts otherwise')
  console.log('trained and saved with', hs.info().isa, hs.info().threading, loss.map((v) => v.toFixed(4)).join(' '))
`
fs.writeFileSync(
  path.join(project, 'esm.mjs'),
  `import * as hs from 'hiddenstate'\nimport { padSequences } from 'hiddenstate/preprocessing'\nimport { toCategorical } from 'hiddenstate/utils'\nif (!padSequences || !toCategorical) throw new Error('an entry point is empty')\n${training}`,
)
fs.writeFileSync(
  path.join(project, 'cjs.cjs'),
  `const hs = require('hiddenstate')\nrequire('hiddenstate/preprocessing')\nrequire('hiddenstate/utils')\n;(async () => {${training}})().catch((error) => { console.error(error); process.exit(1) })\n`,
)
for (const file of ['esm.mjs', 'cjs.cjs'])
  console.log(`${file}: ${must(file, process.execPath, [file], { cwd: project, env }).trim()}`)
console.log(
  `consumer test: ${packed[0].filename} (${packed[0].size} bytes) installs without compiler, scripts or network, and trains`,
)
