/**
 * Holds the tree against the rules of the house (house-rules.mjs) and the built objects against the one-definition trap of
 * per-ISA code. `--self-test`: every rule is first seen to speak on a tree made wrong for it, and to be silent on an empty one.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { rules } from './house-rules.mjs'
import { capture, root } from './process.mjs'

const binary = /\.(bin|h5|png|ico|node|gz|tgz)$/

/** path → text of every file git knows or would take, so that build outputs do not count. */
function readTree(base) {
  const { status, output } = capture('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: base })
  const list = status === 0 ? output.split('\n').filter(Boolean) : walk(base)
  return new Map(
    list
      .filter((file) => !binary.test(file) && fs.existsSync(path.join(base, file)))
      .map((file) => [file, fs.readFileSync(path.join(base, file), 'utf8')]),
  )
}

/** A tree without git (an unpacked archive, a fixture). */
const walk = (base) =>
  fs
    .readdirSync(base, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(base, path.join(entry.parentPath ?? entry.path, entry.name)))
    .filter((file) => !/^(node_modules|build.*|dist|prebuilds|coverage)\//.test(file))

/**
 * Weak symbols that the objects of an instruction set share with any other object: the linker keeps one copy for the whole
 * program, perhaps the AVX-512 one. `objects`: path → names of its weak symbols.
 */
export function sharedWeakSymbols(objects) {
  const owners = new Map()
  for (const [file, names] of objects) {
    const isa = /hs_(scalar|sse|avx2|avx512|avx512bf16|neon)\.dir/.exec(file)?.[1] ?? 'baseline'
    for (const name of names) owners.set(name, (owners.get(name) ?? new Set()).add(isa))
  }
  return [...owners]
    .filter(([, isas]) => isas.size > 1)
    .map(([name, isas]) => `weak symbol ${name} is defined by the objects of ${[...isas].sort().join(', ')}`)
}

/** path → weak symbols, for every object below the build folders there are. null: no objects or no nm. */
function weakSymbols() {
  const folders = ['build', 'build-native', 'build-asan'].filter((dir) => fs.existsSync(path.join(root, dir)))
  const objects = folders.flatMap((dir) => walkObjects(path.join(root, dir)))
  if (objects.length === 0) return null
  const table = new Map()
  for (const file of objects) {
    const { status, output } = capture('nm', ['--defined-only', file])
    if (status !== 0) return null
    const weak = output.split('\n').flatMap((line) => /^\S* +[WVu] (\S+)$/.exec(line)?.[1] ?? [])
    // A sanitizer's own marks are one per object by design.
    table.set(
      file,
      weak.filter((name) => !/^(__odr_asan|DW\.ref\.)/.test(name)),
    )
  }
  return table
}

const walkObjects = (dir) =>
  fs
    .readdirSync(dir, { recursive: true })
    .filter((file) => /hs_\w+\.dir.*\.(o|obj)$/.test(file))
    .map((file) => path.join(dir, file))

/** Sentences of a tree. */
const check = (base) => {
  const files = readTree(base)
  return rules.map((rule) => [rule.name, rule.find(files)])
}

function selfTest() {
  const failures = []
  for (const rule of rules) {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'check-house-'))
    try {
      for (const [file, text] of Object.entries(rule.bad)) {
        fs.mkdirSync(path.join(dir, path.dirname(file)), { recursive: true })
        fs.writeFileSync(path.join(dir, file), text)
      }
      const found = rule.find(new Map(walk(dir).map((file) => [file, fs.readFileSync(path.join(dir, file), 'utf8')])))
      if (found.length === 0) failures.push(`${rule.name}: said nothing about a tree made wrong for it`)
      if (rule.find(new Map()).length > 0) failures.push(`${rule.name}: complains about an empty tree`)
    } finally {
      fs.rmSync(dir, { recursive: true, force: true })
    }
  }
  const both = new Map([
    ['a/hs_avx512.dir/x.o', ['_ZNSt6vectorIfE']],
    ['a/hs_core.dir/y.o', ['_ZNSt6vectorIfE']],
  ])
  if (sharedWeakSymbols(both).length !== 1) failures.push('shared weak symbols: said nothing about a shared one')
  if (sharedWeakSymbols(new Map([['a/hs_avx512.dir/x.o', ['own']]])).length !== 0)
    failures.push('shared weak symbols: complains about an own one')
  return failures
}

let problems = []
if (process.argv.includes('--self-test')) {
  problems = selfTest()
  if (problems.length === 0) console.log(`check-house: ${rules.length + 1} rules, each seen red on a wrong tree`)
}
for (const [, found] of check(root)) problems.push(...found)
const weak = weakSymbols()
if (weak === null) console.log('check-house: no objects built (or no nm): weak symbols not checked')
else problems.push(...sharedWeakSymbols(weak))
for (const problem of problems) console.error(problem)
console.log(problems.length === 0 ? 'check-house: in order' : `check-house: ${problems.length} problems`)
process.exit(problems.length === 0 ? 0 : 1)
