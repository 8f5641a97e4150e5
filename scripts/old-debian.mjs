/**
 * Builds for Linux in a folder that holds an older Debian: what its compiler and C library make
 * also runs on every later glibc. The folder is made once, by debootstrap, in ~/.cache/hiddenstate
 * (HS_OLD_DEBIAN: elsewhere). Needs root, for chroot.
 */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { checkIsaObjects } from './isa-objects.mjs'
import { capture, jobs, root, run } from './process.mjs'

const SUITE = 'bullseye' // glibc 2.31, gcc 10; its libstdc++ asks for less than GLIBC_2.28
const OLD_SYMBOLS = path.join('scripts', 'glibc-2.28.h') // and by this our own code too
const MIRROR = 'http://deb.debian.org/debian'
const PACKAGES = ['g++', 'g++-aarch64-linux-gnu', 'cmake', 'make', 'ccache']

/**
 * Per architecture: prefix of the tools, further CMake options,
 * where its C library lies inside the folder.
 */
export const TARGETS = {
  x64: { prefix: '', options: {}, sysroot: '/' },
  arm64: {
    prefix: 'aarch64-linux-gnu-',
    options: {
      CMAKE_SYSTEM_NAME: 'Linux',
      CMAKE_SYSTEM_PROCESSOR: 'aarch64',
      CMAKE_CXX_COMPILER: 'aarch64-linux-gnu-g++',
    },
    sysroot: '/usr/aarch64-linux-gnu',
  },
}

const fail = (sentence) => {
  console.error(`old-debian: ${sentence}`)
  process.exit(1)
}

/** Path of the folder; makes it when it is not there. */
export function oldDebian() {
  const dir = process.env.HS_OLD_DEBIAN ?? path.join(os.homedir(), '.cache', 'hiddenstate', SUITE)
  if (process.platform !== 'linux' || process.arch !== 'x64')
    fail(`builds on linux-x64 alone, got ${process.platform}-${process.arch}`)
  if (process.getuid() !== 0) fail('needs root, for chroot: run it as root or in a container')
  const ready = path.join(dir, 'usr', 'bin', 'ccache') // the last of the packages
  if (fs.existsSync(ready)) return dir
  if (capture('sh', ['-c', 'command -v debootstrap']).status !== 0)
    fail('needs debootstrap: install with `apt-get install -y debootstrap`, then run this again.')
  console.log(`Making Debian ${SUITE} in ${dir} (some minutes, once) …`)
  fs.mkdirSync(dir, { recursive: true })
  const status = run('debootstrap', [
    '--variant=minbase',
    `--include=${PACKAGES.join(',')}`,
    SUITE,
    dir,
    MIRROR,
  ])
  if (status !== 0 || !fs.existsSync(ready)) fail(`debootstrap ended with status ${status}`)
  return dir
}

/** Runs a program inside the folder, with an environment of its own; its exit status. */
const inside = (dir, command, args) =>
  run('chroot', [
    dir,
    'env',
    '-i',
    'PATH=/usr/bin:/bin',
    'HOME=/root',
    'LC_ALL=C.UTF-8',
    command,
    ...args,
  ])

/**
 * Builds a target for an architecture with CMake inside the folder, under the paths of this
 * checkout; returns the build folder as seen from outside. `options`: for CMake.
 */
export async function buildInside(arch, target, options = {}) {
  const dir = oldDebian()
  const { prefix, options: cross } =
    TARGETS[arch] ?? fail(`knows ${Object.keys(TARGETS).join(', ')}, got ${arch}`)
  const headers = ['node-addon-api', 'node-api-headers'].map((name) =>
    path.join('node_modules', name),
  )
  for (const entry of ['CMakeLists.txt', 'package.json', 'native', OLD_SYMBOLS, ...headers]) {
    fs.rmSync(path.join(dir, root, entry), { recursive: true, force: true })
    fs.cpSync(path.join(root, entry), path.join(dir, root, entry), {
      recursive: true,
      preserveTimestamps: true,
    })
  }
  const out = path.join(root, `build-${SUITE}-${arch}`)
  const { BuildSystem } = createRequire(import.meta.url)('cmake-js')
  const system = new BuildSystem({
    ...{
      directory: root,
      out,
      arch,
      config: 'Release',
      generator: 'Unix Makefiles',
      logLevel: 'warn',
      cmakePath: 'cmake',
    },
    cMakeOptions: {
      ...cross,
      CMAKE_CXX_COMPILER_LAUNCHER: 'ccache',
      CMAKE_CXX_FLAGS_RELEASE: `-O3 -DNDEBUG -include ${path.join(root, OLD_SYMBOLS)}`,
      ...options,
    },
  })
  const [command, source, ...args] = await system.getConfigureCommand()
  const at = ['-S', source, '-B', out]
  const build = ['--build', out, '--parallel', jobs(), '--target', target]
  const status = inside(dir, command, [...at, ...args]) || inside(dir, 'cmake', build)
  if (status !== 0) fail(`building ${target} for ${arch} ended with status ${status}`)
  const made = path.join(dir, out)
  const { problems } = checkIsaObjects(made)
  if (problems.length > 0) fail(problems.join('\n'))
  const addon = path.join(out, 'Release', 'hiddenstate.node')
  if (target === 'hiddenstate' && inside(dir, `${prefix}strip`, ['--strip-all', addon]) !== 0)
    fail(`${path.join(dir, addon)} cannot be stripped`)
  return made
}
