/**
 * Event files read back by others: the framing and its CRC by the few lines below, the messages by
 * protobufjs from TensorFlow's published schema.
 * (The package writes with another library, without a schema.)
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import protobuf from 'protobufjs'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { EventFile } from '../../lib/tensorboard/event-file.js'
import { histogramOf } from '../../lib/tensorboard/histogram.js'
import { Dense, LambdaCallback, LSTM, Sequential, TensorBoard } from '../package.js'

const folder = mkdtempSync(path.join(tmpdir(), 'hs-tensorboard-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const Event = protobuf
  .parse(`
syntax = "proto3";
package tensorflow;
message Event {
  double wall_time = 1;
  int64 step = 2;
  oneof what { string file_version = 3; bytes graph_def = 4; Summary summary = 5; }
}
message HistogramProto {
  double min = 1; double max = 2; double num = 3; double sum = 4; double sum_squares = 5;
  repeated double bucket_limit = 6 [packed = true];
  repeated double bucket = 7 [packed = true];
}
message Summary {
  message Value { string tag = 1; oneof value { float simple_value = 2; HistogramProto histo = 5; } }
  repeated Value value = 1;
}
message NodeDef { string name = 1; string op = 2; repeated string input = 3; }
message GraphDef { repeated NodeDef node = 1; }`)
  .root.lookupType('tensorflow.Event')

/** CRC-32C bit by bit: reflected polynomial 0x82f63b78. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}
const masked = (crc: number) => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0

interface Histo {
  min: number
  max: number
  num: number
  sum: number
  sumSquares: number
  bucketLimit: number[]
  bucket: number[]
}
interface Read {
  wallTime: number
  step?: number
  fileVersion?: string
  graphDef?: Uint8Array
  summary?: { value: { tag: string; simpleValue?: number; histo?: Histo }[] }
}

/** All events of a file; fails at the first wrong CRC or half record. */
function readEvents(bytes: Buffer): Read[] {
  const events: Read[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at))
    if (masked(crc32c(bytes.subarray(at, at + 8))) !== bytes.readUInt32LE(at + 8))
      throw new Error('CRC of a length')
    const data = bytes.subarray(at + 12, at + 12 + length)
    if (masked(crc32c(data)) !== bytes.readUInt32LE(at + 12 + length))
      throw new Error('CRC of data')
    events.push(Event.toObject(Event.decode(data), { longs: Number }) as Read)
    at += 16 + length
  }
  return events
}
const onlyFile = (dir: string): string => path.join(dir, readdirSync(dir)[0] as string)

function model(): Sequential {
  const layers = [
    new LSTM(3, { inputShape: [4, 2], consumeLess: 'gpu', name: 'memory' }),
    new Dense(1, { name: 'out' }),
  ]
  const made = new Sequential(layers)
  made.compile({ loss: 'mse', optimizer: 'sgd', metrics: ['mae'] })
  return made
}
const x = { data: Float32Array.from({ length: 48 }, (_, i) => Math.sin(i)), shape: [6, 4, 2] }
const y = [1, 0, 1, 0, 1, 0]

describe('TensorBoard', () => {
  it('the reader knows the check values of CRC-32C and of its mask', () => {
    expect(crc32c(Buffer.from('123456789')).toString(16)).toBe('e3069283')
    expect(masked(crc32c(Buffer.from('foo'))) === crc32c(Buffer.from('foo'))).toBe(false)
  })

  it('writes version, graph, and the logs of each epoch', async () => {
    const logDir = path.join(folder, 'scalars/of a run')
    const board = new TensorBoard({ logDir })
    const before = Date.now() / 1000
    const options = { nbEpoch: 3, verbose: 0, callbacks: [board], validationData: [x, y] } as const
    const { history } = await model().fit(x, y, options)
    expect(readdirSync(logDir)).toEqual([
      expect.stringMatching(/^events\.out\.tfevents\.\d{10}\..+/),
    ])
    expect(board.path).toBe(onlyFile(logDir))
    const [version, graph, ...epochs] = readEvents(readFileSync(onlyFile(logDir)))
    expect(version?.fileVersion).toBe('brain.Event:2')
    expect(version?.wallTime).toBeGreaterThanOrEqual(before)
    expect(version?.wallTime).toBeLessThan(before + 60)
    const GraphDef = Event.root.lookupType('tensorflow.GraphDef')
    expect(GraphDef.toObject(GraphDef.decode(graph?.graphDef ?? new Uint8Array()))).toEqual({
      node: [
        { name: 'memory', op: 'LSTM' },
        { name: 'out', op: 'Dense', input: ['memory'] },
      ],
    })
    expect(epochs.map((event) => event.step ?? 0)).toEqual([0, 1, 2])
    for (const [epoch, event] of epochs.entries()) {
      const values = Object.fromEntries(
        (event.summary?.value ?? []).map((v) => [v.tag, v.simpleValue]),
      )
      const expected = Object.entries(history).map(([key, numbers]) => [
        key,
        Math.fround(numbers[epoch]!),
      ])
      expect(values).toEqual(Object.fromEntries(expected))
    }
    expect(Object.keys(history)).toHaveLength(4)
  })

  it('writes histograms of the weights every so many epochs', async () => {
    const logDir = path.join(folder, 'histograms')
    const made = model()
    const weights: number[][][] = []
    const keep = new LambdaCallback({
      onEpochEnd: () => void weights.push(made.getWeights().map((w) => [...w.data])),
    })
    const callbacks = [keep, new TensorBoard({ logDir, histogramFreq: 2, writeGraph: false })]
    await made.fit(x, y, { nbEpoch: 4, verbose: 0, callbacks })
    const found = readEvents(readFileSync(onlyFile(logDir))).filter(
      (e) => e.summary?.value[0]?.histo,
    )
    expect(found.map((e) => e.step ?? 0)).toEqual([0, 2])
    for (const event of found) {
      const values = event.summary?.value ?? []
      expect(values.map((v) => v.tag)).toEqual([
        'memory_W',
        'memory_U',
        'memory_b',
        'out_W',
        'out_b',
      ])
      for (const [i, { histo }] of values.entries()) {
        const numbers = weights[event.step ?? 0]![i]!
        const { min, max, num, sum, sumSquares, bucketLimit, bucket } = histo!
        expect([min, max, num]).toEqual([
          Math.min(...numbers),
          Math.max(...numbers),
          numbers.length,
        ])
        expect(sum).toBeCloseTo(
          numbers.reduce((a, b) => a + b, 0),
          9,
        )
        expect(sumSquares).toBeCloseTo(
          numbers.reduce((a, b) => a + b * b, 0),
          9,
        )
        // each bucket counts the values between its neighbours
        for (const [k, limit] of bucketLimit.entries()) {
          const low = k === 0 ? -Infinity : bucketLimit[k - 1]!
          expect(bucket[k], `bucket up to ${limit}`).toBe(
            numbers.filter((v) => v >= low && v < limit).length,
          )
        }
      }
    }
  })

  it('is whole after every epoch and after a fit that fails', async () => {
    const logDir = path.join(folder, 'fails')
    const counts: number[] = []
    const look = new LambdaCallback({
      onEpochEnd: (epoch) => {
        counts.push(readEvents(readFileSync(onlyFile(logDir))).length)
        if (epoch === 1) throw new Error('boom')
      },
    })
    const fit = model().fit(x, y, {
      verbose: 0,
      callbacks: [new TensorBoard({ logDir, writeGraph: false }), look],
    })
    await expect(fit).rejects.toThrow('boom')
    expect(counts).toEqual([2, 3])
    expect(readEvents(readFileSync(onlyFile(logDir)))).toHaveLength(3)
  })

  it('a second training gets a file of its own', async () => {
    const logDir = path.join(folder, 'twice')
    const board = new TensorBoard({ logDir })
    for (let i = 0; i < 2; i++)
      await model().fit(x, y, { nbEpoch: 1, verbose: 0, callbacks: [board] })
    expect(readdirSync(logDir)).toHaveLength(2)
  })

  it('a damaged file is seen by the reader', async () => {
    const bytes = readFileSync(onlyFile(path.join(folder, 'fails')))
    bytes[20]! ^= 1
    expect(() => readEvents(bytes)).toThrow('CRC of data')
  })

  it('refuses bad options, and a folder that cannot be', async () => {
    expect(() => new TensorBoard({ histogramFreq: -1 })).toThrow(
      /histogramFreq must be an integer >= 0, got -1/,
    )
    expect(() => new TensorBoard({ writeImages: true as never })).toThrow(
      /writeImages must be false/,
    )
    expect(() => new TensorBoard({ logdir: 'x' } as never)).toThrow(/Did you mean `logDir`/)
    writeFileSync(path.join(folder, 'file'), '')
    const callbacks = [new TensorBoard({ logDir: path.join(folder, 'file/x') })]
    await expect(model().fit(x, y, { verbose: 0, callbacks })).rejects.toMatchObject({
      code: 'ERR_FILE_SYSTEM',
    })
  })
})

describe('histogramOf', () => {
  it.each([
    ['nothing', [], { num: 0, counts: [0] }],
    [
      'what is not finite',
      [Number.NaN, Number.POSITIVE_INFINITY, 1],
      { num: 1, min: 1, max: 1, sum: 1 },
    ],
    ['zero', [0, 0], { num: 2, min: 0, max: 0 }],
    ['beyond the largest bucket', [1e300, -1e300], { num: 2, min: -1e300, max: 1e300 }],
  ])('%s', (_, values, expected) => {
    const histogram = histogramOf(values)
    expect(histogram).toMatchObject(expected)
    expect(histogram.counts.reduce((a, b) => a + b, 0)).toBe(histogram.num)
    expect(histogram.limits).toHaveLength(histogram.counts.length)
  })
})

describe('a disk that refuses', () => {
  it('a write that ends early goes on where it ended', async () => {
    const handle = await open(path.join(folder, 'any'), 'w')
    const prototype = Object.getPrototypeOf(handle) as FileHandle
    await handle.close()
    const { write } = prototype
    const few = function (this: FileHandle, bytes: Uint8Array, at: number) {
      return write.call(this, bytes as never, at as never, Math.min(7, bytes.length - at) as never)
    }
    const spy = vi.spyOn(prototype, 'write').mockImplementation(few as never)
    const events = await EventFile.create(path.join(folder, 'short'))
    await events.add(3, [{ scalars: { loss: 0.5 } }])
    await events.close()
    spy.mockRestore()
    expect(readEvents(readFileSync(events.path)).map(({ step }) => step ?? 0)).toEqual([0, 3])
  })

  it('a write that fails is a typed error', async () => {
    const events = await EventFile.create(path.join(folder, 'closed'))
    await events.close()
    await expect(events.add(0, [{ scalars: { loss: 1 } }])).rejects.toMatchObject({
      name: 'FormatError',
      code: 'ERR_FILE_SYSTEM',
      cause: { code: 'EBADF' },
    })
  })
})
