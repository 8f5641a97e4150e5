/**
 * What scripts/check-prebuilds.mjs says about binaries, by dumps of readelf: one in order, and each
 * rule broken once. The packages of a release.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  elfProblems,
  installProblems,
  missingBinaries,
  newestGlibc,
  sizeProblems,
} from '../../scripts/check-prebuilds.mjs'
import { mainManifest, platformPackages } from '../../scripts/platform-packages.mjs'

const dump = `ELF Header:
  Class:                             ELF64
  Machine:                           Advanced Micro Devices X86-64
Program Headers:
  GNU_STACK      0x000000 0x0000000000000000 0x0000000000000000 0x000000 0x000000 RW  0x10
Dynamic section at offset 0x2be4a8 contains 32 entries:
 0x0000000000000001 (NEEDED)             Shared library: [libgomp.so.1]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
 0x000000000000001d (RUNPATH)            Library runpath: [$ORIGIN]
 0x000000006ffffffb (FLAGS_1)            Flags: NOW NODELETE
Symbol table '.dynsym' contains 6 entries:
   Num:    Value          Size Type    Bind   Vis      Ndx Name
     5: 00000000001db000     0 SECTION LOCAL  DEFAULT   24 .data
     1: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND pthread_join@GLIBC_2.2.5 (2)
     2: 0000000000000000     0 NOTYPE  GLOBAL DEFAULT  UND napi_create_object
     3: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND memcpy@GLIBC_2.14 (3)
     4: 0000000000012340    55 FUNC    GLOBAL DEFAULT   12 napi_register_module_v1
`
const problems = (text: string): string[] =>
  elfProblems(text, {
    arch: 'x64',
    maxGlibc: '2.28',
    beside: ['hiddenstate.glibc.node', 'libgomp.so.1'],
  })

describe('check-prebuilds', () => {
  it('finds nothing in a binary that is in order', () => {
    expect(problems(dump)).toEqual([])
    expect(newestGlibc(dump)).toBe('2.14')
  })

  it.each([
    ['another processor', 'Advanced Micro Devices X86-64', 'AArch64', /machine must be/],
    ['a newer glibc', 'GLIBC_2.14', 'GLIBC_2.29', /must need glibc 2.28 at most, got 2.29/],
    ['a glibc of two digits', 'GLIBC_2.14', 'GLIBC_2.4', undefined],
    [
      'libstdc++',
      '[libc.so.6]',
      '[libstdc++.so.6]',
      /only the C library and libgomp may be needed, got libstdc/,
    ],
    ['symbols of libstdc++', 'GLIBC_2.14', 'GLIBCXX_3.4', /linked statically, got GLIBCXX_3.4/],
    ['no RUNPATH', '[$ORIGIN]', '[/usr/lib]', /RUNPATH must be \$ORIGIN, got \/usr\/lib/],
    ['unloading', 'NOW NODELETE', 'NOW', /must be marked NODELETE/],
    ['an executable stack', ' RW  0x10', ' RWE 0x10', /the stack must not be executable/],
    [
      'text relocations',
      '(FLAGS_1) ',
      '(TEXTREL) 0x0\n(FLAGS_1) ',
      /must have no relocations in its text/,
    ],
    [
      'another symbol',
      'napi_register_module_v1',
      '_ZNSt6vectorIfE',
      /only the entry points .* got _ZNSt6vectorIfE/,
    ],
    [
      'a newer Node-API',
      'napi_create_object',
      'node_api_create_syntax_error',
      /only functions of Node-API 8/,
    ],
    ['V8', 'napi_create_object', '_ZN2v87Isolate10GetCurrentEv', /only functions of Node-API 8/],
  ])('speaks of %s', (_, from, to, message) => {
    const changed = dump.replace(from, () => to)
    expect(changed).not.toBe(dump)
    if (message === undefined) expect(problems(changed)).toEqual([])
    else expect(problems(changed).join('\n')).toMatch(message)
  })

  it('counts the binaries of a release, one for each C library', () => {
    const musl = [
      'linux-x64/hiddenstate.musl.node',
      'linux-arm64/hiddenstate.armv8.musl.node',
      'linux-x64/libgomp.so.1',
    ]
    expect(missingBinaries(musl)).toEqual([
      ...[
        'linux-x64/glibc',
        'linux-arm64/glibc',
        'darwin-arm64',
        'darwin-x64',
        'win32-x64',
        'win32-arm64',
      ],
    ])
    const rest = [
      'darwin-arm64/a.node',
      'darwin-x64/a.node',
      'win32-x64/a.node',
      'win32-arm64/a.node',
    ]
    expect(
      missingBinaries([...musl, 'linux-x64/a.glibc.node', 'linux-arm64/a.glibc.node', ...rest]),
    ).toEqual([])
  })

  it('speaks of a binary above 3 MB', () => {
    expect(sizeProblems('a.node', 3_000_000)).toEqual([])
    expect(sizeProblems('a.node', 3_000_001)).toEqual([
      'a.node: must have at most 3000000 bytes, got 3000001',
    ])
  })

  it('speaks of what a user installs above 15 MB: the main package and one other, not all of them', () => {
    const [main, small] = [2_000_000, 2_900_000]
    const platforms = [...'12345678'].map((n): [string, number] => [n, small])
    expect(installProblems(main, platforms)).toEqual([])
    expect(installProblems(main, [...platforms, ['hiddenstate-x', 13_000_000]])).toEqual([])
    expect(installProblems(main, [...platforms, ['hiddenstate-x', 13_000_001]])).toEqual([
      'hiddenstate and hiddenstate-x: must unpack to at most 15000000 bytes, got 15000001',
    ])
  })

  it('speaks of a libgomp that is not beside', () => {
    expect(elfProblems(dump, { arch: 'x64', beside: [] }).join()).toMatch(
      /libgomp.so.1 must lie beside the addon/,
    )
  })
})

describe('the packages of a release', () => {
  const own = {
    ...{ name: 'hiddenstate', version: '1.2.3', license: 'MIT', engines: { node: '>=20' } },
    repository: { type: 'git', url: 'git+https://example.org/x.git' },
  }
  const { name: _, ...shared } = own
  const made = (files: Record<string, string>) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'hs-prebuilds-'))
    try {
      for (const [file, text] of Object.entries(files)) {
        mkdirSync(path.join(folder, path.dirname(file)), { recursive: true })
        writeFileSync(path.join(folder, file), text)
      }
      return platformPackages(folder, own)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  const packages: { manifest: Record<string, unknown> & { files: string[] }; files: object }[] =
    made({
      'darwin-arm64/hiddenstate.node': '',
      'linux-arm64/hiddenstate.armv8.musl.node': '',
      'linux-x64/hiddenstate.glibc.node': 'needs libgomp.so.1\0',
      'linux-x64/hiddenstate.musl.node': 'needs libc.musl',
      'linux-x64/libgomp.so.1': '',
    })

  it('one for each binary, with what it is for; libgomp only where it is needed', () => {
    expect(
      packages.map(({ manifest: { name, os, cpu, libc, files } }) => [
        name,
        os,
        cpu,
        libc,
        files.slice(0, -2),
      ]),
    ).toEqual([
      ['hiddenstate-darwin-arm64', ['darwin'], ['arm64'], undefined, ['hiddenstate.node']],
      ['hiddenstate-linux-arm64-musl', ['linux'], ['arm64'], ['musl'], ['hiddenstate.node']],
      [
        'hiddenstate-linux-x64-glibc',
        ['linux'],
        ['x64'],
        ['glibc'],
        ['hiddenstate.node', 'libgomp.so.1'],
      ],
      ['hiddenstate-linux-x64-musl', ['linux'], ['x64'], ['musl'], ['hiddenstate.node']],
    ])
    for (const { manifest, files } of packages) {
      expect(manifest).toMatchObject(shared)
      expect(manifest.files).toEqual(Object.keys(files))
      expect(manifest.files.slice(-2)).toEqual(['LICENSE', 'NOTICE'])
      expect(Object.keys(manifest)).not.toContain('scripts')
      expect(Object.keys(manifest)).not.toContain('dependencies')
    }
  })

  it('the main one asks for all of them at its own version and holds no binary', () => {
    const main = mainManifest({ ...own, files: ['dist', 'prebuilds', 'NOTICE'] }, packages)
    expect(main).toEqual({
      ...own,
      files: ['dist', 'NOTICE'],
      optionalDependencies: {
        'hiddenstate-darwin-arm64': '1.2.3',
        'hiddenstate-linux-arm64-musl': '1.2.3',
        'hiddenstate-linux-x64-glibc': '1.2.3',
        'hiddenstate-linux-x64-musl': '1.2.3',
      },
    })
  })
})
