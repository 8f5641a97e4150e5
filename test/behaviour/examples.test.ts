/** The examples as programs: what a user can mend ends them with one sentence. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ROOT, runChild } from '../child.js'

const folder = mkdtempSync(path.join(tmpdir(), 'hs-examples-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const example = (name: string, args: string[], cwd = ROOT) =>
  runChild(path.join(cwd, 'examples', name), { args: ['--smoke', ...args], cwd })

describe('an example that cannot go on', () => {
  const wrong = path.join(folder, 'wrong.txt')
  writeFileSync(wrong, 'no label\n')
  const fault = path.join(folder, 'fault.mjs')
  writeFileSync(
    fault,
    `import ${JSON.stringify(path.join(ROOT, 'examples/one-sentence.mjs'))}\nnull.x\n`,
  )

  it.each([
    [
      'text-generation/main.mjs',
      ['/no/such'],
      /^text-generation: ENOENT: no such file or directory, open '\/no\/such'\.$/,
    ],
    [
      'text-generation/main.mjs',
      [wrong],
      /^text-generation: .*wrong\.txt must hold more than 40 characters, got 9\.$/,
    ],
    [
      'tagging/main.mjs',
      ['--data', '/no/such'],
      /^tagging: ENOENT: no such file or directory, scandir '\/no\/such'\.$/,
    ],
    [
      'tagging/main.mjs',
      ['--data', folder],
      /^tagging: .* must hold a file \*train\*, got none\.$/,
    ],
    ['sine/main.mjs', ['--epoch', '1'], /^sine: Unknown option '--epoch'/],
    [
      'keras/imdb_lstm.mjs',
      [wrong],
      /^imdb_lstm: .*wrong\.txt, line 1: must be 0 or 1, a tab and the text/,
    ],
    ['keras/mnist_rows_lstm.mjs', [wrong], /^mnist_rows_lstm: .*wrong\.txt: /],
    [
      'keras/mnist_rows_lstm.mjs',
      [folder],
      /^mnist_rows_lstm: ENOENT: .*train-images-idx3-ubyte'\.$/,
    ],
  ])('%s, case %#: one sentence', async (file, args, sentence) => {
    const { code, stderr } = await example(file, args)
    expect(stderr.trim()).toMatch(sentence)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(code).toBe(1)
  })

  it('names the package that is not installed', async () => {
    const project = path.join(folder, 'project')
    mkdirSync(path.join(project, 'node_modules'), { recursive: true })
    symlinkSync(ROOT, path.join(project, 'node_modules/hiddenstate'), 'junction')
    cpSync(path.join(ROOT, 'examples'), path.join(project, 'examples'), { recursive: true })
    const needs = (name: string) =>
      `needs the npm package ${name}: run \`npm install --no-save ${name}\`, then this again.\n`
    expect((await example('sine/main.mjs', [], project)).stderr).toBe(
      `sine: ${needs('@observablehq/plot')}`,
    )
    expect((await example('sentiment/main.mjs', [], project)).stderr).toBe(
      `sentiment: ${needs('sentiment')}`,
    )
  })

  it('keeps the stack of a fault of its own', async () => {
    const { code, stderr } = await runChild(fault)
    expect(stderr).toMatch(/TypeError: Cannot read properties of null.*\n +at /)
    expect(code).toBe(1)
  })
})
