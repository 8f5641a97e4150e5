/** `npm run docs` builds the reference of every entry without a warning. */
import { fileURLToPath } from 'node:url'
import {
  Application,
  LogLevel,
  type OptionsReader,
  TSConfigReader,
  type TypeDocOptions,
  TypeDocReader,
} from 'typedoc'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** What typedoc says at warning level and above. */
async function problems(
  options: TypeDocOptions,
  readers: OptionsReader[],
): Promise<{ said: string[]; names: string[] }> {
  const app = await Application.bootstrapWithPlugins(
    { skipErrorChecking: true, ...options },
    readers,
  )
  const said: string[] = []
  app.logger.log = (message, level) => void (level >= LogLevel.Warn && said.push(message))
  const project = await app.convert()
  if (project) app.validate(project)
  return { said, names: project?.children?.map((child) => child.name) ?? [] }
}

describe('the reference', () => {
  it('is built without warnings, with the settings of typedoc.json', async () => {
    const { said, names } = await problems({ options: `${root}typedoc.json` }, [
      new TypeDocReader(),
      new TSConfigReader(),
    ])
    expect(said).toEqual([])
    expect(names.sort()).toEqual([
      'audio',
      'backend',
      'datasets',
      'index',
      'preprocessing',
      'serve',
      'tune',
      'utils',
    ])
  }, 300_000)

  it('warnings are seen', async () => {
    const entryPoints = [`${root}test/contract/broken-link.ts`]
    const { said } = await problems({ entryPoints, tsconfig: `${root}tsconfig.json` }, [
      new TSConfigReader(),
    ])
    expect(said.join('\n')).toMatch(/nowhere/)
  }, 300_000)
})
