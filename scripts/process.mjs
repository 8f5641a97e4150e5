/** Running other programs from the scripts: inherited output, plain failures. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const require = createRequire(import.meta.url)

/**
 * Runs a program in the repository root; returns its exit status (1 when it was ended by a signal
 * or not found).
 */
export function run(command, args, options = {}) {
  const { status, error, signal } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    ...options,
  })
  if (error) console.error(`${command}: ${error.message}`)
  if (signal) console.error(`${command}: ended by ${signal}`)
  return status ?? 1
}

/**
 * As `run`, with what the program wrote: all of it as `output`. `echo` passes it on when the
 * program has ended.
 */
export function capture(command, args, { echo = false, ...options } = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...options,
  })
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`
  if (echo) process.stdout.write(output)
  if (result.error) console.error(`${command}: ${result.error.message}`)
  if (result.signal) console.error(`${command}: ended by ${result.signal}`)
  return { status: result.status ?? 1, output, stdout: result.stdout ?? '' }
}

/** The script behind a package's command, to be run with `process.execPath`: no shell, no npx. */
export function binOf(packageName, command = packageName) {
  const file = findPackageJson(packageName)
  const { bin } = JSON.parse(fs.readFileSync(file, 'utf8'))
  return path.join(path.dirname(file), typeof bin === 'string' ? bin : bin[command])
}

/** package.json of a dependency, also where its `exports` hide the file. */
function findPackageJson(packageName) {
  for (const folder of require.resolve.paths(packageName)) {
    const file = path.join(folder, packageName, 'package.json')
    if (fs.existsSync(file)) return file
  }
  console.error(`hiddenstate: ${packageName} is not installed: run \`npm ci\` first.`)
  process.exit(1)
}

/** Runs a dependency's command; returns its exit status. */
export const runBin = (packageName, args, options = {}) =>
  run(process.execPath, [binOf(packageName, options.command), ...args], options)

/** Processors to build with. */
export const jobs = () => String(os.availableParallelism())

/**
 * All files below `folder` (relative to the root) whose name matches,
 * as paths relative to the root.
 */
export function filesBelow(folder, pattern, base = root) {
  const start = path.join(base, folder)
  if (!fs.existsSync(start)) return []
  return fs
    .readdirSync(start, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) =>
      path
        .relative(base, path.join(entry.parentPath ?? entry.path, entry.name))
        .split(path.sep)
        .join('/'),
    )
    .sort()
}

/** True when `target` exists and none of `sources` (files, relative to the root) is newer. */
export function isFresh(target, sources) {
  const file = path.join(root, target)
  if (!fs.existsSync(file)) return false
  const built = fs.statSync(file).mtimeMs
  return sources.every((source) => fs.statSync(path.join(root, source)).mtimeMs <= built)
}
