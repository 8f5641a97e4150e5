/**
 * Checks code that is compiled once per instruction set. Of a weak symbol (an inline function, a
 * template) the linker keeps one copy for the whole program, perhaps the AVX-512 one; so every weak
 * symbol of such an object must be in the namespace of its set.
 */
import fs from 'node:fs'
import path from 'node:path'
import { capture, root } from './process.mjs'

/** A sanitizer's own marks are one per object by design. */
const marks = /^(__odr_asan|DW\.ref\.)/

/**
 * Complaints about the symbols that `nm --defined-only` lists of an object: those that are weak and
 * not in a namespace of its instruction set.
 */
export const leakedSymbols = (isa, listing) =>
  listing
    .split('\n')
    .flatMap((line) => /^\S* +[WVu] (\S+)$/.exec(line)?.[1] ?? [])
    .filter((name) => !marks.test(name) && !name.includes(`${isa.length}${isa}`))
    .map(
      (name) =>
        `weak symbol ${name} must be of namespace hs::${isa}: the linker may give this copy to the whole program`,
    )

/** Complaints about all such objects below a folder, with their number. */
export function checkIsaObjects(folder) {
  const objects = fs
    .readdirSync(folder, { recursive: true })
    .map((file) => [
      file,
      /hs_(scalar|sse|avx2|avx512|avx512bf16|avx512vnni|neon)\.dir.*\.(?:o|obj)$/.exec(file)?.[1],
    ])
    .filter(([, isa]) => isa !== undefined)
  const problems = objects.flatMap(([file, isa]) => {
    const { status, stdout } = capture('nm', ['--defined-only', path.join(folder, file)])
    const name = path.relative(root, path.join(folder, file))
    if (status !== 0) return [`${name}: nm (package binutils) must read it, got status ${status}`]
    return leakedSymbols(isa, stdout).map((sentence) => `${name}: ${sentence}`)
  })
  return { objects: objects.length, problems }
}
