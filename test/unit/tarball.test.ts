/**
 * What `npm pack` takes beside the code:
 * the guides and examples that a user reads, and words to be found by.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { examples } from '../../scripts/examples.mjs'

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')

describe('the tarball', () => {
  let packed: string[] = []
  beforeAll(() => {
    const shell = process.platform === 'win32' // npm is a script there
    const said = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      ...{ cwd: root, shell, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    })
    packed = JSON.parse(said)[0].files.map((file: { path: string }) => file.path)
  })

  it('holds every guide that the README or another guide leads to, and no decision', () => {
    const guides = packed.filter((file) => /^docs\/[\w-]+\.md$/.test(file))
    const linked = ['README.md', ...guides].flatMap((from) =>
      Array.from(read(from).matchAll(/\]\(([^):#]+\.md)(#[^)]*)?\)/g), ([, to]) =>
        path.posix.join(path.posix.dirname(from), to as string),
      ),
    )
    const wanted = linked.filter((file) => /^(docs|examples)\/[\w-]+\.md$/.test(file))
    expect(new Set(wanted).size).toBeGreaterThan(8)
    expect(wanted.filter((file) => !packed.includes(file))).toEqual([])
    expect(packed.filter((file) => /^docs\/.*\//.test(file))).toEqual([])
  })

  it('holds every example, and nothing that one wrote', () => {
    expect([...examples.values()].filter((file) => !packed.includes(file))).toEqual([])
    expect(packed.filter((file) => file.split('/').includes('out'))).toEqual([])
  })
})

describe('package.json', () => {
  const manifest = JSON.parse(read('package.json'))

  it('has the words that it is looked for by', () => {
    expect(manifest.keywords).toEqual(expect.arrayContaining(['keras', 'lstm', 'gru', 'rnn']))
  })

  it('lets a user install few packages: the tool that builds from source is an optional peer', () => {
    const { packages } = JSON.parse(read('package-lock.json'))
    const installed = Object.entries(packages as Record<string, { dev?: boolean; peer?: boolean }>)
      .filter(([name, { dev, peer }]) => name !== '' && !dev && !peer)
      .map(([name]) => name)
    expect(installed.length).toBeLessThanOrEqual(Object.keys(manifest.dependencies).length)
    expect(manifest.peerDependenciesMeta['cmake-js']).toEqual({ optional: true })
    expect(manifest.peerDependencies['cmake-js']).toBe(`^${manifest.devDependencies['cmake-js']}`)
  })
})
