/**
 * Checks the binaries in prebuilds/ for what the package promises: their size, and on Linux the
 * libraries they need, the symbols they export and their flags. `--max-glibc 2.28`: the newest
 * symbol version of the C library that may be needed (release builds). `--all`: those of all
 * platforms must be there (the merge of a release).
 */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { capture, filesBelow, root } from './process.mjs'

const MEGABYTE = 1_000_000
export const MAX_ADDON = 3 * MEGABYTE
export const MAX_UNPACKED = 15 * MEGABYTE
/** The binaries of a release: folder and, on Linux, C library. */
const RELEASE = [
  ...['x64', 'arm64'].flatMap((arch) => [`linux-${arch}/glibc`, `linux-${arch}/musl`]),
  ...['darwin-arm64', 'darwin-x64', 'win32-x64', 'win32-arm64'],
]
/**
 * Version of Node-API that package.json promises;
 * its functions are the only ones that may be taken from Node.
 */
const NAPI = 8

const MACHINES = {
  x64: 'Advanced Micro Devices X86-64',
  arm64: 'AArch64',
  ia32: 'Intel 80386',
  arm: 'ARM',
}
const LIBRARIES =
  /^(libc|libm|libpthread|libdl|librt|libgomp|ld-linux-x86-64|ld-linux-aarch64)\.so\.\d+$|^(libc\.musl-\w+|ld-musl-\w+)\.so\.1$/
const ENTRY = ['napi_register_module_v1', 'node_api_module_get_api_version_v1']
const numeric = new Intl.Collator('en', { numeric: true })

/** Node-API functions up to a version. */
function napiFunctions(version) {
  const { symbols } = createRequire(import.meta.url)('node-api-headers')
  const { js_native_api_symbols: js, node_api_symbols: node } = symbols[`v${version}`]
  return new Set([...js, ...node])
}

/** Newest symbol version of the C library that a dump names; undefined: none. */
export const newestGlibc = (dump) =>
  [...new Set([...dump.matchAll(/\bGLIBC_(\d[\d.]*)/g)].map(([, version]) => version))]
    .sort(numeric.compare)
    .at(-1)

/** Complaints about one ELF file; `dump`: what `readelf -W -h -d -l --dyn-syms` says of it. */
export function elfProblems(dump, { arch, maxGlibc, beside = [], napi = napiFunctions(NAPI) }) {
  const problems = []
  const need = (ok, what, actual) => ok || problems.push(`${what}, got ${actual}`)
  const one = (pattern) => pattern.exec(dump)?.[1]?.trim() ?? 'none'

  need(
    one(/Machine:\s*(.*)/) === MACHINES[arch],
    `machine must be ${MACHINES[arch]}`,
    one(/Machine:\s*(.*)/),
  )
  const needed = [...dump.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name)
  for (const name of needed)
    need(LIBRARIES.test(name), 'only the C library and libgomp may be needed', name)
  const newest = newestGlibc(dump)
  if (maxGlibc !== undefined)
    need(
      newest !== undefined && numeric.compare(newest, maxGlibc) <= 0,
      `must need glibc ${maxGlibc} at most`,
      newest,
    )
  const foreign = /\b(GLIBCXX|CXXABI|GCC)_[\d.]+/.exec(dump)?.[0]
  need(foreign === undefined, 'libstdc++ and libgcc must be linked statically', foreign)
  if (needed.includes('libgomp.so.1')) {
    need(
      beside.includes('libgomp.so.1'),
      'libgomp.so.1 must lie beside the addon',
      beside.join(', ') || 'nothing',
    )
    need(
      one(/\(RUNPATH\).*\[(.*)\]/) === '$ORIGIN',
      'RUNPATH must be $ORIGIN',
      one(/\(R(?:UN)?PATH\).*\[(.*)\]/),
    )
  }
  need(/NODELETE/.test(one(/\(FLAGS_1\)(.*)/)), 'must be marked NODELETE', one(/\(FLAGS_1\)(.*)/))
  need(!/\(TEXTREL\)/.test(dump), 'must have no relocations in its text', 'TEXTREL')
  need(
    /^\s*GNU_STACK\s.*\sRW\s/m.test(dump),
    'the stack must not be executable',
    one(/^\s*(GNU_STACK.*)/m),
  )

  // Num: Value Size Type Bind Vis Ndx Name
  for (const [, bind, index, full] of dump.matchAll(
    /^\s*\d+:\s+\S+\s+\S+\s+\w+\s+(\w+)\s+\w+\s+(\w+)\s+(\S+)/gm,
  )) {
    const [name, version] = full.split('@')
    if (bind === 'LOCAL') continue // sections: older linkers for arm64 list them
    if (index !== 'UND')
      need(ENTRY.includes(name), 'only the entry points of Node-API may be shown', name)
    else if (
      version === undefined &&
      bind !== 'WEAK' &&
      /^(napi|node_api|node|uv)_|^_ZN2v8/.test(name)
    )
      need(napi.has(name), `only functions of Node-API ${NAPI} may be taken from Node`, name)
  }
  return problems
}

/** The binaries of a release that are not among `files` (paths below prebuilds/). */
export function missingBinaries(files) {
  const addons = files.filter((file) => file.endsWith('.node'))
  const there = ([folder, libc]) =>
    addons.some(
      (file) => file.startsWith(`${folder}/`) && (libc === undefined || file.includes(`.${libc}.`)),
    )
  return RELEASE.filter((binary) => !there(binary.split('/')))
}

/** A sentence about a binary that is too large. */
export const sizeProblems = (file, bytes) =>
  bytes > MAX_ADDON ? [`${file}: must have at most ${MAX_ADDON} bytes, got ${bytes}`] : []

/**
 * Complaints about the size of what a user installs, the main package and that of one platform:
 * bytes of the one, `[name, bytes]` of the others.
 */
export const installProblems = (main, platforms) =>
  platforms
    .map(([name, bytes]) => [name, main + bytes])
    .filter(([, bytes]) => bytes > MAX_UNPACKED)
    .map(
      ([name, bytes]) =>
        `hiddenstate and ${name}: must unpack to at most ${MAX_UNPACKED} bytes, got ${bytes}`,
    )

/** Prints a line for each file and for each complaint; true when there is none. */
export function checkPrebuilds({ targets = [], maxGlibc, all = false } = {}) {
  const base = path.join(root, 'prebuilds')
  const problems = []
  const present = fs.existsSync(base) ? fs.readdirSync(base) : []
  for (const target of targets)
    if (!present.includes(target))
      problems.push(`prebuilds/${target}: must be there, got ${present.join(', ') || 'none'}`)
  for (const target of present) {
    const [platform, arch] = target.split('-')
    const files = fs.readdirSync(path.join(base, target))
    const addons = files.filter((file) => file.endsWith('.node'))
    const own = (file) => `prebuilds/${target}/${file}`
    if (addons.length === 0)
      problems.push(`prebuilds/${target}: must hold an addon, got ${files.join(', ') || 'nothing'}`)
    for (const file of files) {
      const { size } = fs.statSync(path.join(base, target, file))
      let tells = `${size} bytes`
      problems.push(...sizeProblems(own(file), size))
      if (platform === 'linux') {
        const { status, output } = capture('readelf', [
          '-W',
          '-h',
          '-d',
          '-l',
          '--dyn-syms',
          path.join(base, target, file),
        ])
        if (status !== 0)
          problems.push(
            `${own(file)}: readelf (package binutils) must read it, got status ${status}`,
          )
        tells += `, needs glibc ${newestGlibc(output) ?? '(none)'}`
        if (addons.includes(file)) {
          const limit = /\.musl\./.test(file) ? undefined : maxGlibc
          for (const problem of elfProblems(output, { arch, maxGlibc: limit, beside: files }))
            problems.push(`${own(file)}: ${problem}`)
        } else if (
          maxGlibc !== undefined &&
          numeric.compare(newestGlibc(output) ?? '', maxGlibc) > 0
        )
          problems.push(
            `${own(file)}: must need glibc ${maxGlibc} at most, got ${newestGlibc(output)}`,
          )
      }
      console.log(`${own(file)}: ${tells}`)
    }
  }
  const missing = missingBinaries(
    filesBelow('prebuilds', /\.node$/).map((file) => file.replace(/^prebuilds\//, '')),
  )
  if (all && missing.length > 0)
    problems.push(
      `prebuilds: must hold the binaries of all platforms, without ${missing.join(', ')}`,
    )
  console.log(
    `prebuilds: ${RELEASE.length - missing.length} of the ${RELEASE.length} binaries of a release`,
  )
  for (const problem of problems) console.error(problem)
  console.log(
    problems.length === 0
      ? 'check-prebuilds: in order'
      : `check-prebuilds: ${problems.length} problems`,
  )
  return problems.length === 0
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { 'max-glibc': { type: 'string' }, all: { type: 'boolean', default: false } },
  })
  const { 'max-glibc': maxGlibc, all } = values
  process.exit(checkPrebuilds({ all, ...(maxGlibc ? { maxGlibc } : {}) }) ? 0 : 1)
}
