/**
 * Data sets from files in Keras' formats, from an address,
 * and from pickles that would do more than hold data.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { NUMPY } from '../../lib/files/numpy-pickle.js'
import { unpickle } from '../../lib/files/pickle.js'
import { dataFile } from '../golden/loader.js'
import { datasets, FormatError, NDArray } from '../package.js'
import { serve } from './file-server.js'

const { imdb, mnist, reuters } = datasets
const at = (name: string): string => dataFile(`datasets/${name}`)
const folder = mkdtempSync(path.join(tmpdir(), 'hs-datasets-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** As the generator made them. */
const TEXTS = [[5, 1, 300], [2], [70000, 4, 4, 1], [9, 8, 7, 6, 5, 4, 3, 2, 1], [1, 2], [11]]
const LABELS = [1, 0, 1, 0, 1, 0]
const raw = { startChar: null, indexFrom: 0, nbWords: 100_000 } as const
const pairs = (x: number[][], y: number[]) => x.map((words, i) => `${words}:${y[i]}`).sort()

describe('imdb', () => {
  it.each(['imdb.npz', ...[0, 1, 2, 3, 4, 5].map((protocol) => `imdb_full.${protocol}.pkl`)])(
    '%s',
    async (name) => {
      const [[xTrain, yTrain], [xTest, yTest]] = await imdb.loadData({ path: at(name), ...raw })
      expect(pairs(xTrain, yTrain)).toEqual(pairs(TEXTS.slice(0, 4), LABELS.slice(0, 4)))
      expect(pairs(xTest, yTest)).toEqual(pairs(TEXTS.slice(4), LABELS.slice(4)))
    },
  )

  it('marks the start, shifts, and replaces words beyond nbWords and before skipTop', async () => {
    const [[xTrain], [xTest]] = await imdb.loadData({
      path: at('imdb.npz'),
      nbWords: 12,
      skipTop: 5,
    })
    // shifted by 3
    expect(xTrain.map(String).sort()).toEqual(
      ['2,2,7,7,2', '2,5', '2,8,2,2', '2,2,11,10,9,8,7,6,5,2'].sort(),
    )
    expect(xTest.map(String).sort()).toEqual(['2,2', '2,2,5'])
  })

  it('drops words with oovChar null, and texts of maxlen and longer', async () => {
    const [[xTrain]] = await imdb.loadData({
      path: at('imdb.npz'),
      nbWords: 12,
      oovChar: null,
      startChar: null,
      indexFrom: 0,
    })
    expect(xTrain.map(String).sort()).toEqual(['2', '4,4,1', '5,1', '9,8,7,6,5,4,3,2,1'])
    const [[short, labels], [rest]] = await imdb.loadData({
      path: at('imdb.npz'),
      ...raw,
      maxlen: 4,
    })
    expect(pairs(short, labels)).toEqual(pairs([TEXTS[0]!, TEXTS[1]!], [1, 0]))
    expect(rest).toHaveLength(2)
    await expect(imdb.loadData({ path: at('imdb.npz'), maxlen: 1 })).rejects.toThrow(
      /none shorter than maxlen 1/,
    )
  })

  it('has the same order for the same seed, another for another', async () => {
    const load = async (seed?: number) =>
      (await imdb.loadData({ path: at('imdb.npz'), ...raw, ...(seed ? { seed } : {}) }))[0][0]
    expect(await load()).toEqual(await load(113))
    const orders = new Set(
      await Promise.all([1, 2, 3, 4, 5].map(async (seed) => JSON.stringify(await load(seed)))),
    )
    expect(orders.size).toBeGreaterThan(1)
  })

  it.each(['word_index.json', 'word_index.pkl'])('word index from %s', async (name) => {
    expect(await imdb.getWordIndex({ path: at(name) })).toEqual(new Map([['the', 1], ['and', 2], ['café', 3]])) // biome-ignore format: pairs
  })

  it.each([
    [{ path: at('mnist.npz') }, /mnist\.npz: x_train: texts must be a list of lists/],
    [{ path: at('word_index.json') }, /texts must be/],
    [{ path: at('imdb.npz'), nbWords: -1 }, /nbWords must be an integer >= 0/],
    [{ path: at('none.npz') }, /none\.npz: file must be readable/],
    [{ path: at('imdb.npz'), fileHash: '0'.repeat(32) }, /imdb\.npz: sum must be 0000/],
    [{ path: at('imdb.npz'), nb_words: 3 }, /Did you mean `nbWords`/],
  ])('refuses %j', async (options, message) => {
    await expect(imdb.loadData(options as never)).rejects.toThrow(message)
  })
})

describe('reuters', () => {
  it.each(['reuters.npz', 'reuters.pkl.gz'])('%s, split by testSplit', async (name) => {
    const [[xTrain, yTrain], [xTest, yTest]] = await reuters.loadData({
      path: at(name),
      ...raw,
      testSplit: 0.34,
    })
    expect([xTrain.length, xTest.length]).toEqual([3, 3])
    expect(pairs([...xTrain, ...xTest], [...yTrain, ...yTest])).toEqual(pairs(TEXTS, LABELS))
    await expect(reuters.loadData({ path: at(name), testSplit: 2 })).rejects.toThrow(
      /testSplit must be/,
    )
  })
})

describe('mnist', () => {
  it.each(['mnist.npz', 'mnist.pkl.gz'])('%s', async (name) => {
    const [[xTrain, yTrain], [xTest, yTest]] = await mnist.loadData({ path: at(name) })
    expect([xTrain.shape, yTrain.shape, xTest.shape, yTest.shape]).toEqual([
      [3, 28, 28],
      [3],
      [2, 28, 28],
      [2],
    ])
    expect([xTrain.dtype, yTrain.dtype]).toEqual(['uint8', 'uint8'])
    const [[again]] = await mnist.loadData({ path: at('mnist.npz') })
    expect(xTrain).toEqual(again)
  })

  it('from an address, kept in the cache', async () => {
    const server = await serve({ '/sets/mnist.npz': readFileSync(at('mnist.npz')) })
    try {
      const url = `${server.root}/sets/mnist.npz`
      const fileHash = createHash('sha256').update(readFileSync(at('mnist.npz'))).digest('hex') // biome-ignore format: one line
      const options = { path: url, cacheDir: folder, verbose: 0, fileHash } as const
      for (let i = 0; i < 2; i++)
        expect((await mnist.loadData(options))[0][0].shape).toEqual([3, 28, 28])
      expect(server.requests).toHaveLength(1)
      expect(existsSync(path.join(folder, 'datasets/mnist.npz'))).toBe(true)
    } finally {
      await server.close()
    }
  })

  it('refuses files of another content', async () => {
    await expect(mnist.loadData({ path: at('imdb.npz') })).rejects.toThrow(
      /imdb\.npz: content must be the arrays x_train/,
    )
  })
})

describe('pickles', () => {
  const read = (name: string) => unpickle(readFileSync(at(name)), name, NUMPY)

  it('hold arrays in any order of bytes and axes, NumPy numbers, lists of objects', () => {
    const [big, fortran, scalar, objects] = read('arrays.pkl') as [
      NDArray,
      NDArray,
      number,
      number[][],
    ]
    expect(big).toEqual(new NDArray(Int32Array.of(0, 1, 2, 3, 4, 5), [2, 3]))
    expect(fortran.toArray()).toEqual([[1.5, 2.5], [3.5, 4.5]]) // biome-ignore format: rows
    expect(scalar).toBe(2.5)
    expect(objects).toEqual(TEXTS)
  })

  it.each(['evil.pkl', 'evil-inside.pkl', 'evil-4.pkl'])(
    '%s, which would run a command, is refused',
    (name) => {
      expect(() => read(name)).toThrow(FormatError)
      expect(() => read(name)).toThrow(
        /name must be one of NumPy arrays \(a pickle is never executed\), got '(posix|nt) system'/,
      )
      expect(existsSync('owned')).toBe(false)
    },
  )

  it('an object array with such a pickle inside is refused', async () => {
    const file = path.join(folder, 'evil.npz')
    const { zipSync } = await import('fflate')
    const evil = readFileSync(at('evil.npy'))
    writeFileSync(
      file,
      zipSync({ 'x_train.npy': evil, 'y_train.npy': evil, 'x_test.npy': evil, 'y_test.npy': evil }),
    )
    await expect(imdb.loadData({ path: file })).rejects.toThrow(
      /evil\.npz: x_train: byte \d+: name must be/,
    )
  })

  it('mutations are read or refused', () => {
    const wholes = ['imdb_full.0.pkl', 'imdb_full.2.pkl', 'imdb_full.4.pkl', 'arrays.pkl'].map(
      (name) => readFileSync(at(name)),
    )
    let [seed, kept, refused] = [3, 0, 0]
    const draw = (n: number): number =>
      Math.floor(((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32) * n)
    for (let round = 0; round < 4000; round++) {
      const whole = wholes[round % 4]!
      const bytes = Buffer.from(round % 7 ? whole : whole.subarray(0, draw(whole.length)))
      for (let k = draw(4) + 1; k > 0 && bytes.length > 0; k--)
        bytes[draw(bytes.length)] = draw(256)
      try {
        unpickle(bytes, 'mutated', NUMPY)
        kept++
      } catch (error) {
        expect(error, `round ${round}`).toBeInstanceOf(FormatError)
        refused++
      }
    }
    expect(kept).toBeGreaterThan(100)
    expect(refused).toBeGreaterThan(1000)
  })
})
