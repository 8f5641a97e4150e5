/**
 * Packs the package, installs the tarball in an empty project with no compiler on PATH, no scripts
 * and no network, then uses it as its users do (consumer-programs.mjs); then again as a release
 * comes, the main package and that of this platform. Needs `npm run prebuild` first, and the npm
 * registry once: for what npm fetches for a user.
 *
 *   --node 20,22,24,latest  also with these Nodes, which come as npm packages (Linux)
 *   --runtimes              also with Deno and Bun, which come as npm packages, too
 *   --typescript 5.2,latest also with these compilers
 *   --managers
 *     also installed by pnpm, Yarn (node_modules and Plug'n'Play) and Yarn 1, scripts allowed
 *   --build
 *     also built from source in the installed package, with the cmake-js that it asks for, from an
 *     empty HOME, without any network (Linux: `unshare -rn`)
 *   --all                   all of that
 *   --inside DIR
 *     also in the system that lies there, whose C library is another (Linux; chroot needs root),
 *     with --node or Node 20
 *   --packages DIR
 *     all that with the packages of a release that lie there (platform-packages.mjs) instead of the
 *     one tarball
 *   --keep                  leaves the project for a look
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { buildSync } from 'esbuild'
import { MAX_UNPACKED } from './check-prebuilds.mjs'
import { cardsOf } from './consumer-cards.mjs'
import { programs, typed } from './consumer-programs.mjs'
import { packageName, writePackages } from './platform-packages.mjs'
import { binOf, capture, root } from './process.mjs'

const { values: options } = parseArgs({
  options: {
    node: { type: 'string', default: '' },
    runtimes: { type: 'boolean', default: false },
    typescript: { type: 'string', default: '' },
    managers: { type: 'boolean', default: false },
    build: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    inside: { type: 'string' },
    keep: { type: 'boolean', default: false },
    packages: { type: 'string' },
  },
})
if (options.all)
  Object.assign(options, {
    node: '20,22,24,latest',
    runtimes: true,
    typescript: '5.2,latest',
    managers: true,
    build: true,
  })

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'hiddenstate-consumer-'))
process.on('exit', () => options.keep || fs.rmSync(dir, { recursive: true, force: true }))
if (options.keep) console.log(`consumer test: in ${dir}`)

function fail(sentence) {
  console.error(`consumer test: ${sentence}`)
  process.exit(1)
}
function must(step, command, args, settings) {
  const { status, output, stdout } = capture(command, args, settings)
  if (status !== 0) {
    process.stderr.write(output)
    fail(`${step} failed (exit status ${status})`)
  }
  return stdout
}
/** A folder below `dir`, with these files. */
function folder(name, files = {}) {
  const made = path.join(dir, name)
  fs.mkdirSync(made, { recursive: true })
  for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(made, file), text)
  return made
}
const consumer = (more = {}) =>
  `${JSON.stringify({ name: 'consumer', version: '1.0.0', private: true, ...more })}\n`
const npm =
  process.env.npm_execpath ??
  must('finding npm', 'sh', ['-c', 'readlink -f "$(command -v npm)"']).trim()
const quiet = ['--no-audit', '--no-fund']
/** npm, where it may ask the registry: the only steps that fail for want of a network. */
const fetch = (what, args, settings) =>
  must(
    `fetching ${what} from the npm registry (which must answer, or the cache hold it)`,
    process.execPath,
    [
      npm,
      'install',
      ...quiet,
      '--prefer-offline',
      '--fetch-retry-mintimeout=1000',
      '--fetch-retry-maxtimeout=5000',
      ...args,
    ],
    { timeout: 300_000, ...settings },
  )

// ---- the packages of a release, and what is installed in most of this test: the one tarball that
// `npm pack` makes, or those
const { glibcVersionRuntime: glibc } = process.report.getReport().header
const libc = process.platform === 'linux' ? (glibc ? 'glibc' : 'musl') : undefined
const platformName = packageName(process.platform, process.arch, libc)
const packages = path.resolve(options.packages ?? path.join(dir, 'packages'))
if (!options.packages && !writePackages(packages))
  fail('the packages of a release must be in order')
const released = {
  main: path.join(packages, 'hiddenstate.tgz'),
  platform: path.join(packages, 'platforms', `${platformName}.tgz`),
}
const pack = [
  'pack',
  ...(options.packages ? [released.main] : []),
  '--json',
  '--pack-destination',
  dir,
]
const packed = JSON.parse(
  must('npm pack', process.execPath, [npm, ...pack], { stdio: ['ignore', 'pipe', 'inherit'] }),
)[0]
const tarball = path.join(dir, packed.filename)
const tarballs = options.packages ? [tarball, released.platform] : [tarball]
const listed = packed.files.map((file) => file.path)
for (const wanted of [
  ...(options.packages ? [] : [/^prebuilds\/.*\.node$/]),
  /^dist\/index\.(js|cjs|d\.ts|d\.cts)$/,
  ...[/^dist\/cli\.js$/, /^LICENSE$/, /^NOTICE$/, /^docs\/troubleshooting\.md$/],
  ...[/^examples\/sine\/main\.mjs$/, /^native\/device\/cuda\/kernels\.ptx$/],
])
  if (!listed.some((file) => wanted.test(file)))
    fail(`the tarball must hold ${wanted}; run \`npm run prebuild\` first`)
const strange = listed.filter(
  (file) =>
    !/^(dist|prebuilds|native|bench|scripts|examples|docs(?=\/[\w-]+\.md$))\/|^[A-Z]+(\.md)?$|^(package\.json|CMakeLists\.txt)$/.test(
      file,
    ),
)
if (strange.length > 0)
  fail(`the tarball must hold only what users need, got ${strange.join(', ')}`)
if (packed.unpackedSize > MAX_UNPACKED)
  fail(`the tarball must unpack to ${MAX_UNPACKED} bytes at most, got ${packed.unpackedSize}`)
const manifest = fs.readFileSync(path.join(root, 'package.json'), 'utf8')
const asPublished = folder('manifest', { 'package.json': manifest })
must('npm pkg fix', process.execPath, [npm, 'pkg', 'fix'], { cwd: asPublished })
if (fs.readFileSync(path.join(asPublished, 'package.json'), 'utf8') !== manifest)
  fail(
    'package.json must hold what npm would publish: run `npm pkg fix` and look at the difference',
  )
const { scripts = {} } = JSON.parse(manifest)
for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
  if (scripts[name] !== undefined) fail(`package.json must have no script ${name}`)
console.log(
  `tarball: ${packed.filename}, ${packed.size} bytes, ${packed.unpackedSize} unpacked, ${listed.length} files`,
)

// ---- npm: a cache with what npm fetches for a user, then nothing but node, npm, sh and env on
// PATH, and no network
const windows = process.platform === 'win32'
function barePath() {
  if (windows)
    return [path.dirname(process.execPath), path.join(process.env.SystemRoot, 'System32')].join(';')
  const bin = folder('bin')
  for (const [name, target] of [
    ['node', process.execPath],
    ['sh', '/bin/sh'],
    ['env', '/usr/bin/env'],
  ])
    fs.symlinkSync(fs.realpathSync(target), path.join(bin, name))
  return bin
}
const PATH = barePath()
const home = folder('home')
const cache = must('asking npm for its cache', process.execPath, [
  npm,
  'config',
  'get',
  'cache',
]).trim()
/** Scripts may run here; there must be none that needs more than this PATH. */
fetch('what the package depends on', tarballs, {
  cwd: folder('warm', { 'package.json': consumer() }),
  env: { ...process.env, PATH },
})
const env = {
  ...Object.fromEntries(
    ['SystemRoot', 'ComSpec', 'TEMP', 'TMP'].map((name) => [name, process.env[name]]),
  ),
  ...{
    PATH,
    HOME: home,
    USERPROFILE: home,
    npm_config_cache: cache,
    npm_config_update_notifier: 'false',
  },
}
/** An empty project with the programs, and these installed: without scripts and network. */
function install(name, args) {
  const cwd = folder(name, { 'package.json': consumer(), ...programs })
  must(
    'npm install',
    process.execPath,
    [npm, 'install', ...quiet, '--ignore-scripts', '--offline', ...args],
    { cwd, env },
  )
  return cwd
}
const project = install('project', tarballs)

const strict = ['--throw-deprecation', '--trace-warnings']
/** Both programs; a line of each. @param flags before them @param runtime what they must run in */
function train(
  what,
  node = process.execPath,
  settings = { cwd: project, env },
  args = [],
  flags = strict,
  runtime = 'node',
) {
  for (const file of Object.keys(programs)) {
    const line = must(`${what}: ${file}`, node, [...args, ...flags, file], settings).trim()
    if (!line.includes(` loaded with ${runtime} `))
      fail(`${what}, ${file}: must run in ${runtime}, got '${line}'`)
    console.log(`${what}, ${file}: ${line}`)
  }
}
train('npm')

// ---- the command line
function cli(args, settings = { cwd: project, env }, launch = []) {
  const modules = path.join(settings.cwd, 'node_modules')
  const command = windows
    ? [process.execPath, path.join(modules, 'hiddenstate', 'dist', 'cli.js')]
    : [path.join(modules, '.bin', 'hiddenstate')]
  const [program, ...before] = [...launch, ...command]
  return must(`hiddenstate ${args.join(' ')}`, program, [...before, ...args], settings)
}
const fromPackage = new RegExp(`from the package ${platformName}: `)
for (const [args, wanted] of [
  [['info'], options.packages ? fromPackage : /prebuilt for this platform/],
  [['summary', 'model.h5'], /lstm_1 \(LSTM\)/],
  [['convert', 'model.h5', 'model.json'], /^$/],
  [['convert', 'model.h5', 'model.npz'], /^$/],
  [['predict', 'model.h5', 'x.npy'], /^(-?\d.*\n){64}$/],
  [['bench', '--help'], /Workloads:/],
  [['build', '--help'], /Usage:/],
]) {
  const output = cli(args)
  if (!wanted.test(output))
    fail(`hiddenstate ${args.join(' ')} must print ${wanted}, got\n${output}`)
}
console.log(
  'npm, command line: info, summary, convert and predict work; bench and build tell what they do',
)
const cliFile = path.join(project, 'node_modules', 'hiddenstate', 'dist', 'cli.js')
const cards = { info: cli(['info']), program: 'esm.mjs', cli: cliFile }
console.log(`npm, cards: ${cardsOf({ ...cards, settings: { cwd: project, env } })}`)

// ---- the packages of a release: with that of this platform, and without
if (!options.packages) {
  const settings = { cwd: install('released', [released.main, released.platform]), env }
  train('npm, packages of a release', process.execPath, settings)
  const told = cli(['info'], settings)
  if (!fromPackage.test(told)) fail(`hiddenstate info must print ${fromPackage}, got\n${told}`)
}
const alone = { cwd: install('alone', ['--omit=optional', released.main]), env }
const refused = capture(process.execPath, ['-e', "require('hiddenstate').info()"], alone)
const wanted = `${platformName}@${packed.version}`
for (const words of [
  `${wanted} (not installed)`,
  `npm install ${wanted}`,
  '--omit=optional',
  'npx hiddenstate build',
])
  if (refused.status !== 1 || !refused.output.includes(words))
    fail(
      `without ${platformName}: must end with an error that tells of ${words}, got\n${refused.output}`,
    )
console.log(
  `npm, packages of a release, without ${platformName}: ${/no native binary.*?(?=\. )/.exec(refused.output)}, and what to do`,
)

// ---- TypeScript, with both ways to resolve modules
fs.writeFileSync(path.join(project, 'typed.mts'), typed)
fs.writeFileSync(path.join(project, 'typed.cts'), typed)
function compile(what, tsc) {
  for (const [resolution, module, files] of [
    ['node16', 'node16', ['typed.mts', 'typed.cts']],
    ['bundler', 'esnext', ['typed.mts']],
  ]) {
    const flags = [
      '--noEmit',
      '--strict',
      '--target',
      'es2022',
      '--moduleResolution',
      resolution,
      '--module',
      module,
    ]
    must(`${what} with ${resolution}`, process.execPath, [tsc, ...flags, ...files], {
      cwd: project,
    })
    console.log(`${what}, moduleResolution ${resolution}: compiles`)
  }
}
compile('TypeScript', binOf('typescript', 'tsc'))
const compilers = options.typescript.split(',').filter(Boolean)
if (compilers.length > 0) {
  const others = folder('typescripts', { 'package.json': consumer() })
  const aliases = compilers.map((version) => `typescript-${version}@npm:typescript@${version}`)
  fetch('TypeScript', ['--ignore-scripts', ...aliases], { cwd: others })
  for (const version of compilers)
    compile(
      `TypeScript ${version}`,
      path.join(others, 'node_modules', `typescript-${version}`, 'bin', 'tsc'),
    )
}

// ---- esbuild: with the package left outside, and taken in (its addon, HDF5 worker and
// dependencies stay in node_modules)
for (const [what, external] of [
  ['outside', ['hiddenstate']],
  ['taken in', []],
])
  for (const [from, format] of [
    ['esm.mjs', 'esm'],
    ['cjs.cjs', 'cjs'],
  ]) {
    const outfile = `bundles/${what.replace(' ', '-')}.${from}`
    const { warnings } = buildSync({
      ...{ absWorkingDir: project, entryPoints: [from], outfile, format, external },
      ...{ bundle: true, platform: 'node', logLevel: 'error' },
    })
    if (warnings.length > 0)
      fail(`esbuild ${from}, the package ${what}:\n${JSON.stringify(warnings, null, 2)}`)
    const line = must(`the bundle ${outfile}`, process.execPath, [...strict, outfile], {
      cwd: project,
      env,
    }).trim()
    console.log(`esbuild ${format}, the package ${what}: ${line}`)
  }

// ---- other Nodes
const versions = options.node.split(',').filter(Boolean)
/** The Node of each version, from npm. */
function fetchNodes(wanted) {
  if (process.platform !== 'linux')
    fail('other Nodes need Linux: elsewhere the npm packages with Node lack versions')
  const nodes = folder('nodes', { 'package.json': consumer() })
  const aliases = wanted.map(
    (version) => `node-${version}@npm:node-linux-${process.arch}@${version}`,
  )
  fetch('Node', ['--ignore-scripts', ...aliases], { cwd: nodes })
  return wanted.map((version) => [
    version,
    path.join(nodes, 'node_modules', `node-${version}`, 'bin', 'node'),
  ])
}
if (versions.length > 0)
  for (const [version, node] of fetchNodes(versions)) train(`node ${version}`, node)

// ---- other runtimes, with what is installed already and no network
const RUNTIMES = {
  deno: {
    binary: /^@deno\/[^/]+\/deno(\.exe)?$/,
    flags: ['run', '-A', '--cached-only', '--node-modules-dir=manual'],
  },
  bun: { binary: /^@oven\/[^/]+\/bin\/bun(\.exe)?$/, flags: ['--no-install'] },
}
/** Whether npm has a binary of it for this platform; it goes on where it could not fetch that. */
const isFor = ({ optional, os: systems, cpu, libc: libraries }) =>
  optional &&
  systems?.includes(process.platform) &&
  cpu?.includes(process.arch) &&
  (!libraries || libraries.includes(libc))
for (const [name, { binary, flags }] of options.runtimes ? Object.entries(RUNTIMES) : []) {
  const own = folder(`runtime-${name}`, { 'package.json': consumer() })
  fetch(name, ['--ignore-scripts', name], { cwd: own })
  // the binary is in a package of the platform, which npm leaves out where there is none
  const modules = path.join(own, 'node_modules')
  const all = fs
    .readdirSync(modules, { recursive: true })
    .map((each) => each.replaceAll(path.sep, '/'))
  const found = all.find((each) => binary.test(each))
  const locked = JSON.parse(fs.readFileSync(path.join(own, 'package-lock.json'), 'utf8')).packages
  if (found)
    train(name, path.join(modules, found), { cwd: project, env, timeout: 120_000 }, [], flags, name)
  else if (Object.values(locked).some(isFor))
    fail(`${name}: npm must have installed its binary for ${platformName}`)
  else console.log(`${name}: skipped, npm has no ${name} for ${platformName}`)
}

// ---- another system: nothing of it is used but its C and C++ libraries and sh
if (options.inside) {
  const there = path.join(path.resolve(options.inside), 'consumer')
  process.on('exit', () => fs.rmSync(there, { recursive: true, force: true }))
  for (const [version, node] of fetchNodes(versions.length > 0 ? versions : ['20'])) {
    fs.rmSync(there, { recursive: true, force: true })
    fs.cpSync(project, there, { recursive: true, verbatimSymlinks: true })
    fs.copyFileSync(node, path.join(there, 'node'))
    const inside = [
      path.resolve(options.inside),
      '/bin/sh',
      '-c',
      'cd /consumer && exec ./node "$@"',
      'sh',
    ]
    const settings = { env: { PATH: process.env.PATH, HOME: '/' } }
    const glibc = ['-p', 'process.report.getReport().header.glibcVersionRuntime']
    const found = must(
      `Node ${version} in ${options.inside}`,
      'chroot',
      [...inside, ...glibc],
      settings,
    ).trim()
    train(`node ${version} with glibc ${found}`, 'chroot', settings, inside)
  }
}

// ---- other package managers, with their own defaults, caches and the network; a script of ours
// would run, without compiler
const file = (tarball) => `hiddenstate@file:${tarball}`
const yarn4 = { tool: '@yarnpkg/cli-dist', version: '4', bin: 'bin/yarn.js' }
const MANAGERS = {
  pnpm: { tool: 'pnpm', version: '10', bin: 'bin/pnpm.cjs' },
  'yarn (node_modules)': { ...yarn4, linker: 'node-modules' },
  "yarn (Plug'n'Play)": { ...yarn4, linker: 'pnp' },
  'yarn 1': { tool: 'yarn', version: '1', bin: 'bin/yarn.js' },
}
/** Until the packages are published, an override says where that of this platform is. */
const override = { [platformName]: `file:${released.platform}` }
const overridden = { pnpm: { overrides: override }, resolutions: override }
if (options.managers)
  for (const [name, { tool, version, bin, linker }] of Object.entries(MANAGERS)) {
    const slug = name.replace(/\W+/g, '-')
    const tools = folder(`tool-${slug}`, { 'package.json': consumer() })
    fetch(tool, ['--ignore-scripts', `${tool}@${version}`], { cwd: tools })
    const own = folder(`home-${slug}`)
    for (const [what, tarball, manifest] of [
      ...(options.packages ? [] : [[name, path.join(dir, packed.filename), {}]]),
      [`${name}, packages of a release`, released.main, overridden],
    ]) {
      const files = { 'package.json': consumer(manifest), ...programs }
      if (linker)
        Object.assign(files, {
          '.yarnrc.yml': `nodeLinker: ${linker}\nenableScripts: true\nenableTelemetry: false\n`,
          'yarn.lock': '',
        })
      const cwd = folder(`with-${what.replace(/\W+/g, '-')}`, files)
      const settings = {
        cwd,
        env: {
          ...process.env,
          PATH,
          HOME: own,
          USERPROFILE: own,
          YARN_ENABLE_IMMUTABLE_INSTALLS: '0',
        },
      }
      const command = [path.join(tools, 'node_modules', tool, bin), 'add', file(tarball)]
      const said = must(`${what}: add`, process.execPath, command, settings)
      const scripts = /.*(ignored build scripts|must be built|lists build scripts).*/i.exec(said)
      if (scripts) fail(`${what}: must find no script to run, got: ${scripts[0]}`)
      const pnp =
        linker === 'pnp' ? ['--require', './.pnp.cjs', '--loader', './.pnp.loader.mjs'] : []
      train(what, process.execPath, { cwd, env: { ...process.env, PATH } }, pnp)
    }
  }

// ---- built from source where it is installed
if (options.build) {
  // a network of its own, without a way out
  const isolated = process.platform === 'linux' ? ['unshare', '-rn'] : []
  const own = folder('home-build')
  const settings = {
    cwd: project,
    env: { ...env, PATH: process.env.PATH, HOME: own, npm_config_cache: own },
  }
  const asked = capture(
    process.execPath,
    [path.join(project, 'node_modules/hiddenstate/dist/cli.js'), 'build'],
    settings,
  )
  const command = /`npm install --save-dev (cmake-js@\d+)`/.exec(asked.output)
  if (asked.status !== 1 || !command)
    fail(`without cmake-js: must name the command to install it, got\n${asked.output}`)
  fetch(command[1], ['--ignore-scripts', '--save-dev', command[1]], { cwd: project })
  const built = cli(['build'], settings, isolated)
  if (!cli(['info']).includes('built on this machine'))
    fail(`hiddenstate info must tell of the binary built here\n${built}`)
  train(`built from source${isolated.length > 0 ? ' without any network' : ''}`)
}

console.log(
  `consumer test: ${packed.filename} installs without compiler, scripts or network, and trains`,
)
