/**
 * NumPy's files: those that NumPy wrote, ours read by another reader, and files that are neither.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { strToU8, zipSync } from 'fflate'
import { afterAll, describe, expect, it } from 'vitest'
import { dataFile } from '../golden/loader.js'
import { FormatError, NDArray, utils } from '../package.js'

const { formatNpy, parseNpy, readNpy, readNpz, writeNpy, writeNpz } = utils
const folder = mkdtempSync(path.join(tmpdir(), 'hs-npy-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const numpy = (name: string): string => dataFile(`datasets/${name}`)
type Expected = Record<string, { shape: number[]; data: (number | null | 'inf')[] }>
const expected = JSON.parse(readFileSync(numpy('types.json'), 'utf8')) as Expected

const DTYPES: Record<string, string> = {
  f2: 'float32',
  f4: 'float32',
  f8: 'float64',
  big: 'float64',
  fortran: 'float32',
  i8wide: 'float64',
  u1: 'uint8',
  u4: 'float64',
  b1: 'bool',
  scalar: 'float64',
  empty: 'float32',
}

describe('files that NumPy wrote', () => {
  it.each(['types.npz', 'types-compressed.npz'])('%s', async (name) => {
    const arrays = await readNpz(numpy(name))
    expect([...arrays.keys()]).toEqual(Object.keys(expected))
    for (const [key, { shape, data }] of Object.entries(expected)) {
      const array = arrays.get(key) as NDArray
      expect(array.shape, key).toEqual(shape)
      const wanted = data.map((v) =>
        v === null ? Number.NaN : v === 'inf' ? Number.POSITIVE_INFINITY : v,
      )
      expect([...array.data], key).toEqual(wanted)
      expect(array.dtype, key).toBe(DTYPES[key] ?? 'int32')
    }
  })

  it.each([
    ['complex', /type must be one of .*, got '<c16'/],
    ['strings', /type must be one of .*, got '<U2'/],
    ['beyond', /element 0 must be within ±2\^53/],
    ['records', /header must be/],
    ['evil', /objects are pickles, which are not read\), got '\|O'/],
  ])('%s is refused, naming the file', async (name, message) => {
    const file = numpy(`${name}.npy`)
    await expect(readNpy(file)).rejects.toThrow(FormatError)
    await expect(readNpy(file)).rejects.toThrow(message)
    await expect(readNpy(file)).rejects.toThrow(`${name}.npy`)
  })
})

describe('files that we write', () => {
  const arrays = {
    a: new NDArray(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]),
    b: new NDArray(Float64Array.of(Math.PI), [1]),
    c: new NDArray(Int32Array.of(-1, 2 ** 31 - 1), [2, 1, 1]),
    d: new NDArray(Uint8Array.of(0, 1), [2], 'bool'),
    e: new NDArray(Uint8Array.of(255), []),
    f: new NDArray(new Float32Array(0), [0, 4]),
  }

  it('are read by another reader', async () => {
    const { parse } = await import('npyjs')
    for (const { data, shape } of [arrays.a, arrays.b, arrays.c]) {
      const bytes = formatNpy({ data, shape })
      const read = parse(bytes.slice().buffer)
      expect([read.shape, read.fortranOrder]).toEqual([[...shape], false])
      expect([...(read.data as Float32Array)]).toEqual([...data])
      expect((bytes[8]! + 256 * bytes[9]! + 10) % 64).toBe(0)
    }
  })

  it('and what another writer writes is read here', async () => {
    const { dump } = await import('npyjs')
    const array = parseNpy(new Uint8Array(dump(Int32Array.of(1, 2, 3, 4, 5, 6), [3, 2])))
    expect(array.toArray()).toEqual([[1, 2], [3, 4], [5, 6]]) // biome-ignore format: rows
  })

  it.each([false, true])('come back, compressed %s', async (compressed) => {
    const file = path.join(folder, `${compressed}.npz`)
    await writeNpz(file, arrays, { compressed })
    const back = await readNpz(file)
    for (const [name, array] of Object.entries(arrays)) expect(back.get(name)).toEqual(array)
    await writeNpz(file, new Map([['x/y', [1]]]))
    expect([...(await readNpz(file)).keys()]).toEqual(['x/y'])
    await expect(writeNpz(file, arrays, { overwrite: false })).rejects.toMatchObject({
      code: 'ERR_OPTION',
    })
  })

  it('.npy come back, whatever the shape', async () => {
    const file = path.join(folder, 'a.npy')
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
        fc.integer(),
        async (shape, seed) => {
          const size = shape.reduce((a, b) => a * b, 1)
          const array = new NDArray(Float64Array.from({ length: size }, (_, i) => seed * i), shape) // biome-ignore format: one line
          await writeNpy(file, array)
          expect(await readNpy(file)).toEqual(array)
        },
      ),
      { numRuns: 30, seed: 5 },
    )
  })
})

describe('files that are damaged or lie', () => {
  const good = formatNpy(new NDArray(Float32Array.of(1, 2, 3, 4), [4]))
  const header = (text: string): Uint8Array => {
    const bytes = new Uint8Array(10 + text.length)
    bytes.set(good.subarray(0, 8))
    bytes.set([text.length & 255, text.length >> 8], 8)
    bytes.set(strToU8(text), 10)
    return bytes
  }

  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /file must be a \.npy file, got an empty one/],
    ['text', strToU8('hello hello hello'), /got one without its signature/],
    [
      'half of it',
      good.subarray(0, good.length - 5),
      /data of shape \[4\] must be 16 bytes, got 11/,
    ],
    ['a header cut off', good.subarray(0, 40), /header must be at most 30 bytes/],
    [
      'a bomb',
      header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000), }"),
      /data of shape .* got 0/,
    ],
    [
      'a negative extent',
      header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }"),
      /header must be/,
    ],
    [
      'too large an extent',
      header("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }"),
      /extents/,
    ],
    [
      'a version',
      Uint8Array.from(good, (b, i) => (i === 6 ? 9 : b)),
      /version must be 1, 2 or 3, got 9/,
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => parseNpy(bytes)).toThrow(FormatError)
    expect(() => parseNpy(bytes)).toThrow(message)
  })

  it('a zip that is none, and one that claims too much', async () => {
    const file = path.join(folder, 'bad.npz')
    writeFileSync(file, 'PK no zip')
    await expect(readNpz(file)).rejects.toThrow(/bad\.npz: file must be a \.npz file that is whole/)
    const zip = Buffer.from(zipSync({ 'a.npy': [new Uint8Array(100_000), { level: 9 }] }))
    const at = zip.lastIndexOf('PK\x01\x02', undefined, 'latin1')
    zip.writeUInt32LE(0xf0000000, at + 24) // original size
    writeFileSync(file, zip)
    await expect(readNpz(file)).rejects.toThrow(/a\.npy claims 4026531840 bytes/)
    await expect(readNpz(path.join(folder, 'none.npz'))).rejects.toThrow(
      /none\.npz: file must be readable/,
    )
  })

  it('mutations are read or refused', async () => {
    const whole = readFileSync(numpy('types.npz'))
    const file = path.join(folder, 'mutated.npz')
    let [seed, read, refused] = [7, 0, 0]
    const draw = (n: number): number =>
      Math.floor(((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32) * n)
    for (let round = 0; round < 200; round++) {
      const bytes = Buffer.from(round % 5 ? whole : whole.subarray(0, draw(whole.length)))
      for (let k = draw(6) + 1; k > 0 && bytes.length > 0; k--)
        bytes[draw(bytes.length)] = draw(256)
      writeFileSync(file, bytes)
      await readNpz(file).then(
        () => read++,
        (error) => {
          expect(error, `round ${round}`).toBeInstanceOf(FormatError)
          refused++
        },
      )
    }
    expect(read).toBeGreaterThan(5)
    expect(refused).toBeGreaterThan(20)
  }, 60_000)
})
