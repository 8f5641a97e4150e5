/**
 * What a build from source needs, checked before anything is run, so that a bare machine gets one
 * clear sentence. Uses nothing but Node: it also ships in the package, for `npx hiddenstate build`.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

const runs = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0

/** The compilers that CMake looks for here, the first first. */
const compilers = (env) => (env.CXX ? [env.CXX.split(' ')[0]] : ['c++', 'g++', 'clang++'])

/** The sentence that says what is missing and how to install it; null when all is there. */
export function missingTools({ platform = process.platform, env = process.env, has = runs } = {}) {
  const missing = []
  if (!has('cmake')) missing.push('cmake')
  if (platform !== 'win32') {
    if (!compilers(env).some(has)) missing.push('a C++ compiler')
    if (!has('make') && !has('ninja')) missing.push('make')
  }
  if (missing.length === 0) return null
  const list =
    missing.length === 1 ? missing[0] : `${missing.slice(0, -1).join(', ')} and ${missing.at(-1)}`
  const install = {
    linux: '`apt-get install -y cmake g++ make` (Debian, Ubuntu) or your distribution’s equivalent',
    darwin: '`xcode-select --install && brew install cmake`',
    win32:
      'CMake and the Visual Studio Build Tools with the workload “Desktop development with C++”',
  }[platform]
  return `hiddenstate: building from source needs ${list}: install with ${install ?? 'your package manager'}, then run this again.`
}

/**
 * For cmake-js, which knows of no compilers but g++ and clang++: the one that CMake takes where
 * neither is there.
 */
export function compilerOptions({
  platform = process.platform,
  env = process.env,
  has = runs,
} = {}) {
  if (platform === 'win32' || ['g++', 'clang++'].some(has)) return []
  const compiler = compilers(env).find(has)
  return compiler ? ['--cc', compiler, '--cxx', compiler] : []
}

/**
 * The package by which `npx hiddenstate build` runs cmake. An optional peer, since few need it and
 * it brings 37 packages (docs/decisions/0031).
 */
const CMAKE_JS = 'cmake-js@8'

/**
 * The sentence that says that cmake-js is not installed and how to install it;
 * null when it is there.
 */
export function missingCmakeJs(resolve) {
  try {
    resolve('cmake-js/bin/cmake-js')
    return null
  } catch {
    return (
      `hiddenstate: building from source needs the npm package cmake-js: in your project run \`npm install --save-dev ${CMAKE_JS}\` ` +
      '(or the same with your package manager), then run this again.'
    )
  }
}

/** The sentence that says that the package's folder cannot be built in; null when it can. */
export function notWritable(root, access = fs.accessSync) {
  const build = path.join(root, 'build')
  const folder = fs.existsSync(build) ? build : root
  try {
    access(folder, fs.constants.W_OK)
    return null
  } catch (error) {
    return `hiddenstate: ${folder} must be writable, got ${error.code}: build as the user who installed the package.`
  }
}

/** Ends the process with that sentence when something is missing. */
export function requireTools() {
  const sentence = missingTools()
  if (sentence === null) return
  console.error(sentence)
  process.exit(1)
}
