/** The list of what a card refuses in docs/gpu.md is that of the sources. */
import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { loadNative } from '../../lib/native.js'
import { ROOT } from '../child.js'

const cuda = path.join(ROOT, 'native', 'device', 'cuda')
const read = (...parts: string[]) => fs.readFileSync(path.join(ROOT, ...parts), 'utf8')

/** name → what the guide calls it */
const refusals = new Map(
  [
    ...read('native/device/cuda/refusals.h')
      .replace(/"\s*\\\s*"/g, '') // a text that goes on in the next line
      .matchAll(/EACH\(\s*(k\w+)\s*,\s*k\w+\s*,[\s\\]*"((?:[^"\\]|\\.)*)"/g),
  ].map(([, name, text]) => [name!, text!]),
)
const sources = fs
  .readdirSync(cuda, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(cc|h)$/.test(file) && !/^refusals\./.test(file))
  .map((file) => ({ file, text: fs.readFileSync(path.join(cuda, file), 'utf8') }))

it('docs/gpu.md lists what a card refuses, and nothing else', () => {
  const table = /What is left:\n\n([\s\S]*?)\n\n/.exec(read('docs/gpu.md'))![1]!
  const listed = table
    .split('\n')
    .slice(2)
    .map((row) => row.split('|')[1]!.trim())
  const onCard = sources
    .filter(({ file }) => path.dirname(file) === 'ops')
    .map(({ file }) => path.basename(file, '.cc'))
  const { layers } = loadNative().describe()
  expect(layers.length).toBeGreaterThan(20)
  const missing = layers.filter((op) => !onCard.includes(op))
  expect([...listed].sort()).toEqual([...refusals.values(), ...missing].sort())
})

it('what a card refuses is refused in one way, each somewhere', () => {
  const all = sources.map(({ text }) => text).join('\n')
  const used = [...all.matchAll(/\brefuse\(\s*CardRefusal::(k\w+)/g)].map(([, name]) => name)
  expect([...new Set(used)].sort()).toEqual([...refusals.keys()].sort())
  // Others are refused by the processor, too, or name the operation that is missing.
  const others = sources.flatMap(({ file, text }) =>
    [
      ...text.replace(/\/\/.*/g, '').matchAll(/(?:\bfail|\bError)\(\s*Code::kOption\b[\s\S]*?;/g),
    ].map(([call]) => `${file}: ${/"[^"]*"[^"]*"[^"]*"/.exec(call)?.[0] ?? call}`),
  )
  expect(others).toEqual([
    expect.stringContaining('criterion.cc: "metrics"'),
    expect.stringMatching(/cuda\.cc: .*its operation/),
  ])
})
