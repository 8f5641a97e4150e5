/** Runs tsc, with the project's own settings, over the files beside this one. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const here = path.dirname(fileURLToPath(import.meta.url))
const config = path.join(here, '../../tsconfig.json')
const { options } = ts.parseJsonConfigFileContent(
  ts.readConfigFile(config, ts.sys.readFile).config,
  ts.sys,
  path.dirname(config),
)

const cases = readdirSync(here).filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts'))
const WRONG = path.join(here, 'negative-control.ts')
const wrongText =
  "import { LSTM } from '../package.js'\n// @ts-expect-error nothing is wrong here\nnew LSTM(3)\n"

/** The files, and one that exists only here and must not compile. */
const host = ts.createCompilerHost(options)
const { readFile, fileExists, getSourceFile } = host
host.fileExists = (f) => f === WRONG || fileExists(f)
host.readFile = (f) => (f === WRONG ? wrongText : readFile(f))
host.getSourceFile = (f, version, ...rest) =>
  f === WRONG ? ts.createSourceFile(f, wrongText, version) : getSourceFile(f, version, ...rest)
const program = ts.createProgram(
  [...cases.map((f) => path.join(here, f)), WRONG],
  { ...options, noEmit: true },
  host,
)

function problems(file: string): string[] {
  const source = program.getSourceFile(file)
  if (!source) throw new Error(`${file} was not read`)
  return [
    ...program.getSyntacticDiagnostics(source),
    ...program.getSemanticDiagnostics(source),
  ].map((d) => {
    const line = source.getLineAndCharacterOfPosition(d.start ?? 0).line + 1
    return `${path.basename(file)}:${line} ${ts.flattenDiagnosticMessageText(d.messageText, ' ')}`
  })
}

describe('types', () => {
  it.each(cases)('%s', (file) => {
    expect(problems(path.join(here, file))).toEqual([])
  })

  it('an unused @ts-expect-error is seen', () => {
    expect(problems(WRONG).join()).toContain("Unused '@ts-expect-error' directive")
  })
})
