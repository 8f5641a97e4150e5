/**
 * `npm run format`: rewrites C++ (clang-format) and TypeScript (biome).
 * `--check`: only says what would change.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { format } from '@wasm-fmt/clang-format'
import { filesBelow, root, runBin } from './process.mjs'

/** Files of native/ that clang-format would change; rewritten unless `check`. */
export function formatNative({ check }) {
  const style = fs.readFileSync(path.join(root, '.clang-format'), 'utf8')
  return filesBelow('native', /\.(cc|h)$/).filter((file) => {
    const full = path.join(root, file)
    const before = fs.readFileSync(full, 'utf8')
    const after = format(before, file, style)
    if (after === before) return false
    if (!check) fs.writeFileSync(full, after)
    return true
  })
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const check = process.argv.includes('--check')
  const changed = formatNative({ check })
  for (const file of changed)
    console.log(`${file}: ${check ? 'needs formatting (npm run format)' : 'formatted'}`)
  const biome = runBin('@biomejs/biome', ['format', ...(check ? [] : ['--write'])], {
    command: 'biome',
  })
  process.exit(check && changed.length > 0 ? 1 : biome)
}
