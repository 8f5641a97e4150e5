/**
 * `npm run test:cuda`: the tests of the device 'cuda' on the stand-in driver
 * (native/test/stand_in), on any Linux machine: that kernels.ptx is what its sources give, the
 * native tests with every op and plan on the card, and the suites of card-suites.mjs, or the files
 * of them that are given. Where the machine has a card, `--card` runs them there.
 */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { buildTs, buildWith } from './build.mjs'
import { cardSuites } from './card-suites.mjs'
import { runNativeTests } from './native-tests.mjs'
import { root, run } from './process.mjs'
import { requireTools } from './toolchain.mjs'

const onCard = {
  ...process.env,
  HIDDENSTATE_DEVICE: 'cuda',
  HIDDENSTATE_CUDA_KERNELS: path.join(root, 'native', 'device', 'cuda', 'kernels.ptx'),
}
/** With the stand-in driver that lies in a build folder. */
export function standInEnvironment(dir = 'build') {
  const standIn = path.join(root, dir, 'stand-in', 'libstand_in.so')
  return { ...onCard, HIDDENSTATE_LIBCUDA: standIn, HIDDENSTATE_LIBCUBLAS: standIn }
}

/** Kernels and native tests, which must be built; `{ passed, failed }`. */
export function cudaTests(env = standInEnvironment()) {
  const kernels = run(process.execPath, ['scripts/build-kernels.mjs', '--check']) === 0 ? 0 : 1
  const { passed, failed } = runNativeTests('build', env)
  return { passed, failed: failed + kernels }
}

function main() {
  const { values, positionals } = parseArgs({
    options: { card: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  if (process.platform !== 'linux') {
    console.error('test:cuda: runs on Linux only.')
    return 1
  }
  requireTools()
  if (buildWith('build', { HS_TESTS: 'ON' }, 'native_tests') !== 0 || buildTs() !== 0) return 1
  const env = values.card ? onCard : standInEnvironment()
  return cudaTests(env).failed + cardSuites(env, positionals).failed === 0 ? 0 : 1
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url))
  process.exit(main())
