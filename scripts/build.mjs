/**
 * Builds what is out of date: the addon (build/Release/*.node, by cmake-js) and the TypeScript
 * (dist/, by tsup). `--native` or `--ts`: only that one. `--force`: also what looks up to date.
 */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { binOf, capture, filesBelow, isFresh, jobs, root, runBin } from './process.mjs'
import { compilerOptions, requireTools } from './toolchain.mjs'

const addon = 'build/Release/hiddenstate.node'

/** Exit status of building the addon. */
export function buildNative({ force = false } = {}) {
  const sources = ['CMakeLists.txt', 'package-lock.json', ...filesBelow('native', /\.(cc|h)$/)]
  if (
    !force &&
    isFresh(
      addon,
      sources.filter((file) => !file.startsWith('native/test/')),
    )
  )
    return 0
  requireTools()
  console.log('Building the native addon (the first time takes a minute or two) …')
  const { status, output } = capture(process.execPath, [
    binOf('cmake-js'),
    ...cmakeJsArguments('compile', '--target', 'hiddenstate'),
  ])
  // Only warnings and errors are printed: a line for each file means nothing to those who want to
  // run an example.
  const told = output.replace(/^(\[ *\d+[/%].*|--.*|Not searching for unused.*)\n/gm, '')
  if (status !== 0 || /\bwarning\b/i.test(told)) process.stderr.write(told)
  return status
}

/** For cmake-js on this repository, with all processors. */
const cmakeJsArguments = (...args) => [
  ...args,
  ...['--directory', root, '--parallel', jobs(), '--log-level', 'warn', ...compilerOptions()],
]

/** cmake-js on this repository; its exit status. */
export const runCmakeJs = (args) => runBin('cmake-js', cmakeJsArguments(...args))

/**
 * As above for a build folder (relative to the root) with options of its own: cmake-js alone
 * configures only a new folder.
 */
export function buildWith(out, options, target) {
  const folder = ['--out', path.join(root, out)]
  const status = runCmakeJs([
    'configure',
    ...folder,
    ...Object.entries(options).map(([k, v]) => `--CD${k}=${v}`),
  ])
  return status || runCmakeJs(['build', ...folder, ...(target ? ['--target', target] : [])])
}

/** Exit status of building dist/. */
export function buildTs({ force = false } = {}) {
  const sources = [
    'package.json',
    'tsup.config.ts',
    'tsconfig.json',
    'tsconfig.build.json',
    ...filesBelow('lib', /\.m?ts$|\.mjs$/),
  ]
  if (!force && isFresh('dist/index.js', sources) && isFresh('dist/index.d.ts', sources)) return 0
  console.log('Building the TypeScript …')
  return runBin('tsup', ['--silent'])
}

/** Both; ends the process when one fails. */
export function buildAll(options = {}) {
  for (const build of [buildNative, buildTs]) {
    const status = build(options)
    if (status !== 0) process.exit(status)
  }
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const force = process.argv.includes('--force')
  let status = 0
  if (!process.argv.includes('--ts')) status = buildNative({ force })
  if (status === 0 && !process.argv.includes('--native')) status = buildTs({ force })
  process.exit(status)
}
