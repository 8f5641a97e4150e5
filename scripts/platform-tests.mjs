/**
 * The native tests and the suites of golden data and gradients with the released binaries where
 * this machine has no such processor.
 *
 *   node scripts/platform-tests.mjs arm64
 *     linux-arm64, under qemu-user, with the arm64 Node from npm
 *   node scripts/platform-tests.mjs no-avx
 *     linux-x64, under qemu-user, on a processor model without AVX
 *   node scripts/platform-tests.mjs isas
 *     linux-x64, on this processor, every instruction set that it has
 *
 * Needs `npm run prebuild -- --old-debian` first and, but for `isas`, the package qemu-user-static.
 * Takes some ten minutes under qemu, so it is not part of `npm test`; docs/platforms.md holds the
 * last results. Further arguments name other vitest suites.
 */
import fs from 'node:fs'
import path from 'node:path'
import { buildInside, oldDebian, TARGETS } from './old-debian.mjs'
import { capture, root, run, runBin } from './process.mjs'

const [platform = '', ...named] = process.argv.slice(2)
const suites = named.length > 0 ? named : ['test/golden', 'test/contract/gradients.test.ts']
const work = path.join(root, 'build-platforms', platform)

function fail(sentence) {
  console.error(`platform-tests: ${sentence}`)
  process.exit(1)
}
const emulator = (name) => {
  const { status, stdout } = capture('sh', ['-c', `command -v ${name}`])
  return status === 0
    ? stdout.trim()
    : fail(`needs ${name}: install with \`apt-get install -y qemu-user-static\`.`)
}

/** Node of another architecture, from npm. */
function nodeOf(arch) {
  const file = path.join(work, 'node_modules', `node-linux-${arch}`, 'bin', 'node')
  if (fs.existsSync(file)) return file
  fs.writeFileSync(path.join(work, 'package.json'), '{ "private": true }\n')
  const install = [
    'install',
    '--force',
    `--cpu=${arch}`,
    '--os=linux',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
  ]
  if (run('npm', [...install, `node-linux-${arch}@20`], { cwd: work }) !== 0)
    fail(`cannot fetch Node for ${arch}`)
  return file
}

/** How to start a program there, its Node, and the instruction sets that must be found. */
const PLATFORMS = {
  arm64: () => ({
    arch: 'arm64',
    launch: [emulator('qemu-aarch64-static'), '-L', path.join(oldDebian(), TARGETS.arm64.sysroot)],
    node: nodeOf('arm64'),
    isas: ['neon'],
  }),
  'no-avx': () => ({
    arch: 'x64',
    launch: [emulator('qemu-x86_64-static'), '-cpu', 'Nehalem'],
    node: process.execPath,
    isas: ['sse'],
  }),
  isas: () => ({ arch: 'x64', launch: [], node: process.execPath, isas: null }),
}
fs.mkdirSync(work, { recursive: true })
const { arch, launch, node, isas } = (
  PLATFORMS[platform] ??
  (() => fail(`knows ${Object.keys(PLATFORMS).join(', ')}, got ${platform || 'nothing'}`))
)()

// A program that stands for that Node:
// vitest starts its workers with it and itself stays on this machine's.
const stand = path.join(work, 'node')
fs.writeFileSync(stand, `#!/bin/sh\nexec ${[...launch, node].join(' ')} "$@"\n`, { mode: 0o755 })
const env = { ...process.env, PREBUILDS_ONLY: '1', HS_TEST_NODE: stand, HS_TEST_TIMEOUT: '1800000' }

const script =
  "import('hiddenstate').then(({ info }) => console.log(JSON.stringify({ arch: process.arch, ...info() })))"
const told = capture(stand, ['-e', script], { env })
if (told.status !== 0) fail(`the binary must load, got\n${told.output}`)
const info = JSON.parse(told.stdout)
console.log(`platform-tests: ${platform}: ${told.stdout.trim()}`)
if (info.arch !== arch) fail(`must run on ${arch}, got ${info.arch}`)
if (isas && info.isas.join() !== isas.join())
  fail(`must find ${isas.join(', ')}, got ${info.isas.join(', ')}`)

const failed = []
const step = (name, status) => {
  console.log(`platform-tests: ${platform}: ${name}: ${status === 0 ? 'ok' : 'FAILED'}`)
  if (status !== 0) failed.push(name)
}
if (named.length === 0) {
  const tests = path.join(
    await buildInside(arch, 'native_tests', { HS_TESTS: 'ON' }),
    'native_tests',
  )
  const [command, ...args] = [...launch, tests]
  for (const isa of info.isas)
    step(
      `native tests (${isa})`,
      run(command, args, { env: { ...process.env, HIDDENSTATE_ISA: isa } }),
    )
}
for (const isa of isas ? [info.isa] : info.isas)
  step(
    `${suites.join(' ')} (${isa})`,
    runBin('vitest', ['run', ...suites], { env: { ...env, HIDDENSTATE_ISA: isa } }),
  )
if (failed.length > 0) fail(`failed: ${failed.join('; ')}`)
console.log(`platform-tests: ${platform}: all passed`)
