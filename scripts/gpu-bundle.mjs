/**
 * `npm run gpu:bundle`: build/gpu-check/, a folder to carry to a machine with an NVIDIA card and
 * nothing else: `sh run.sh` there checks and times the card (gpu-check/check.mjs). It holds the
 * package as it is built here, its native tests, and this Node.
 */
import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import { buildAll, buildWith } from './build.mjs'
import { executable } from './native-tests.mjs'
import { capture, root } from './process.mjs'

const folder = path.join(root, 'build', 'gpu-check')
const lid = 60 * 2 ** 20

buildAll()
if (buildWith('build', { HS_TESTS: 'ON' }, 'native_tests') !== 0) process.exit(1)
fs.rmSync(folder, { recursive: true, force: true })
const { dependencies } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
for (const part of [
  ...['package.json', 'dist', 'native/device/cuda/kernels.ptx', 'build/Release/hiddenstate.node'],
  ...['bench/workloads.mjs', 'bench/peers/hiddenstate-model.mjs'],
  ...Object.keys(dependencies)
    .filter((name) => name !== 'h5wasm') // 15 MB, which only files need
    .map((name) => `node_modules/${name}`),
]) {
  fs.cpSync(path.join(root, part), path.join(folder, part), { recursive: true, dereference: true })
}
fs.cpSync(path.join(root, 'scripts', 'gpu-check'), folder, { recursive: true })
fs.copyFileSync(executable('build', 'native_tests'), path.join(folder, 'native_tests'))
capture('strip', ['native_tests'], { cwd: folder })
fs.writeFileSync(path.join(folder, 'node.gz'), zlib.gzipSync(fs.readFileSync(process.execPath)))

const bytes = fs
  .readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((file) => file.isFile())
  .reduce(
    (sum, file) => sum + fs.statSync(path.join(file.parentPath ?? file.path, file.name)).size,
    0,
  )
console.log(`${path.relative(root, folder)}: ${(bytes / 2 ** 20).toFixed(1)} MiB; run: sh run.sh`)
if (bytes > lid) {
  console.error(`gpu-bundle: the folder must have ${lid} bytes at most, got ${bytes}`)
  process.exit(1)
}
