/**
 * Packs the package, installs the tarball in an empty project with no compiler on PATH, no scripts and no network, then uses it as
 * its users do. Needs `npm run prebuild` first.
 *
 *   --node 20,22,24,latest  also with these Nodes, which come as npm packages
 *   --managers              also installed by pnpm, Yarn (node_modules and Plug'n'Play) and Yarn 1
 *   --build                 also built from source in the installed package, without network
 *   --all                   all of that
 *   --tarball FILE          this one, packed before
 *   --keep                  leaves the project for a look
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { MAX_UNPACKED } from './check-prebuilds.mjs'
import { binOf, capture, root } from './process.mjs'

const { values: options } = parseArgs({
  options: {
    node: { type: 'string', default: '' },
    managers: { type: 'boolean', default: false },
    build: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    tarball: { type: 'string' },
  },
})
if (options.all) Object.assign(options, { node: '20,22,24,latest', managers: true, build: true })

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'hiddenstate-consumer-'))
process.on('exit', () => options.keep || fs.rmSync(dir, { recursive: true, force: true }))
if (options.keep) console.log(`consumer test: in ${dir}`)

function fail(sentence) {
  console.error(`consumer test: ${sentence}`)
  process.exit(1)
}
function must(step, command, args, settings) {
  const { status, output, stdout } = capture(command, args, settings)
  if (status !== 0) fail(`${step} failed (exit status ${status})\n${output}`)
  return stdout
}
/** A folder below `dir`, with these files. */
function folder(name, files = {}) {
  const made = path.join(dir, name)
  fs.mkdirSync(made, { recursive: true })
  for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(made, file), text)
  return made
}
const consumer = (more = {}) => `${JSON.stringify({ name: 'consumer', version: '1.0.0', private: true, ...more })}\n`
const npm = process.env.npm_execpath ?? must('finding npm', 'sh', ['-c', 'readlink -f "$(command -v npm)"']).trim()
const quiet = ['--no-audit', '--no-fund', '--ignore-scripts']

// ---- the tarball
const packed = JSON.parse(
  must(
    'npm pack',
    process.execPath,
    [npm, 'pack', ...(options.tarball ? [path.resolve(options.tarball)] : []), '--json', '--pack-destination', dir],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  ),
)[0]
const tarball = path.join(dir, packed.filename)
const listed = packed.files.map((file) => file.path)
for (const wanted of [
  /^prebuilds\/.*\.node$/,
  /^dist\/index\.(js|cjs|d\.ts|d\.cts)$/,
  /^dist\/cli\.js$/,
  /^LICENSE$/,
  /^NOTICE$/,
])
  if (!listed.some((file) => wanted.test(file))) fail(`the tarball must hold ${wanted}; run \`npm run prebuild\` first`)
const strange = listed.filter(
  (file) =>
    !/^(dist|prebuilds|native|bench|scripts)\/|^[A-Z]+(\.md)?$|^(package\.json|CMakeLists\.txt|binding\.gyp)$/.test(
      file,
    ),
)
if (strange.length > 0) fail(`the tarball must hold only what users need, got ${strange.join(', ')}`)
if (packed.unpackedSize > MAX_UNPACKED)
  fail(`the tarball must unpack to ${MAX_UNPACKED} bytes at most, got ${packed.unpackedSize}`)
const { scripts = {} } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
  if (scripts[name] !== undefined) fail(`package.json must have no script ${name}`)
console.log(
  `tarball: ${packed.filename}, ${packed.size} bytes, ${packed.unpackedSize} unpacked, ${listed.length} files`,
)

// ---- the programs of a user
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
  console.log('trained, saved and loaded with node', process.version, hs.info().isa, hs.info().threading, loss.map((v) => v.toFixed(4)).join(' '))
`
const programs = {
  'esm.mjs': `import * as hs from 'hiddenstate'\nimport { padSequences } from 'hiddenstate/preprocessing'\nimport { toCategorical } from 'hiddenstate/utils'\nif (!padSequences || !toCategorical) throw new Error('an entry point is empty')\n${training}`,
  'cjs.cjs': `const hs = require('hiddenstate')\nif (!require('hiddenstate/preprocessing').padSequences || !require('hiddenstate/utils').toCategorical) throw new Error('an entry point is empty')\n;(async () => {${training}})().catch((error) => { console.error(error); process.exit(1) })\n`,
}
const typed = `import { Dense, type History, info, LSTM, loadModel, type NDArray, Sequential } from 'hiddenstate'
import { padSequences } from 'hiddenstate/preprocessing'
import { toCategorical } from 'hiddenstate/utils'
export async function use(): Promise<NDArray> {
  const model = new Sequential([new LSTM(8, { returnSequences: false, inputShape: [5, 1] }), new Dense(1)])
  model.compile({ loss: 'mse', optimizer: 'adam' })
  const history: History = await model.fit(padSequences([[1]]), toCategorical([0]), { nbEpoch: 1 })
  const isa: string = info().isa + String(history.epoch.length)
  // @ts-expect-error: the options are typed
  new LSTM(8, { returnSequence: true })
  return (await loadModel(isa)).predict([[[1]]])
}
`

// ---- npm: a cache with what npm fetches for a user, then nothing but node, npm, sh and env on PATH, and no network
const cache = must('asking npm for its cache', process.execPath, [npm, 'config', 'get', 'cache']).trim()
const warm = folder('warm', { 'package.json': consumer() })
must('filling the cache', process.execPath, [npm, 'install', ...quiet, '--prefer-offline', tarball], {
  cwd: warm,
})
const bin = folder('bin')
for (const [name, target] of [
  ['node', process.execPath],
  ['sh', fs.realpathSync('/bin/sh')],
  ['env', fs.realpathSync('/usr/bin/env')],
])
  fs.symlinkSync(target, path.join(bin, name))
const env = { PATH: bin, HOME: folder('home'), npm_config_cache: cache, npm_config_update_notifier: 'false' }
const project = folder('project', { 'package.json': consumer(), ...programs })
must('npm install', process.execPath, [npm, 'install', ...quiet, '--offline', tarball], { cwd: project, env })

const strict = ['--throw-deprecation', '--trace-warnings']
/** Both programs; a line of each. */
function train(what, node = process.execPath, cwd = project, settings = { env }, args = []) {
  for (const file of Object.keys(programs))
    console.log(
      `${what}, ${file}: ${must(`${what}: ${file}`, node, [...args, ...strict, file], { cwd, ...settings }).trim()}`,
    )
}
train('npm')

const cli = (...args) =>
  must(`hiddenstate ${args[0]}`, path.join(project, 'node_modules', '.bin', 'hiddenstate'), args, { cwd: project, env })
if (!cli('info').includes('prebuilt for this platform')) fail('hiddenstate info must tell of the prebuilt binary')
if (!cli('summary', 'model.h5').includes('lstm_1 (LSTM)')) fail('hiddenstate summary must print the table')
console.log('npm, command line: info and summary work')

// ---- TypeScript, with both ways to resolve modules
fs.writeFileSync(path.join(project, 'typed.mts'), typed)
fs.writeFileSync(path.join(project, 'typed.cts'), typed)
for (const [resolution, module, files] of [
  ['node16', 'node16', ['typed.mts', 'typed.cts']],
  ['bundler', 'esnext', ['typed.mts']],
]) {
  const flags = ['--noEmit', '--strict', '--target', 'es2022', '--moduleResolution', resolution, '--module', module]
  must(`tsc with ${resolution}`, process.execPath, [binOf('typescript', 'tsc'), ...flags, ...files], { cwd: project })
  console.log(`TypeScript, moduleResolution ${resolution}: compiles`)
}

// ---- esbuild: with the package left outside, and taken in (its addon, HDF5 worker and dependencies stay in node_modules)
for (const [what, external] of [
  ['outside', ['--external:hiddenstate']],
  ['taken in', []],
])
  for (const [from, format] of [
    ['esm.mjs', 'esm'],
    ['cjs.cjs', 'cjs'],
  ]) {
    const to = `bundles/${what.replace(' ', '-')}.${from}`
    const flags = [
      '--bundle',
      '--platform=node',
      `--format=${format}`,
      `--outfile=${to}`,
      '--log-level=warning',
      ...external,
    ]
    const warnings = must('esbuild', binOf('esbuild'), [from, ...flags], { cwd: project })
    if (warnings !== '') fail(`esbuild ${from}, the package ${what}:\n${warnings}`)
    const line = must(`the bundle ${to}`, process.execPath, [...strict, to], { cwd: project, env }).trim()
    console.log(`esbuild ${format}, the package ${what}: ${line}`)
  }

// ---- other Nodes
const versions = options.node.split(',').filter(Boolean)
if (versions.length > 0) {
  const platform = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const nodes = folder('nodes', { 'package.json': consumer() })
  const aliases = versions.map((version) => `node-${version}@npm:${platform}@${version}`)
  must('fetching Node', process.execPath, [npm, 'install', ...quiet, '--prefer-offline', ...aliases], { cwd: nodes })
  for (const version of versions)
    train(`node ${version}`, path.join(nodes, 'node_modules', `node-${version}`, 'bin', 'node'))
}

// ---- other package managers; they have caches of their own and the network
const MANAGERS = {
  pnpm: { tool: 'pnpm@10', bin: 'pnpm', args: ['add', '--ignore-scripts', tarball] },
  'yarn (node_modules)': {
    tool: '@yarnpkg/cli-dist@4',
    bin: 'yarn',
    args: ['add', `hiddenstate@file:${tarball}`],
    linker: 'node-modules',
  },
  "yarn (Plug'n'Play)": {
    tool: '@yarnpkg/cli-dist@4',
    bin: 'yarn',
    args: ['add', `hiddenstate@file:${tarball}`],
    linker: 'pnp',
  },
  'yarn 1': { tool: 'yarn@1', bin: 'yarn', args: ['add', '--ignore-scripts', `file:${tarball}`] },
}
if (options.managers)
  for (const [name, { tool, bin: command, args, linker }] of Object.entries(MANAGERS)) {
    const slug = name.replace(/\W+/g, '-')
    const tools = folder(`tool-${slug}`, { 'package.json': consumer() })
    must(`fetching ${tool}`, process.execPath, [npm, 'install', ...quiet, '--prefer-offline', tool], { cwd: tools })
    const files = { 'package.json': consumer(), ...programs }
    if (linker)
      Object.assign(files, {
        '.yarnrc.yml': `nodeLinker: ${linker}\nenableScripts: false\nenableTelemetry: false\n`,
        'yarn.lock': '',
      })
    const cwd = folder(`with-${slug}`, files)
    const settings = { cwd, env: { ...process.env, HOME: folder(`home-${slug}`), YARN_ENABLE_IMMUTABLE_INSTALLS: '0' } }
    must(`${name}: add`, path.join(tools, 'node_modules', '.bin', command), args, settings)
    const pnp = linker === 'pnp' ? ['--require', './.pnp.cjs', '--loader', './.pnp.loader.mjs'] : []
    train(name, process.execPath, cwd, { env: { ...process.env } }, pnp)
  }

// ---- built from source where it is installed, without network
if (options.build) {
  const online = { ...env, PATH: process.env.PATH }
  const built = must('hiddenstate build', path.join(project, 'node_modules', '.bin', 'hiddenstate'), ['build'], {
    cwd: project,
    env: online,
  })
  if (!cli('info').includes('built on this machine'))
    fail(`hiddenstate info must tell of the binary built here\n${built}`)
  train('built from source')
}

console.log(`consumer test: ${packed.filename} installs without compiler, scripts or network, and trains`)
