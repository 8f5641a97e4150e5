#!/usr/bin/env node
// prebuildify --node-gyp scripts/cmake-gyp.cjs: stands in for node-gyp and builds with cmake-js.
// prebuildify calls it in its own working folder (build-prebuild/) and takes build/Release/* from
// there. HS_PREBUILD_IN=old-debian: with the tools of an older Debian (old-debian.mjs).
const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const root = path.join(__dirname, '..')
const out = path.join(process.cwd(), 'build')
const option = (name) => (process.argv.find((arg) => arg.startsWith(`--${name}=`)) || '').split('=')[1]
const arch = option('arch') || process.arch
const glibc = process.platform === 'linux' && process.env.PREBUILD_LIBC !== 'musl'
// libgomp is bundled where it is sure to be there and alone in its folder; elsewhere the
// std::thread team does the work.
// Without the instruction set that the others are compared with: every processor that a binary is
// made for has a faster one.
const options = { HS_SCALAR: 'OFF', HS_STATIC_RUNTIME: 'ON', HS_OPENMP: glibc ? 'ON' : 'OFF', HS_BUNDLE_GOMP: glibc ? 'ON' : 'OFF' }

async function inOldDebian() {
  const { buildInside } = await import('./old-debian.mjs')
  // The compiler of that Debian makes 0.13 MB more of the instruction sets of x64 than newer ones:
  // with code for cards a binary would have 3.09 MB (docs/decisions/0042).
  const cards = arch === 'x64' ? { HS_CUDA: 'OFF' } : {}
  const made = await buildInside(arch, 'hiddenstate', { ...options, ...cards })
  fs.rmSync(out, { recursive: true, force: true })
  fs.cpSync(path.join(made, 'Release'), path.join(out, 'Release'), { recursive: true })
}

function here() {
  execFileSync(
    process.execPath,
    [
      require.resolve('cmake-js/bin/cmake-js', { paths: [root] }),
      'build',
      ...['--directory', root, '--out', out, '--arch', arch, '--log-level', 'warn'],
      ...['--parallel', String(os.availableParallelism())],
      // The kernels are written for GCC and Clang; Visual Studio brings the latter.
      ...(process.platform === 'win32' ? ['--toolset', 'ClangCL'] : []),
      ...Object.entries(options).map(([name, value]) => `--CD${name}=${value}`),
    ],
    { stdio: 'inherit', cwd: root },
  )
}

if (process.env.HS_PREBUILD_IN === 'old-debian') inOldDebian()
else here()
