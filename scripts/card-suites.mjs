/**
 * The suites of vitest on a card, beside the same suites on the processor: the tests that there
 * are, by name, are those of the processor, and each passes or stands in `differs` with the reason.
 * An entry whose tests pass after all is a failure, too.
 */
import fs from 'node:fs'
import path from 'node:path'
import { binOf, capture, filesBelow, root, runBin } from './process.mjs'

const suites = ['test/golden', 'test/contract/gradients.test.ts', 'test/property', 'test/behaviour']

/** Files about the processor itself: not run on a card. */
const ranks = 'ranks, which train on the processor: compile for a card refuses them'
const aboutTheProcessor = {
  'test/behaviour/distributed.test.ts': ranks,
  'test/behaviour/hosts.test.ts': ranks,
  'test/behaviour/kill-ranks.test.ts': ranks,
  'test/behaviour/libraries.test.ts': ranks,
  'test/behaviour/threads.test.ts': 'how many threads there are',
  'test/property/threads.test.ts': 'the same bits on any number of threads',
}

/** Tests that fail on a card, by `file > name`, and why. */
const differs = [
  {
    tests:
      /ctc(-learning)?\.test\.ts > (learning|the cost|targets|frames|compile|the label error rate) > /,
    why: "the loss 'ctc' runs on the processor: compile for a card refuses it",
  },
  {
    tests:
      /cells\.test\.ts > .* as expressions > checkpoint, .*same bits|runs\.test\.ts > .*checkpoint changes no bit/,
    why: 'segments are products of fewer rows, which add up in another order on a card',
  },
]

const nameOf = (file, name) => `${path.relative(root, file)} > ${name}`

/** What there is to run on the processor: `file > name`. */
function expected(files) {
  const list = path.join(root, 'build', 'vitest-list.json')
  const { status } = capture(process.execPath, [
    binOf('vitest'),
    'list',
    `--json=${list}`,
    ...files,
  ])
  if (status !== 0) throw new Error('card-suites: vitest could not list the tests')
  return JSON.parse(fs.readFileSync(list, 'utf8')).map(({ file, name }) => nameOf(file, name))
}

/** What became of them on the card: `file > name` → passed, failed, pending. */
function ran(files, env) {
  const report = path.join(root, 'build', 'vitest-card.json')
  fs.rmSync(report, { force: true })
  runBin(
    'vitest',
    ['run', ...files, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    { env: { HS_TEST_TIMEOUT: '120000', ...env } },
  )
  const { testResults } = JSON.parse(fs.readFileSync(report, 'utf8'))
  return new Map(
    testResults.flatMap(({ name: file, assertionResults }) =>
      assertionResults.map(({ ancestorTitles, title, status }) => [
        nameOf(file, [...ancestorTitles, title].filter(Boolean).join(' > ')),
        status,
      ]),
    ),
  )
}

/** What is wrong, a line each: `wanted` are names, `got` what became of each. */
export function complaints(wanted, got, known = differs) {
  const problems = []
  const say = (what, names) => {
    for (const name of names) problems.push(`${what}: ${name}`)
  }
  say(
    'is not there on a card',
    wanted.filter((name) => !got.has(name)),
  )
  const there = new Set(wanted)
  say(
    'is there on a card alone',
    [...got.keys()].filter((name) => !there.has(name)),
  )
  const entryOf = (name) => known.find((entry) => entry.tests.test(name))
  const failed = (name) => got.get(name) === 'failed'
  say(
    'fails on a card',
    [...got.keys()].filter((name) => failed(name) && !entryOf(name)),
  )
  for (const entry of known) {
    const mine = [...got.keys()].filter((name) => entry.tests.test(name))
    if (mine.length > 0 && !mine.some(failed)) problems.push(`passes after all: ${entry.tests}`)
  }
  return problems
}

/** Runs files of the suites, or all of them; `{ passed, failed }`. */
export function cardSuites(env, only = []) {
  const files = (only.length > 0 ? only : suites)
    .flatMap((name) => (name.endsWith('.ts') ? [name] : filesBelow(name, /\.test\.ts$/)))
    .filter((file) => !(file in aboutTheProcessor))
  const wanted = expected(files)
  const got = ran(files, env)
  const problems = complaints(wanted, got)
  const count = (status) => [...got.values()].filter((s) => s === status).length
  for (const problem of problems) console.error(problem)
  for (const { tests, why } of differs) console.log(`differs: ${tests}\n  ${why}`)
  for (const [file, why] of Object.entries(aboutTheProcessor))
    console.log(`left out: ${file}, ${why}`)
  console.log(
    `suites on a card: ${wanted.length} tests as on the processor, ${count('passed')} passed, ` +
      `${count('failed')} differ or failed, ${wanted.length - count('passed') - count('failed')} skipped`,
  )
  return { passed: count('passed'), failed: problems.length }
}
