/** `npm run docs` builds the reference of every entry without a warning. */
import { fileURLToPath } from 'node:url'
import { Application, LogLevel, TSConfigReader, TypeDocReader } from 'typedoc'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Warnings and errors of typedoc, with the project's settings. */
async function problems(
  other: { entryPoints?: string[]; tsconfig?: string } = {},
): Promise<{ said: string[]; names: string[] }> {
  const settings = { options: `${root}typedoc.json`, tsconfig: `${root}tsconfig.build.json`, skipErrorChecking: true }
  const app = await Application.bootstrapWithPlugins({ ...settings, ...other }, [
    new TypeDocReader(),
    new TSConfigReader(),
  ])
  const said: string[] = []
  app.logger.log = (message, level) => void (level >= LogLevel.Warn && said.push(message))
  const project = await app.convert()
  if (project) app.validate(project)
  return { said, names: project?.children?.map((child) => child.name) ?? [] }
}

describe('the reference', () => {
  it('is built without warnings', async () => {
    const { said, names } = await problems()
    expect(said).toEqual([])
    expect(names.sort()).toEqual(['datasets', 'index', 'preprocessing', 'utils'])
  }, 300_000)

  it('warnings are seen', async () => {
    const { said } = await problems({
      entryPoints: [`${root}test/contract/broken-link.ts`],
      tsconfig: `${root}tsconfig.json`,
    })
    expect(said.join('\n')).toMatch(/nowhere/)
  }, 300_000)
})
