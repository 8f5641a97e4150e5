/**
 * `npm test`: everything CI runs, in the order of what fails fastest. Closes with one line,
 * `N passed, N failed`: the native tests and the vitest suite, plus one failure for every other
 * step that failed.
 */
import fs from 'node:fs'
import path from 'node:path'
import { buildNative, buildTs } from './build.mjs'
import { cardSuites } from './card-suites.mjs'
import { cudaTests, standInEnvironment } from './cuda-tests.mjs'
import { examples, smallDataOf } from './examples.mjs'
import { nativeTests } from './native-tests.mjs'
import { root, run, runBin } from './process.mjs'

const total = { passed: 0, failed: 0 }
const broken = []

/** Runs a step; `work` returns an exit status or `{ passed, failed }`. */
function step(name, work) {
  console.log(`\n── ${name}`)
  const from = performance.now()
  const result = work()
  const { passed, failed } =
    typeof result === 'number' ? { passed: 0, failed: result === 0 ? 0 : 1 } : result
  total.passed += passed
  total.failed += failed
  if (failed > 0) broken.push(name)
  console.log(
    `── ${name}: ${failed === 0 ? 'ok' : 'FAILED'} in ${((performance.now() - from) / 1000).toFixed(0)} s`,
  )
  return failed === 0
}

function vitest() {
  const report = path.join(root, 'build', 'vitest.json')
  fs.rmSync(report, { force: true })
  const status = runBin('vitest', [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ])
  if (!fs.existsSync(report)) {
    console.error(`vitest: ended with status ${status} and without its report`)
    return { passed: 0, failed: 1 }
  }
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(
    fs.readFileSync(report, 'utf8'),
  )
  if (numPendingTests > 0) console.log(`vitest: ${numPendingTests} tests skipped`)
  // A file that does not load has no tests to count.
  const unloaded = testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  ).length
  const failed = numFailedTests + unloaded
  return { passed: numPassedTests, failed: status !== 0 && failed === 0 ? 1 : failed }
}

if (step('build', () => buildNative() || buildTs())) {
  step('native tests', nativeTests)
  if (process.platform === 'linux') {
    step('native tests on a stand-in card', () => cudaTests())
    step('golden data on a stand-in card', () => cardSuites(standInEnvironment(), ['test/golden']))
  }
  step('lint', () => run(process.execPath, ['scripts/lint.mjs']))
  step('vitest', vitest)
  for (const [name, file] of examples)
    step(`example ${name}`, () => run(process.execPath, [file, '--smoke', ...smallDataOf(name)]))
  step(
    'package: exports and types',
    () =>
      runBin('publint', ['--strict']) ||
      runBin('@arethetypeswrong/cli', ['--pack', '.', '--profile', 'node16'], { command: 'attw' }),
  )
  if (step('package: prebuild', () => run(process.execPath, ['scripts/prebuild.mjs'])))
    step('package: install and train', () =>
      run(process.execPath, [
        'scripts/consumer-test.mjs',
        // 155 MB from the registry, once
        ...(process.platform === 'linux' ? ['--node', '22,24,latest'] : []),
      ]),
    )
}

if (broken.length > 0) console.log(`\nFailed: ${broken.join('; ')}`)
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed === 0 ? 0 : 1)
