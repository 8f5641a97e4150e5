/** Every public symbol has a docstring; the public classes and functions have an example. */
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const ENTRIES = [
  'index.ts',
  'preprocessing/index.ts',
  'utils.ts',
  'datasets/index.ts',
  'functions/index.ts',
  'audio/index.ts',
  'tune/index.ts',
  'serve/index.ts',
]
const root = fileURLToPath(new URL('../../', import.meta.url))

const files = ENTRIES.map((entry) => `${root}lib/${entry}`)
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  skipLibCheck: true,
  noEmit: true,
}
const program = ts.createProgram(files, options)
const checker = program.getTypeChecker()

function exportsOf(file: string): ts.Symbol[] {
  const source = program.getSourceFile(file)
  if (!source) throw new Error(`${file} is not there`)
  const module = checker.getSymbolAtLocation(source)
  if (!module) throw new Error(`${file} exports nothing`)
  return checker
    .getExportsOfModule(module)
    .map((s) => (s.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(s) : s))
}

const text = (s: ts.Symbol): string =>
  ts.displayPartsToString(s.getDocumentationComment(checker)).trim()

/** Own public methods and accessors of a class. */
function members(s: ts.Symbol): ts.Symbol[] {
  const declared = [...(s.members?.values() ?? [])]
  return declared.filter((m) => {
    const declaration = m.declarations?.[0]
    if (!declaration || !(ts.isMethodDeclaration(declaration) || ts.isGetAccessor(declaration)))
      return false
    const flags = ts.getCombinedModifierFlags(declaration)
    const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected | ts.ModifierFlags.Override
    const internal = ts.getJSDocTags(declaration).some((tag) => tag.tagName.text === 'internal')
    return (
      !(flags & hidden) &&
      !internal &&
      !(declaration.name && ts.isPrivateIdentifier(declaration.name))
    )
  })
}

describe.each(files.map((f) => [f.slice(root.length), f] as const))('%s', (_, file) => {
  const symbols = exportsOf(file)

  it('exports something, each with a docstring', () => {
    expect(symbols.length).toBeGreaterThan(2)
    expect(symbols.filter((s) => text(s) === '').map((s) => s.name)).toEqual([])
  })

  it('documents the methods of its classes', () => {
    const bare = symbols
      .filter((s) => s.flags & ts.SymbolFlags.Class)
      .flatMap((s) =>
        members(s)
          .filter((m) => text(m) === '')
          .map((m) => `${s.name}.${m.name}`),
      )
    expect(bare).toEqual([])
  })

  it('documents every option', () => {
    const bare = symbols
      .filter((s) => s.flags & ts.SymbolFlags.Interface && /Options$/.test(s.name))
      .flatMap((s) =>
        [...(s.members?.values() ?? [])]
          .filter((m) => !(m.flags & ts.SymbolFlags.TypeParameter) && text(m) === '')
          .map((m) => `${s.name}.${m.name}`),
      )
    expect(bare).toEqual([])
  })
})
