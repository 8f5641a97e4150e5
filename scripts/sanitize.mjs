/**
 * `npm run test:asan`: the native tests, on the processor and on the stand-in card, and the vitest
 * suite under AddressSanitizer and UndefinedBehaviorSanitizer. `npm run test:tsan`: the native
 * tests, on both, under ThreadSanitizer, on the std::thread back end (libgomp itself is not
 * instrumented). Further arguments go to vitest, e.g. a file to run alone.
 */
import path from 'node:path'
import { buildTs, buildWith } from './build.mjs'
import { standInEnvironment } from './cuda-tests.mjs'
import { runNativeTests } from './native-tests.mjs'
import { capture, jobs, root, run, runBin } from './process.mjs'
import { requireTools } from './toolchain.mjs'

const [kind, ...rest] = process.argv.slice(2)
const runs = { address, thread }
if (!runs[kind]) {
  console.error(`sanitize: kind must be address or thread, got ${kind ?? 'nothing'}.`)
  process.exit(1)
}
if (process.platform !== 'linux') {
  console.error('sanitize: runs on Linux only (it preloads the sanitizer into node).')
  process.exit(1)
}
requireTools()
runs[kind]()

/** Ends the process when a step fails. */
function must(status, what) {
  if (status === 0) return
  console.error(`sanitize: ${what} failed`)
  process.exit(1)
}

function address() {
  must(buildTs(), 'building the TypeScript')
  must(
    buildWith('build-asan/build', {
      HS_SANITIZE: 'address;undefined',
      HS_TESTS: 'ON',
      HS_STATIC_RUNTIME: 'OFF',
    }),
    'the build',
  )
  const undefinedBehaviour = { UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1' }
  for (const [device, env, options] of [
    ['the processor', process.env, ''],
    // The stand-in has an `operator new` of its own; libstdc++ frees some of what it gives.
    ['a stand-in card', standInEnvironment('build-asan/build'), ':alloc_dealloc_mismatch=0'],
  ]) {
    const tests = runNativeTests('build-asan/build', {
      ...env,
      ...undefinedBehaviour,
      ASAN_OPTIONS: `detect_leaks=1${options}`,
    })
    must(tests.failed, `the native tests on ${device}`)
  }
  const compiler = process.env.CXX?.split(' ')[0] ?? 'c++'
  const library = (name) => capture(compiler, [`-print-file-name=${name}`]).stdout.trim()
  must(
    runBin('vitest', ['run', ...rest], {
      env: {
        ...process.env,
        ...undefinedBehaviour,
        // node's own leaks at exit are not ours; libstdc++ must be there before the interceptors
        // look for __cxa_throw. Memory that is not to be had is an error we hand on, so the
        // sanitizer answers null, too.
        ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1',
        LD_PRELOAD: `${library('libasan.so')} ${library('libstdc++.so.6')}`,
        // read by node-gyp-build: where to look for build/Release
        HIDDENSTATE_PREBUILD: path.join(root, 'build-asan'),
        HS_TEST_SANITIZER: 'address', // tests that measure time or memory leave room
        HS_TEST_TIMEOUT: '120000',
      },
    }),
    'the vitest suite',
  )
  console.log('sanitize: native tests and vitest suite are clean under ASan and UBSan')
}

function thread() {
  const dir = 'build-tsan'
  must(
    run('cmake', [
      ...['-S', '.', '-B', dir, '-DCMAKE_BUILD_TYPE=RelWithDebInfo'],
      ...['-DHS_TESTS=ON', '-DHS_SANITIZE=thread', '-DHS_OPENMP=OFF'],
    ]),
    'configuring',
  )
  must(
    run('cmake', ['--build', dir, '--parallel', jobs(), '--target', 'native_tests']),
    'the build',
  )
  for (const device of [process.env, standInEnvironment(dir)]) {
    const env = {
      ...device,
      HIDDENSTATE_THREADING: 'team',
      HIDDENSTATE_THREADS: '4',
      TSAN_OPTIONS: 'halt_on_error=1',
    }
    let tests = runNativeTests(dir, env)
    // Kernels with more bits of address randomisation than gcc 12 expects:
    // the same run without randomisation.
    if (tests.output.includes('unexpected memory mapping'))
      tests = runNativeTests(dir, env, ['setarch', '-R'])
    must(tests.failed, 'the native tests')
  }
  console.log('sanitize: native tests are clean under TSan')
}
