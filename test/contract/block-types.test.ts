/**
 * The TypeScript blocks of README and docs compile as a reader pastes them: strict, with the
 * imports they show.
 */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { type Block, blocksOf, GUIDES, type Guide, printedBlocks } from './blocks.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const options: ts.CompilerOptions = {
  strict: true,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2022.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ['node'],
  skipLibCheck: true,
  noEmit: true,
  paths: {
    hiddenstate: [`${root}lib/index.ts`],
    'hiddenstate/preprocessing': [`${root}lib/preprocessing/index.ts`],
    'hiddenstate/utils': [`${root}lib/utils.ts`],
    'hiddenstate/datasets': [`${root}lib/datasets/index.ts`],
    'hiddenstate/backend': [`${root}lib/functions/index.ts`],
    'hiddenstate/audio': [`${root}lib/audio/index.ts`],
    'hiddenstate/tune': [`${root}lib/tune/index.ts`],
    'hiddenstate/serve': [`${root}lib/serve/index.ts`],
  },
}

/**
 * Compiles texts as files beside each other that exist only here; what the compiler says of each.
 */
function problemsOf(texts: ReadonlyMap<string, string>): Map<string, string[]> {
  const at = (name: string) => `${root}${name.replace(/\W/g, '-')}.mts`
  const files = new Map(Array.from(texts, ([name, text]) => [at(name), `${text}\nexport {}\n`]))
  const host = ts.createCompilerHost(options)
  const { readFile, fileExists, getSourceFile } = host
  host.fileExists = (f) => files.has(f) || fileExists(f)
  host.readFile = (f) => files.get(f) ?? readFile(f)
  host.getSourceFile = (f, version, ...rest) =>
    files.has(f)
      ? ts.createSourceFile(f, files.get(f)!, version)
      : getSourceFile(f, version, ...rest)
  const program = ts.createProgram([...files.keys()], options, host)
  return new Map(
    Array.from(texts.keys(), (name) => {
      const source = program.getSourceFile(at(name))!
      const found = [
        ...program.getSyntacticDiagnostics(source),
        ...program.getSemanticDiagnostics(source),
      ]
      return [
        name,
        found.map((d) => `TS${d.code} ${ts.flattenDiagnosticMessageText(d.messageText, ' ')}`),
      ]
    }),
  )
}

const markdown = ['README.md', ...readdirSync(`${root}docs`).map((f) => `docs/${f}`)].filter((f) =>
  f.endsWith('.md'),
)
const blocks: Block[] = (Object.keys(GUIDES) as Guide[]).flatMap((file) => {
  const { data, blocks } = blocksOf(file)
  return blocks.map(({ title, code }) => ({ title, code: data + code }))
})
const WRONG =
  "import { Dense } from 'hiddenstate'\nnew Dense('3')\nnew LSTM(2)\nconst f = (a) => a\n"
const problems = problemsOf(
  new Map([...blocks.map(({ title, code }) => [title, code] as const), ['wrong', WRONG]]),
)

describe('TypeScript blocks', () => {
  it('are all known here: a file with blocks is in the list', () => {
    const withBlocks = markdown.filter((file) => printedBlocks(file).length > 0)
    expect(withBlocks.sort()).toEqual(Object.keys(GUIDES).sort())
  })

  it.each(blocks.map(({ title }) => title))('%s', (title) => {
    expect(problems.get(title)).toEqual([])
  })

  it('what does not compile is seen: a wrong type, a missing import, an implicit any', () => {
    expect(problems.get('wrong')!.map((text) => text.split(' ')[0])).toEqual([
      'TS2345',
      'TS2304',
      'TS7006',
    ])
  })
})
