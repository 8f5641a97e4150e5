/**
 * Checks the tree against the rules of the house (house-rules.mjs), and the built objects for
 * symbols that one instruction set would lend to the whole program (isa-objects.mjs).
 * `--self-test`: every rule must first complain about a tree made wrong for it,
 * and not about an empty one.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { rules } from './house-rules.mjs'
import { checkIsaObjects, leakedSymbols } from './isa-objects.mjs'
import { capture, root } from './process.mjs'

const binary = /\.(bin|h5|png|ico|node|gz|tgz)$/

/** path → text of every file git knows or would take, so that build outputs do not count. */
function readTree(base) {
  const { status, output } = capture(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard'],
    { cwd: base },
  )
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
 * Complaints about the objects in the build folders; null:
 * none are built, or the system has no nm (Windows).
 */
function isaProblems() {
  const folders = ['build', 'build-native', 'build-asan', 'build-prebuild']
    .map((dir) => path.join(root, dir))
    .filter((dir) => fs.existsSync(dir))
  if (process.platform === 'win32') return null
  const checked = folders.map(checkIsaObjects)
  if (checked.every(({ objects }) => objects === 0)) return null
  return checked.flatMap(({ problems }) => problems)
}

/** The complaints of each rule about a tree. */
const check = (base) => {
  const files = readTree(base)
  return rules.map((rule) => [rule.name, rule.find(files)])
}

function selfTest() {
  const failures = []
  for (const [rule, bad] of rules.flatMap((r) => [r.bad].flat().map((tree) => [r, tree]))) {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'check-house-'))
    try {
      for (const [file, text] of Object.entries(bad)) {
        fs.mkdirSync(path.join(dir, path.dirname(file)), { recursive: true })
        fs.writeFileSync(path.join(dir, file), text)
      }
      const found = rule.find(
        new Map(walk(dir).map((file) => [file, fs.readFileSync(path.join(dir, file), 'utf8')])),
      )
      if (found.length === 0)
        failures.push(`${rule.name}: said nothing about a tree made wrong for it`)
      if (rule.find(new Map()).length > 0)
        failures.push(`${rule.name}: complains about an empty tree`)
    } finally {
      fs.rmSync(dir, { recursive: true, force: true })
    }
  }
  const leaked = (name) => leakedSymbols('avx512', `0000000000000000 W ${name}\n`).length
  if (leaked('_ZNSt6vectorIfE') !== 1)
    failures.push('weak symbols: said nothing about one of everybody')
  if (leaked('_ZN2hs10avx512bf163addIfE') !== 1)
    failures.push("weak symbols: said nothing about another set's")
  if (leaked('_ZN2hs6avx5123addIfE') !== 0)
    failures.push('weak symbols: complains about an own one')
  return failures
}

let problems = []
if (process.argv.includes('--self-test')) {
  problems = selfTest()
  if (problems.length === 0)
    console.log(`check-house: ${rules.length + 1} rules, each seen red on a wrong tree`)
}
for (const [, found] of check(root)) problems.push(...found)
const leaks = isaProblems()
if (leaks === null)
  console.log('check-house: no objects built, or Windows: weak symbols not checked')
else problems.push(...leaks)
for (const problem of problems) console.error(problem)
console.log(
  problems.length === 0 ? 'check-house: in order' : `check-house: ${problems.length} problems`,
)
process.exit(problems.length === 0 ? 0 : 1)
