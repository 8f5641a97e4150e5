/**
 * Which binary is loaded, and what is said when none can be: the built package somewhere else, with
 * binaries made wrong.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { ADDON, jsonOf, requireBuild, ROOT, runChild } from '../child.js'

beforeAll(requireBuild)

vi.setConfig({ testTimeout: 120_000 }) // processes, one after another, on a busy machine
const here = `${process.platform}-${process.arch}`
let modules = ''
let folder = ''

beforeEach(() => {
  modules = path.join(mkdtempSync(path.join(tmpdir(), 'hs-loader-')), 'node_modules')
  folder = path.join(modules, 'hiddenstate')
  cpSync(path.join(ROOT, 'dist'), path.join(folder, 'dist'), { recursive: true })
  cpSync(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'))
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'))
  writeFileSync(
    path.join(folder, 'use.mjs'),
    `import { info } from './dist/index.js'
     try { info() } catch (e) { console.log(JSON.stringify({ name: e.name, code: e.code, message: e.message, expected: e.expected, actual: e.actual })); process.exit() }
     console.log(JSON.stringify({ name: 'loaded' }))\n`,
  )
})
afterEach(() => rmSync(path.dirname(modules), { recursive: true, force: true }))

interface Outcome {
  name: string
  code: string
  message: string
  expected: string
  actual: string
}

/** A machine other than this one, as Node would describe it. */
const faked = (platform: string, arch: string, libc?: string) => `
  import os from 'node:os'; import module from 'node:module'
  Object.defineProperty(process, 'platform', { value: '${platform}' }); Object.defineProperty(process, 'arch', { value: '${arch}' })
  os.platform = () => '${platform}'; os.arch = () => '${arch}'; module.syncBuiltinESMExports()
  ${libc ? `process.env.LIBC = '${libc}'; process.report.getReport = () => ({ header: ${libc === 'musl' ? '{}' : "{ glibcVersionRuntime: '2.31' }"} })` : ''}`

/** Loads the package there. A run under a sanitizer names its own build to the loader: not here. */
const load = (
  preload?: string,
  flags: string[] = [],
  env: Record<string, string> = {},
): Promise<Outcome> =>
  jsonOf<Outcome>(path.join(folder, 'use.mjs'), {
    cwd: folder,
    env: { HIDDENSTATE_PREBUILD: '', LIBC: '', ...env },
    node: preload
      ? [...flags, '--import', `data:text/javascript,${encodeURIComponent(preload)}`]
      : flags,
  })

/** Puts a binary among the prebuilt ones; `change` spoils a copy. */
function prebuilt(
  target: string,
  name: string,
  change: (bytes: Buffer) => Buffer = (bytes) => bytes,
) {
  mkdirSync(path.join(folder, 'prebuilds', target), { recursive: true })
  writeFileSync(path.join(folder, 'prebuilds', target, name), change(readFileSync(ADDON)))
}

describe('no binary fits', () => {
  it.each([
    ['linux', 'x64', 'musl', 'linux x64 musl', 'prebuilds/linux-x64/*.musl.node'],
    ['linux', 'arm64', 'glibc', 'linux arm64 glibc 2.31', 'prebuilds/linux-arm64/*.glibc.node'],
    ['linux', 's390x', 'glibc', 'linux s390x glibc 2.31', 'prebuilds/linux-s390x/*.glibc.node'],
    ['darwin', 'arm64', undefined, 'darwin arm64', 'prebuilds/darwin-arm64/*.node'],
    ['win32', 'x64', undefined, 'win32 x64', 'prebuilds/win32-x64/*.node'],
    ['freebsd', 'x64', undefined, 'freebsd x64', 'prebuilds/freebsd-x64/*.node'],
  ])('%s %s %s: names platform, place and command', async (platform, arch, libc, target, place) => {
    prebuilt('linux-x64', 'hiddenstate.glibc.node') // the wrong one for each of them
    const error = await load(faked(platform, arch, libc))
    expect(error.name).toBe('StateError')
    expect(error.code).toBe('ERR_NOT_BUILT')
    expect(error.message).toContain(`no native binary for ${target}.`)
    expect(error.message).toContain(place)
    expect(error.message).toContain('npx hiddenstate build')
    expect(error.expected).toBe(`a binary for ${target}`)
    if (arch === 'x64' && platform === 'linux')
      expect(error.message).toContain('only hiddenstate.glibc.node there')
  })
})

it('HIDDENSTATE_PREBUILD names a folder without one: tells where it looked', async () => {
  const error = await load(undefined, [], { HIDDENSTATE_PREBUILD: '/elsewhere' })
  expect(error.code).toBe('ERR_NOT_BUILT')
  expect(error.message).toContain(
    `Looked for ${path.join('/elsewhere', 'build', 'Release', '*.node')} (none there) and `,
  )
  expect(error.message).toContain(path.join('/elsewhere', 'prebuilds', here))
  expect(error.message).toContain('HIDDENSTATE_PREBUILD names /elsewhere.')
})

describe.runIf(process.platform === 'linux' && existsSync(ADDON))('a release, where', () => {
  const { version, ...manifest } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
  const { header } = process.report.getReport() as unknown as {
    header: { glibcVersionRuntime?: string }
  }
  const name = `hiddenstate-${here}-${header.glibcVersionRuntime ? 'glibc' : 'musl'}`
  const write = (place: string, text: string) => {
    mkdirSync(path.dirname(path.join(modules, place)), { recursive: true })
    writeFileSync(path.join(modules, place), text)
  }
  beforeEach(() => {
    const optionalDependencies = { [name]: version, 'hiddenstate-freebsd-x64': version }
    write(
      'hiddenstate/package.json',
      JSON.stringify({ ...manifest, version, optionalDependencies }),
    )
  })
  /** The package of this platform, beside the main one. */
  const beside = (its: string, text = JSON.stringify({ name, version: its })) => {
    write(`${name}/package.json`, text)
    cpSync(ADDON, path.join(modules, name, 'hiddenstate.node'))
  }
  const info = async () =>
    (
      await runChild(path.join(folder, 'dist/cli.js'), {
        args: ['info'],
        cwd: folder,
        env: { HIDDENSTATE_PREBUILD: '' },
      })
    ).stdout

  it("the platform's package holds the binary: loads it, and tells so", async () => {
    beside(version)
    expect(await load()).toEqual({ name: 'loaded' })
    expect(await info()).toContain(
      `${path.join(modules, name, 'hiddenstate.node')} (from the package ${name}: hiddenstate itself holds none, version`,
    )
  })

  it('a binary was built here: loads that one', async () => {
    beside(version)
    mkdirSync(path.join(folder, 'build/Release'), { recursive: true })
    cpSync(ADDON, path.join(folder, 'build/Release/hiddenstate.node'))
    expect(await info()).toMatch(/build.Release.hiddenstate\.node \(built on this machine, version/)
  })

  it('the package is missing: names it, why that may be, and what to do', async () => {
    const error = await load()
    expect(error.code).toBe('ERR_NOT_BUILT')
    expect(error.message.replace(/^.* and the package/, '… and the package')).toBe(
      `… and the package ${name}@${version} (not installed). That package comes with this one, unless optional dependencies are left out ` +
        '(--omit=optional, --no-optional), or the lock file or node_modules is from another platform. ' +
        `Run \`npm install ${name}@${version}\`, or build it from source (needs a C++17 compiler, cmake and the npm package cmake-js): run \`npx hiddenstate build\` ` +
        'in your project, or `npm run build:native` in a checkout of the package.',
    )
  })

  it('the package is another version: refuses it', async () => {
    beside('0.0.9')
    const error = await load()
    expect(error.code).toBe('ERR_NOT_BUILT')
    expect(error.message).toContain(
      `${path.join(modules, name, 'package.json')}: the version of ${name} must be ${version}, as that of hiddenstate, got 0.0.9. ` +
        `Run \`npm install ${name}@${version}\`, or build it`,
    )
    expect([error.expected, error.actual]).toEqual([`${name}@${version}`, `${name}@0.0.9`])
  })

  it('the package is damaged: says so', async () => {
    beside(version, '{ "name": ')
    const error = await load()
    expect(error.code).toBe('ERR_NOT_BUILT')
    expect(error.message).toContain(`the package ${name}@${version} (`)
    expect(error.message).not.toContain('not installed')
  })

  it('there is no package for a platform: speaks of none', async () => {
    beside(version)
    const error = await load(faked('linux', 's390x', 'glibc'))
    expect(error.message).toContain('no native binary for linux s390x glibc 2.31.')
    expect(error.message).not.toContain('npm install')
  })

  it('HIDDENSTATE_PREBUILD names a folder: looks there only', async () => {
    beside(version)
    const error = await load(undefined, [], { HIDDENSTATE_PREBUILD: '/elsewhere' })
    expect(error.message).toMatch(/HIDDENSTATE_PREBUILD names \/elsewhere\.$/)
  })
})

describe.runIf(process.platform === 'linux' && existsSync(ADDON))('a binary that', () => {
  const name = process.arch === 'arm64' ? 'hiddenstate.armv8.glibc.node' : 'hiddenstate.glibc.node'

  it('fits is loaded from prebuilds/', async () => {
    prebuilt(here, name)
    expect(await load()).toEqual({ name: 'loaded' })
  })

  it('fits is loaded from the folder that HIDDENSTATE_PREBUILD names, also relative to the current one', async () => {
    prebuilt(path.join('..', 'sub', 'prebuilds', here), name)
    expect(await load(undefined, [], { HIDDENSTATE_PREBUILD: 'sub' })).toEqual({ name: 'loaded' })
  })

  it('is not a binary at all', async () => {
    prebuilt(here, name, () => Buffer.from('{ "name": "not a binary" }'))
    const error = await load()
    expect(error.code).toBe('ERR_NOT_BUILT')
    expect(error.message).toContain(name)
    expect(error.message).toContain('It is damaged or was made for another platform.')
    expect(error.message).toContain('npx hiddenstate build')
  })

  it.each([0, 0.001, 0.5, 0.999])('is cut off after %d of its length', async (part) => {
    prebuilt(here, name, (bytes) => bytes.subarray(0, Math.floor(bytes.length * part)))
    const error = await load()
    expect(error.code).toBe('ERR_NOT_BUILT')
    expect(error.message).toContain('It is damaged or was made for another platform.')
  })

  it('was made for another processor', async () => {
    prebuilt(here, name, (bytes) => {
      bytes.writeUInt16LE(process.arch === 'x64' ? 183 : 62, 18) // e_machine: AArch64, x86-64
      return bytes
    })
    const error = await load()
    expect(error.code).toBe('ERR_NOT_BUILT')
    expect(error.message).toContain('It is damaged or was made for another platform.')
  })

  // The loader speaks of one version that is not there, whichever it meets first.
  it.each([
    ['GLIBC_2.98', 'GLIBC_2.99'],
    ['GLIBC_2.99', 'GLIBC_2.98'],
  ])('needs a newer glibc (%s, %s): says which one, and which one is there', async (...wanted) => {
    prebuilt(here, name, (bytes) => {
      // The loader compares the names of versions; these will not be published soon.
      const named = [...bytes.toString('latin1').matchAll(/GLIBC_2\.\d\d\0/g)]
      expect(named.length).toBeGreaterThanOrEqual(wanted.length)
      for (const [i, version] of wanted.entries())
        bytes.write(version, named[i]?.index as number, 'latin1')
      return bytes
    })
    const error = await load()
    expect(error.code).toBe('ERR_NOT_BUILT')
    expect(error.expected).toBe('glibc 2.99 or newer')
    expect(error.message).toContain('It needs glibc 2.99 or newer.')
    expect(error.message).toMatch(/cannot be loaded on linux \w+ glibc 2\.\d+/)
    expect(error.message).toContain('npx hiddenstate build')
    expect(error.message).not.toContain('Install the package again') // it would bring the same
  })

  it.each([
    [
      'lies where nothing may be run',
      "process.dlopen = (_, file) => { throw new Error(file + ': failed to map segment from shared object') }",
      'a file system whose files may be run',
      'mounted with `noexec`',
    ],
    [
      'may not be read',
      `import fs from 'node:fs'; import module from 'node:module'
       const { openSync } = fs; const refuse = (file) => { throw new Error(\`EACCES: permission denied, open '\${file}'\`) }
       fs.openSync = (file, ...rest) => (String(file).endsWith('.node') ? refuse(file) : openSync(file, ...rest)); module.syncBuiltinESMExports()`,
      'a file that may be read',
      'Give this user the right to read it.',
    ],
  ])('%s: says so', async (_, preload, wanted, hint) => {
    prebuilt(here, name)
    const error = await load(preload)
    expect(error.code).toBe('ERR_NOT_BUILT')
    expect(error.expected).toBe(wanted)
    expect(error.message).toContain(hint)
    expect(error.message).not.toContain('damaged')
  })

  it('fits, in a process that may load none: says so', async () => {
    prebuilt(here, name)
    const error = await load(undefined, ['--no-addons'])
    expect(error.code).toBe('ERR_NOT_BUILT')
    expect(error.message).toMatch(
      /disabled\. Start Node without `--no-addons`, or with `--allow-addons`\.$/,
    )
    expect(error.expected).toBe('a process that may load addons')
  })

  it('lies in a folder that may not be read: says so', async () => {
    prebuilt(here, name)
    const error = await load(`
      import fs from 'node:fs'; import module from 'node:module'
      const { readdirSync } = fs
      fs.readdirSync = (folder, ...rest) => {
        if (String(folder).includes('prebuilds')) throw Object.assign(new Error('EACCES: permission denied, scandir'), { code: 'EACCES' })
        return readdirSync(folder, ...rest)
      }
      module.syncBuiltinESMExports()`)
    expect(error.code).toBe('ERR_NOT_BUILT')
    expect(error.message).toContain('*.glibc.node (EACCES: permission denied, scandir)')
  })

  it('needs a library that is not there', async () => {
    prebuilt(here, name, (bytes) => {
      bytes.write('libgomq', bytes.indexOf('libgomp.so.1\0'), 'latin1')
      return bytes
    })
    const error = await load()
    expect(error.code).toBe('ERR_NOT_BUILT')
    expect(error.expected).toBe('the library libgomq.so.1')
  })
})

it('require and import give the same names', async () => {
  const [esm, cjs] = await jsonOf<[string[], string[]]>('behaviour/children/names.mjs')
  expect(cjs).toEqual(esm)
  expect(esm).toContain('Sequential')
})

it('a script that does not catch the error ends with it', async () => {
  writeFileSync(path.join(folder, 'bare.mjs'), "import { info } from './dist/index.js'\ninfo()\n")
  const ended = await runChild(path.join(folder, 'bare.mjs'), {
    cwd: folder,
    env: { HIDDENSTATE_PREBUILD: '' },
  })
  expect(ended.code).toBe(1)
  expect(ended.stderr).toContain('npx hiddenstate build')
})

it('hiddenstate info tells what it knows where there is no binary', async () => {
  const args = ['info', '--json']
  const ended = await runChild(path.join(folder, 'dist/cli.js'), {
    args,
    cwd: folder,
    env: { HIDDENSTATE_PREBUILD: '' },
  })
  expect(ended.code).toBe(1)
  expect(JSON.parse(ended.stdout)).toMatchObject({
    node: process.version,
    binary: 'none that can be used',
  })
  expect(ended.stderr).toMatch(/^hiddenstate: no native binary .*npx hiddenstate build/)
  expect(ended.stderr).not.toMatch(/^\s+at /m) // no stack
})
