/**
 * An event file: records one after the other, each
 *
 *   uint64 length · uint32 masked CRC of the length · the bytes of an Event · uint32 masked CRC of
 *   those bytes
 *
 * in little endian. The CRC is CRC-32C (Castagnoli), masked by TensorFlow as `rotate right by 15,
 * plus 0xa282ead8`. (TFRecord; tensorflow/core/lib/io/record_writer.cc.)
 */
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { cutFile, fileError } from '../files/atomic.js'
import { HiddenstateError } from '../errors.js'
import type { Content, encodeEvent } from './messages.js'

type Crc32c = (bytes: Uint8Array) => number

const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0

function record(data: Uint8Array, crc32c: Crc32c): Uint8Array {
  const bytes = new Uint8Array(12 + data.length + 4)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(data.length), true)
  view.setUint32(8, masked(crc32c(bytes.subarray(0, 8))), true)
  bytes.set(data, 12)
  view.setUint32(12 + data.length, masked(crc32c(data)), true)
  return bytes
}

interface Libraries {
  encodeEvent: typeof encodeEvent
  crc32c: Crc32c
}

async function loadLibraries(): Promise<Libraries> {
  const [{ encodeEvent }, { default: crc32c }] = await Promise.all([
    import('./messages.js'),
    import('crc-32/crc32c.js'),
  ])
  return { encodeEvent, crc32c: crc32c.buf }
}

let files = 0

/** Appends events to a new file of a folder. */
export class EventFile {
  readonly #file: FileHandle
  readonly #bytesOf: typeof encodeEvent
  readonly #crc32c: Crc32c
  #size = 0

  private constructor(
    readonly path: string,
    file: FileHandle,
    { encodeEvent: encode, crc32c }: Libraries,
  ) {
    this.#file = file
    this.#bytesOf = encode
    this.#crc32c = crc32c
  }

  /**
   * A file of its own name in `folder`, which is made when it is not there.
   * The libraries are loaded now.
   *
   * @throws FormatError ERR_FILE_SYSTEM when the file system refuses
   */
  static async create(folder: string): Promise<EventFile> {
    const libraries = await loadLibraries()
    const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, '0')
    const path = join(
      folder,
      `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${files++}`,
    )
    try {
      await mkdir(folder, { recursive: true })
      const events = new EventFile(path, await open(path, 'wx'), libraries)
      await events.add(0, [{ fileVersion: 'brain.Event:2' }])
      return events
    } catch (error) {
      throw error instanceof HiddenstateError ? error : fileError(path, 'writable', error)
    }
  }

  /**
   * A file that {@link create} has made, cut back to a size that it had.
   *
   * @throws FormatError ERR_FILE_SYSTEM
   */
  static async reopen(path: string, size: number): Promise<EventFile> {
    const libraries = await loadLibraries()
    try {
      cutFile(path, size)
      const events = new EventFile(path, await open(path, 'a'), libraries)
      events.#size = size
      return events
    } catch (error) {
      throw fileError(path, 'writable', error)
    }
  }

  /** Bytes that were written so far. */
  get size(): number {
    return this.#size
  }

  /** Events of one step. @throws FormatError ERR_FILE_SYSTEM */
  async add(step: number, contents: readonly Content[]): Promise<void> {
    const seconds = Date.now() / 1000
    const records = contents.map((content) =>
      record(this.#bytesOf(seconds, step, content), this.#crc32c),
    )
    const bytes = Buffer.concat(records)
    try {
      // a write may end early: a record that is cut makes all after it unreadable
      for (let at = 0; at < bytes.length; ) at += (await this.#file.write(bytes, at)).bytesWritten
      this.#size += bytes.length
    } catch (error) {
      throw fileError(this.path, 'writable', error)
    }
  }

  /** Twice does no harm. @throws FormatError ERR_FILE_SYSTEM */
  async close(): Promise<void> {
    await this.#file.close().catch((error) => {
      throw fileError(this.path, 'writable', error)
    })
  }
}
