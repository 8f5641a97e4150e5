/**
 * Every `@example` of the sources runs, and every TypeScript block of the guides. Names that they
 * do not import are those of the package.
 */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { format } from 'node:util'
import ts from 'typescript'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { dataFile } from '../golden/loader.js'
import * as main from '../package.js'
import { audio, backend, datasets, preprocessing, serving, tune, utils } from '../package.js'
import { type Block, blocksOf, GUIDES, type Guide } from './blocks.js'

const lib = fileURLToPath(new URL('../../lib/', import.meta.url))
const MODULES: Record<string, object> = {
  hiddenstate: main,
  'hiddenstate/preprocessing': preprocessing,
  'hiddenstate/utils': utils,
  'hiddenstate/datasets': datasets,
  'hiddenstate/backend': backend,
  'hiddenstate/audio': audio,
  'hiddenstate/tune': tune,
  'hiddenstate/serve': serving,
}
const NAMES: Record<string, unknown> = { ...utils, ...preprocessing, ...main }

/** The text after @example, up to the next tag or the end of the comment. */
function examplesOf(file: string): Block[] {
  const source = readFileSync(path.join(lib, file), 'utf8')
  const found: Block[] = []
  for (const match of source.matchAll(/^ *\* @example *\n((?: *\*(?! *@)(?!\/).*\n)+)/gm)) {
    const line = source.slice(0, match.index).split('\n').length
    const code = (match[1] as string).replace(/^ *\* ?/gm, '').replace(/^```\w*$/gm, '')
    found.push({ title: `lib/${file}:${line}`, code })
  }
  return found
}

const examples = readdirSync(lib, { recursive: true, encoding: 'utf8' })
  .filter((f) => f.endsWith('.ts'))
  .sort()
  .flatMap(examplesOf)

/** Files of real Keras that the guides open, by the names they have there. */
const FILES = {
  'from-theano.h5': 'h5/sentiment_lstm.h5',
  'from-tensorflow.h5': 'h5/conv_bn_gru.h5',
} as const

/** The blocks of a guide without their types, each with the guide's data before it. */
function runnableBlocks(file: Guide): Block[] {
  const { data, blocks } = blocksOf(file)
  return blocks.map(({ title, code }) => ({
    title,
    code: `${withoutTypes(data)}{\n${withoutTypes(code)}}\n`,
  }))
}

/** Imports of values stay where they are, used or not. */
const withoutTypes = (code: string): string =>
  ts.transpile(code, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
  })

/** What the comment behind each `console.log(…)` says that it prints. */
const printsOf = (code: string): string[] =>
  [...code.matchAll(/^console\.log\(.*\) \/\/ (.+)$/gm)].map((match) => match[1] as string)

type Load = (name: string) => Promise<unknown>
type Run = (modules: typeof MODULES, load: Load, ...names: unknown[]) => Promise<void>
const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => Run

/** Imports become destructuring; what is not imported is handed in. */
async function run(code: string): Promise<void> {
  const imported = new Set<string>()
  const body = code.replace(
    /^import (\{[^}]+\}) from '([^']+)';?$/gm,
    (_, names: string, from: string) => {
      for (const name of names.matchAll(/\w+/g)) imported.add(name[0])
      if (!MODULES[from]) return `const ${names} = await load('${from}')`
      return `const ${names.replaceAll(' as ', ': ')} = modules['${from}']`
    },
  )
  const declared = new Set(
    [...body.matchAll(/(?:const|let|class|function) (\w+)/g)].map((m) => m[1] as string),
  )
  const free = Object.keys(NAMES).filter(
    (n) => !imported.has(n) && !declared.has(n) && new RegExp(`\\b${n}\\b`).test(body),
  )
  await new AsyncFunction('modules', 'load', ...free, body)(
    MODULES,
    (name) => import(name),
    ...free.map((n) => NAMES[n]),
  )
}

describe('examples', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'hs-examples-'))
  const home = process.cwd()
  beforeAll(() => process.chdir(folder))
  afterAll(() => {
    process.chdir(home)
    rmSync(folder, { recursive: true, force: true })
  })
  afterEach(() => {
    vi.restoreAllMocks()
    main.setFloatx('float32')
  })

  it('are found', () => {
    expect(examples.length).toBeGreaterThan(30)
  })

  it.each(examples.map((e) => [e.title, e.code] as const))('%s', async (_, code) => {
    vi.spyOn(console, 'log').mockImplementation(() => {})
    vi.spyOn(process.stdout, 'write').mockImplementation(() => true)
    vi.spyOn(process.stderr, 'write').mockImplementation(() => true)
    await run(code)
  })

  describe.each(Object.entries(GUIDES))('%s', (file, { blocks: count }) => {
    const blocks = runnableBlocks(file as Guide)

    it('has its blocks', () => {
      expect(blocks.length).toBeGreaterThanOrEqual(count)
    })

    it.each(blocks.map((block) => [block.title, block.code] as const))('%s', async (_, code) => {
      for (const [name, golden] of Object.entries(FILES)) copyFileSync(dataFile(golden), name)
      const log = vi.spyOn(console, 'log').mockImplementation(() => {})
      vi.spyOn(process.stdout, 'write').mockImplementation(() => true)
      await run(code)
      const expected = printsOf(code)
      if (expected.length > 0)
        expect(log.mock.calls.map((values) => format(...values))).toEqual(expected)
    })
  })
})
