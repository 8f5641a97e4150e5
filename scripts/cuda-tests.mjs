/**
 * `npm run test:cuda`: the tests of the device 'cuda' on the stand-in driver
 * (native/test/stand_in), on any machine: the native tests, and the vitest files given, or those
 * below. Where the machine has a card, `--card` runs them there.
 */
import path from 'node:path'
import { parseArgs } from 'node:util'
import { buildTs, buildWith } from './build.mjs'
import { runNativeTests } from './native-tests.mjs'
import { root, run, runBin } from './process.mjs'
import { requireTools } from './toolchain.mjs'

const { values, positionals } = parseArgs({
  options: { card: { type: 'boolean', default: false } },
  allowPositionals: true,
})

/** Builds the native tests and the stand-in driver; exit status. */
export const buildStandIn = () => buildWith('build', { HS_TESTS: 'ON' }, 'native_tests')

const standIn = path.join(root, 'build', 'stand-in', 'libstand_in.so')
const env = {
  ...process.env,
  HIDDENSTATE_DEVICE: 'cuda',
  HIDDENSTATE_CUDA_KERNELS: path.join(root, 'native', 'device', 'cuda', 'kernels.ptx'),
  ...(values.card ? {} : { HIDDENSTATE_LIBCUDA: standIn, HIDDENSTATE_LIBCUBLAS: standIn }),
}

/** What runs on a card as it does on a processor. */
const files = positionals.length > 0 ? positionals : ['test/cuda']

if (process.platform !== 'linux') {
  console.error('test:cuda: runs on Linux only.')
  process.exit(1)
}
requireTools()
let failed = run(process.execPath, ['scripts/build-kernels.mjs', '--check']) === 0 ? 0 : 1
if (buildStandIn() !== 0 || buildTs() !== 0) process.exit(1)
const native = runNativeTests('build', env)
failed += native.failed
failed += runBin('vitest', ['run', ...files], { env }) === 0 ? 0 : 1
process.exit(failed === 0 ? 0 : 1)
