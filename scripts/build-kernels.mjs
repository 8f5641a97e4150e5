/**
 * Builds `native/device/cuda/kernels.ptx`, what runs on an NVIDIA card, with clang; neither nvcc
 * nor CUDA's headers are needed. The file is committed, so that a build of the package needs no
 * clang.
 *
 *   node scripts/build-kernels.mjs            writes it
 *   node scripts/build-kernels.mjs --check    exit status 1 where it is not what the sources give,
 *                                             0 where it is, or where there is no such clang
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '..')
const native = path.join(root, 'native')
const output = path.join(native, 'device/cuda/kernels.ptx')
/** The text depends on the compiler: the committed one is of this version. */
const clang = process.env.HIDDENSTATE_CLANG ?? 'clang-14'
/** The oldest card that the kernels run on: the driver makes code for newer ones. */
const architecture = 'sm_70'

const filesOf = (folder, ending) =>
  fs
    .readdirSync(path.join(native, folder))
    .filter((name) => name.endsWith(ending))
    .sort()

function build() {
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'hiddenstate-kernels-'))
  try {
    for (const kind of ['cells', 'optimizers']) {
      const lines = filesOf(`formulas/${kind}`, '.cc').map(
        (name) => `#include "formulas/${kind}/${name}"\n`,
      )
      fs.writeFileSync(path.join(temporary, `${kind}.inc`), lines.join(''))
    }
    // One file of all kernels, so that there is one module.
    const all = path.join(temporary, 'kernels.cu')
    const kernels = filesOf('device/cuda/kernels', '.cu')
    fs.writeFileSync(all, kernels.map((k) => `#include "device/cuda/kernels/${k}"\n`).join(''))
    const ptx = path.join(temporary, 'kernels.ptx')
    execFileSync(
      clang,
      [
        '-x',
        'cuda',
        '--cuda-device-only',
        `--cuda-gpu-arch=${architecture}`,
        '-nocudainc',
        '-nocudalib',
        '-Wno-unknown-cuda-version',
        '-S',
        '-O3',
        '-std=c++17',
        '-mllvm',
        '-inline-threshold=100000',
        '-ffp-contract=fast',
        '-DNDEBUG',
        '-DHS_CUDA=1',
        '-DHS_ISA=card',
        '-DHS_ISA_SCALAR=1',
        '-I',
        native,
        '-I',
        temporary,
        '-o',
        ptx,
        all,
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    )
    // Compilers add their own name and comments.
    const text = fs.readFileSync(ptx, 'utf8').replace(/^\s*\/\/.*\n/gm, '')
    // By this line the addon knows the kernels that it was built with (CMakeLists.txt, card.cc).
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
    return `${text}// hiddenstate ${hash}\n`
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true })
  }
}

const hasClang = () => {
  try {
    execFileSync(clang, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

if (!hasClang()) {
  const needed = `${clang} is not here (HIDDENSTATE_CLANG names another)`
  console.log(process.argv.includes('--check') ? `not checked: ${needed}` : needed)
  process.exit(process.argv.includes('--check') ? 0 : 1)
}
const text = build()
if (process.argv.includes('--check')) {
  const same = fs.existsSync(output) && fs.readFileSync(output, 'utf8') === text
  console.log(same ? 'kernels.ptx is what the sources give' : 'kernels.ptx is out of date')
  process.exit(same ? 0 : 1)
}
fs.writeFileSync(output, text)
console.log(`${path.relative(root, output)}: ${text.length} bytes`)
