/**
 * Builds and runs the tests of the Node-free core. They share the addon's build folder, so that the
 * core compiles once; `cmake -S . -B build-native -DHS_TESTS=ON` does the same without Node.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildWith } from './build.mjs'
import { capture, root } from './process.mjs'
import { requireTools } from './toolchain.mjs'

/** The tests' closing line, `N passed, N failed`. */
export const counts = (output) => {
  const match = [...output.matchAll(/^(\d+) passed, (\d+) failed/gm)].at(-1)
  return match ? { passed: Number(match[1]), failed: Number(match[2]) } : null
}

/**
 * Path of a built executable: CMake generators differ
 * in whether they make a folder for the configuration.
 */
export function executable(buildDir, name) {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  const found = [path.join(buildDir, name + suffix), path.join(buildDir, 'Release', name + suffix)]
    .map((file) => path.join(root, file))
    .find((file) => fs.existsSync(file))
  if (found) return found
  console.error(`${buildDir} holds no ${name}: did its build fail?`)
  process.exit(1)
}

/**
 * Builds them and runs them with each instruction set of this processor; `{ passed, failed }`. A
 * failed build counts as one failure.
 */
export function nativeTests() {
  requireTools()
  const total = { passed: 0, failed: 0 }
  if (buildWith('build', { HS_TESTS: 'ON' }, 'native_tests') !== 0) return { ...total, failed: 1 }
  const isas = capture(executable('build', 'native_tests'), ['--isas'])
    .stdout.split(/\s+/)
    .filter(Boolean)
  if (isas.length === 0) return { ...total, failed: 1 }
  for (const isa of isas) {
    console.log(`native tests, ${isa}:`)
    const { passed, failed } = runNativeTests('build', { ...process.env, HIDDENSTATE_ISA: isa })
    total.passed += passed
    total.failed += failed
  }
  return total
}

/**
 * One run; `{ passed, failed, output }`. A crash or a missing closing line counts as one failure.
 */
export function runNativeTests(buildDir, env = process.env, wrap = []) {
  const command = [...wrap, executable(buildDir, 'native_tests')]
  const { status, output } = capture(command[0], command.slice(1), { echo: true, env })
  const result = counts(output)
  if (result === null) {
    console.error('native tests: ended without their closing line `N passed, N failed`')
    return { passed: 0, failed: 1, output }
  }
  if (status !== 0 && result.failed === 0) {
    console.error(`native tests: exit status must be 0, got ${status}`)
    result.failed = 1
  }
  return { ...result, output }
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url))
  process.exit(nativeTests().failed === 0 ? 0 : 1)
