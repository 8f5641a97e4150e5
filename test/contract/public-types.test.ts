/**
 * What an editor shows of the built package: the members behind the dot, and the documentation of
 * what is under the cursor.
 */
import path from 'node:path'
import ts from 'typescript'
import { beforeAll, describe, expect, it } from 'vitest'
import { requireBuild, ROOT } from '../child.js'

const DECLARATIONS = path.join(ROOT, 'dist/index.d.ts')
const EDITED = path.join(ROOT, 'edited.mts')
const options: ts.CompilerOptions = {
  strict: true,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2022.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ['node'],
  skipLibCheck: true,
}

/** A file that is open in an editor. */
function editor(text: string): ts.LanguageService {
  return ts.createLanguageService({
    getScriptFileNames: () => [EDITED],
    getScriptVersion: () => '1',
    getScriptSnapshot: (f) => {
      const content = f === EDITED ? text : ts.sys.readFile(f)
      return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content)
    },
    getCurrentDirectory: () => ROOT,
    getCompilationSettings: () => options,
    getDefaultLibFileName: (o) => ts.getDefaultLibFilePath(o),
    fileExists: (f) => f === EDITED || ts.sys.fileExists(f),
    readFile: ts.sys.readFile,
  })
}

/** [name, members that anyone may use] of every exported class. */
function publicMembers(): Map<string, string[]> {
  const checker = program.getTypeChecker()
  const module = checker.getSymbolAtLocation(program.getSourceFile(DECLARATIONS)!)!
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected
  const entries = checker.getExportsOfModule(module).flatMap((exported): [string, string[]][] => {
    const symbol =
      exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    if (!(symbol.flags & ts.SymbolFlags.Class)) return []
    const names = checker
      .getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
      .filter((member) => !(ts.getCombinedModifierFlags(member.declarations![0]!) & hidden))
      .map((member) => member.name.replace(/^__@(\w+)@\d+$/, '[$1]'))
      .filter((name) => !name.includes('#'))
    return [[exported.name, names.sort()]]
  })
  return new Map(entries)
}

let program: ts.Program
let members: Map<string, string[]>
beforeAll(() => {
  requireBuild()
  program = ts.createProgram([DECLARATIONS], options)
  members = publicMembers()
})

describe('members', () => {
  it('of a model', () => {
    expect(members.get('Sequential')).toMatchSnapshot()
  })

  it('of layers: those of every layer, and few of its own', () => {
    const common = members.get('Layer')!
    const own = [...members]
      .filter(([, names]) => common.every((name) => names.includes(name)))
      .map(([name, names]) => [name, ...names.filter((each) => !common.includes(each))].join(' '))
    expect(common).toMatchSnapshot()
    expect(own.length).toBeGreaterThan(40)
    expect(own).toMatchSnapshot()
  })

  it('of callbacks, optimizers and all other classes', () => {
    const common = members.get('Layer')!
    const others = [...members].filter(([, names]) => !common.every((name) => names.includes(name)))
    // Their order is that of the modules, which follows from imports.
    expect(others.map(([name, names]) => `${name}: ${names.join(' ')}`).sort()).toMatchSnapshot()
  })
})

describe('documentation under the cursor', () => {
  it('is that of the class, at `new X` as at X', () => {
    // abstract
    const names = [...members.keys()].filter(
      (name) => !['Layer', 'Optimizer', 'Constraint'].includes(name),
    )
    const text = `import { ${names.join(', ')} } from 'hiddenstate'\n${names.map((n) => `${n}\nnew ${n}()\n`).join('')}`
    const service = editor(text)
    const documentation = (at: number): string =>
      ts.displayPartsToString(service.getQuickInfoAtPosition(EDITED, at)?.documentation)
    for (const name of names) {
      const of = documentation(text.indexOf(`\n${name}\n`) + 1)
      expect(of, name).not.toBe('')
      expect(documentation(text.indexOf(`new ${name}()`) + 4), name).toBe(of)
    }
  })
})
