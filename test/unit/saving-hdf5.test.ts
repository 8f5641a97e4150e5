/**
 * The HDF5 files themselves: what is written comes back, what is hostile is refused, the worker
 * ends and starts anew.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, describe, expect, test } from 'vitest'
import { FormatError } from '../../lib/errors.js'
import { H5Builder, readH5, writeH5 } from '../../lib/hdf5/file.js'
import { dataFile } from '../golden/loader.js'

const root = mkdtempSync(path.join(tmpdir(), 'hs-hdf5-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const at = (name: string): string => path.join(root, name)
const GOLDEN = dataFile('h5/sentiment_lstm.h5')

describe('what is written comes back', () => {
  test('attributes: one string, many, none, numbers, beyond ASCII', async () => {
    const file = new H5Builder()
    file
      .group('')
      .set('one', '{"a": 1}')
      .set('empty', new Float64Array(0))
      .set('numbers', Float64Array.of(1, 2.5))
    file.group('a/b').set('many', ['x', 'dénse_1', '', 'a longer one'])
    await writeH5(at('attributes.h5'), file)
    await readH5(at('attributes.h5'), async (h5) => {
      expect(h5.attribute('', 'one')).toBe('{"a": 1}')
      expect(h5.strings('', 'empty')).toEqual([])
      expect(h5.attribute('', 'numbers')).toEqual(Float64Array.of(1, 2.5))
      expect(h5.strings('a/b', 'many')).toEqual(['x', 'dénse_1', '', 'a longer one'])
      expect(h5.hasGroup('a')).toBe(true)
      expect(h5.children('')).toEqual(['a'])
      expect(() => h5.strings('', 'one')).toThrow(
        /attribute one must be a list of strings, got one string\./,
      )
      expect(() => h5.strings('', 'two')).toThrow(
        /attribute two must be a list of strings, got nothing\./,
      )
    })
  })

  test('datasets: scalars, empty ones, float32 and float64, names beyond ASCII', async () => {
    const file = new H5Builder()
    const cases = [
      { path: 'scalar', shape: [], data: Float32Array.of(7) },
      { path: 'none', shape: [0, 3], data: new Float32Array(0) },
      { path: 'g/é', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
      {
        path: 'g/double',
        shape: [3],
        data: Float64Array.of(Math.PI, Number.NaN, Number.NEGATIVE_INFINITY),
      },
    ]
    for (const { path: name, shape, data } of cases)
      file.dataset(name, { shape, data: data.slice() })
    await writeH5(at('datasets.h5'), file)
    await readH5(at('datasets.h5'), async (h5) => {
      const read = await h5.read(cases)
      for (const [i, { shape, data }] of cases.entries()) {
        expect(read[i]?.shape).toEqual(shape)
        expect(read[i]?.data).toEqual(data)
      }
    })
  })

  test('a dataset that is read in several slices', async () => {
    const shape = [1001, 97, 53] // 20 MB: two slices, the last one short
    const data = Float32Array.from({ length: 1001 * 97 * 53 }, (_, i) => i % 8191)
    const file = new H5Builder()
    file.dataset('large', { shape, data: data.slice() })
    await writeH5(at('large.h5'), file)
    await readH5(at('large.h5'), async (h5) => {
      const [large] = await h5.read([{ path: 'large', shape }])
      expect(Buffer.compare(Buffer.from(large!.data.buffer), Buffer.from(data.buffer))).toBe(0)
    })
  })

  test('the arrays are moved to the worker, not copied', async () => {
    const file = new H5Builder()
    const data = Float32Array.of(1, 2)
    file.dataset('a', { shape: [2], data })
    await writeH5(at('moved.h5'), file)
    expect(data.length).toBe(0)
  })

  test('files wait for each other', async () => {
    const names = ['p', 'q', 'r'].map((n) => at(`${n}.h5`))
    await Promise.all(
      names.map((name, i) => {
        const file = new H5Builder()
        file.dataset('a', { shape: [1], data: Float32Array.of(i) })
        return writeH5(name, file)
      }),
    )
    const read = await Promise.all(
      names.map((name) => readH5(name, (h5) => h5.read([{ path: 'a', shape: [1] }]))),
    )
    expect(read.map(([a]) => a?.data[0])).toEqual([0, 1, 2])
  })
})

describe('what does not fit is refused before data are read', () => {
  const wrong: [string, { path: string; shape: number[] }, RegExp][] = [
    [
      'a shape',
      { path: 'model_weights/dense_1/dense_1_W', shape: [1, 6] },
      /dense_1_W: shape must be \[1, 6\], got \[6, 1\]\./,
    ],
    [
      'a dataset that is not there',
      { path: 'model_weights/dense_1/x', shape: [1] },
      /x: dataset must be there, of shape \[1\], got nothing\./,
    ],
    ['a group', { path: 'model_weights/dense_1', shape: [1] }, /dense_1: dataset must be there/],
  ]
  test.each(wrong)('%s', async (_, expected, message) => {
    await readH5(GOLDEN, async (h5) => {
      await expect(h5.read([expected])).rejects.toBeInstanceOf(FormatError)
      await expect(h5.read([expected])).rejects.toThrow(message)
    })
  })

  test('no file, a folder, an empty file, another format', async () => {
    const use = async () => expect.fail('was opened')
    await expect(readH5(at('missing.h5'), use)).rejects.toThrow(
      /missing\.h5: file must be readable, got ENOENT/,
    )
    await expect(readH5(root, use)).rejects.toThrow(/must be readable/)
    writeFileSync(at('empty.h5'), '')
    await expect(readH5(at('empty.h5'), use)).rejects.toThrow(
      /file must be an HDF5 file, got an empty one\./,
    )
    writeFileSync(at('text.h5'), 'text '.repeat(1000))
    await expect(readH5(at('text.h5'), use)).rejects.toThrow(/got one without the HDF5 signature\./)
    await expect(readH5(at('text.h5'), use)).rejects.toBeInstanceOf(FormatError)
  })

  test('overwrite: false costs nothing when the file is there', async () => {
    writeFileSync(at('there.h5'), 'mine')
    const file = new H5Builder()
    const data = Float32Array.of(1)
    file.dataset('a', { shape: [1], data })
    await expect(writeH5(at('there.h5'), file, { overwrite: false })).rejects.toMatchObject({
      code: 'ERR_OPTION',
    })
    expect(data.length).toBe(1)
    expect(readFileSync(at('there.h5'), 'utf8')).toBe('mine')
  })
})

describe('the worker', () => {
  /**
   * A file of Keras whose heap of texts has an object without a size: the library looks for the end
   * of it for ever.
   */
  function endless(): Buffer {
    const bytes = Buffer.from(readFileSync(dataFile('h5/sine_gru.h5')))
    const text = bytes.indexOf('{"optimizer_config"')
    return bytes.fill(0, text - 16, text)
  }

  test('a file that keeps the library busy for ever is refused, and the next one gets a worker that works', async () => {
    writeFileSync(at('endless.h5'), endless())
    const refused = readH5(at('endless.h5'), async () => expect.fail('was opened'))
    await expect(refused).rejects.toThrow(
      /endless\.h5: .*no answer from the HDF5 library within \d+ ms of work/,
    )
    await expect(refused).rejects.toBeInstanceOf(FormatError)
    await readH5(GOLDEN, async (h5) => expect(h5.hasGroup('model_weights')).toBe(true))
  })

  test('neither saves nor other files wait for it', async () => {
    writeFileSync(at('endless.h5'), endless())
    const order: string[] = []
    const refused = readH5(at('endless.h5'), async () => expect.fail('was opened'), {
      workMs: 3000,
    }).catch(() => order.push('refused'))
    const file = new H5Builder()
    file.dataset('a', { shape: [1], data: Float32Array.of(1) })
    await Promise.all([
      writeH5(at('beside.h5'), file).then(() => order.push('other')),
      readH5(GOLDEN, async (h5) => h5.hasGroup('model_weights')).then(() => order.push('other')),
    ])
    await refused
    expect(order).toEqual(['other', 'other', 'refused'])
  })

  test('JavaScript that is busy meanwhile uses up nothing', async () => {
    await readH5(
      GOLDEN,
      async (h5) => {
        const read = h5.read([{ path: 'model_weights/embedding_1/embedding_1_W', shape: [50, 8] }])
        for (const end = performance.now() + 1500; performance.now() < end; );
        expect((await read)[0]?.shape).toEqual([50, 8])
      },
      { workMs: 1000 },
    )
  })

  test('an error in the middle of a file does not reach the next one', async () => {
    await expect(
      readH5(GOLDEN, async () => Promise.reject(new Error('of the caller'))),
    ).rejects.toThrow('of the caller')
    await readH5(GOLDEN, async (h5) => expect(h5.hasGroup('model_weights')).toBe(true))
  })

  test.each([
    [16, 'error'],
    [256, 'bytes'],
  ])('with %i MB of memory, 60 MB of data end as %s', async (megabytes, kind) => {
    const worker = new Worker(new URL('../../lib/hdf5/hdf5-worker.mjs', import.meta.url), {
      execArgv: [],
    })
    const file = new H5Builder()
    file.dataset('a', { shape: [15e6], data: new Float32Array(15e6) })
    const { groups, datasets } = file
    worker.postMessage({
      kind: 'write',
      content: { groups, datasets },
      memory: megabytes * 2 ** 20,
    })
    const reply = await new Promise<{ kind: string; message?: string }>((resolve) =>
      worker.on('message', (message) => message.kind !== 'ready' && resolve(message)),
    )
    await worker.terminate()
    expect(reply.kind).toBe(kind)
    if (kind === 'error') expect(reply.message).toMatch(/memory/i)
  })

  /** A counter, so that a red run can be had again. */
  function* random(seed: number): Generator<number, never> {
    for (let s = seed; ; ) {
      s = (Math.imul(s, 1664525) + 1013904223) >>> 0
      yield s / 2 ** 32
    }
  }

  test('damaged files are read or refused, never more', async () => {
    const whole = readFileSync(GOLDEN)
    const next = random(5)
    const draw = (n: number) => Math.floor(next.next().value * n)
    const outcomes = { read: 0, refused: 0 }
    for (let round = 0; round < 60; round++) {
      const bytes = Buffer.from(whole)
      // metadata lie in the first third; superblock, heaps and object headers are what hurts
      for (let n = 1 + draw(8); n > 0; n--)
        bytes[8 + draw(round % 2 ? 4096 : bytes.length - 8)] = draw(256)
      writeFileSync(at('damaged.h5'), bytes)
      const tried = readH5(
        at('damaged.h5'),
        async (h5) => {
          const names = h5.strings('model_weights', 'layer_names')
          for (const name of names) h5.strings(`model_weights/${name}`, 'weight_names')
          await h5.read([{ path: 'model_weights/embedding_1/embedding_1_W', shape: [50, 8] }])
        },
        { workMs: 3000 },
      )
      await tried.then(
        () => outcomes.read++,
        (error) => {
          expect(error, `round ${round}`).toBeInstanceOf(FormatError)
          expect(error.message).toContain('damaged.h5')
          outcomes.refused++
        },
      )
    }
    expect(outcomes.read).toBeGreaterThan(5)
    expect(outcomes.refused).toBeGreaterThan(5)
  }, 120_000)
})
