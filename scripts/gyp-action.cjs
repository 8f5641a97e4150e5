// The action of binding.gyp: builds with cmake-js and puts the addon where gyp wants it.
const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const [out, arch] = process.argv.slice(2)
const root = path.join(__dirname, '..')
const dir = path.join(root, 'build', 'cmake')
const cmakeJs = require.resolve('cmake-js/bin/cmake-js', { paths: [root] })
execFileSync(process.execPath, [cmakeJs, 'compile', '--directory', root, '--out', dir, '--arch', arch], {
  stdio: 'inherit',
  cwd: root,
})
const built = ['Release', 'Debug', ''].map((c) => path.join(dir, c, 'hiddenstate.node')).find((p) => fs.existsSync(p))
if (!built) throw new Error(`gyp-action: cmake-js left no hiddenstate.node below ${dir}`)
fs.mkdirSync(out, { recursive: true })
fs.copyFileSync(built, path.join(out, 'hiddenstate.node'))
