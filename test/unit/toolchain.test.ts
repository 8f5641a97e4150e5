/**
 * What a build from source asks of the machine,
 * on machines that this one is not: scripts/toolchain.mjs.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  compilerOptions,
  missingCmakeJs,
  missingTools,
  notWritable,
} from '../../scripts/toolchain.mjs'

const machine = (tools: string[], env: Record<string, string> = {}, platform = 'linux') => ({
  platform,
  env,
  has: (tool: string) => tools.includes(tool),
})

describe('missingTools', () => {
  it.each([
    [['cmake', 'g++', 'make'], {}],
    [['cmake', 'clang++', 'ninja'], {}],
    [['cmake', 'c++', 'make'], {}],
    [['cmake', '/opt/g++-12', 'make'], { CXX: '/opt/g++-12 -m64' }],
  ])('%j %j: all is there', (tools, env) => expect(missingTools(machine(tools, env))).toBe(null))

  it.each([
    [['g++', 'make'], {}, 'needs cmake:'],
    [['cmake', 'make'], {}, 'needs a C++ compiler:'],
    [['cmake', 'g++', 'make'], { CXX: 'g++-99' }, 'needs a C++ compiler:'],
    [['cmake', 'g++'], {}, 'needs make:'],
    [
      [],
      {},
      'needs cmake, a C++ compiler and make: install with `apt-get install -y cmake g++ make`',
    ],
  ])('%j %j: names what is missing', (tools, env, sentence) =>
    expect(missingTools(machine(tools, env))).toContain(sentence),
  )

  it('names the way of each system', () => {
    expect(missingTools(machine([], {}, 'darwin'))).toContain('xcode-select --install')
    expect(missingTools(machine([], {}, 'win32'))).toContain('Visual Studio Build Tools')
    expect(missingTools(machine(['cmake'], {}, 'win32'))).toBe(null)
  })
})

describe('compilerOptions', () => {
  it('leaves the choice to cmake-js where it finds a compiler', () => {
    expect(compilerOptions(machine(['g++'], { CXX: 'g++-12' }))).toEqual([])
    expect(compilerOptions(machine(['clang++']))).toEqual([])
    expect(compilerOptions(machine([], {}, 'win32'))).toEqual([])
  })

  it('names the compiler that cmake-js does not know', () => {
    expect(compilerOptions(machine(['c++']))).toEqual(['--cc', 'c++', '--cxx', 'c++'])
    expect(compilerOptions(machine(['g++-12'], { CXX: 'g++-12' }))).toEqual([
      '--cc',
      'g++-12',
      '--cxx',
      'g++-12',
    ])
    expect(compilerOptions(machine([]))).toEqual([])
  })
})

it('missingCmakeJs: names the command that installs the version that package.json takes', () => {
  const { peerDependencies } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  )
  const [major] = peerDependencies['cmake-js'].match(/\d+/)
  const absent = () => {
    throw new Error('Cannot find module')
  }
  expect(missingCmakeJs((file: string) => file)).toBe(null)
  expect(missingCmakeJs(absent)).toContain(`\`npm install --save-dev cmake-js@${major}\``)
})

it('notWritable: a folder that another user installed', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'hs-toolchain-'))
  const refuse = () => {
    throw Object.assign(new Error('EACCES'), { code: 'EACCES' })
  }
  expect(notWritable(folder)).toBe(null)
  expect(notWritable(folder, refuse)).toBe(
    `hiddenstate: ${folder} must be writable, got EACCES: build as the user who installed the package.`,
  )
  mkdirSync(path.join(folder, 'build'))
  expect(notWritable(folder, refuse)).toContain(`${path.join(folder, 'build')} must be writable`)
  rmSync(folder, { recursive: true })
})
