/** WAV files byte by byte, as no writer makes them. */

/** What `fmt ` says. */
export interface Format {
  tag?: number
  channels?: number
  rate?: number
  bits?: number
  /** Default: what follows from channels and bits. */
  blockAlign?: number
  /** Bytes after the first 16. */
  more?: Uint8Array
  big?: boolean
}

/** A number of four bytes. */
export function u32(value: number, big = false): Buffer {
  const bytes = Buffer.alloc(4)
  if (big) bytes.writeUInt32BE(value)
  else bytes.writeUInt32LE(value)
  return bytes
}
const u16 = (value: number, big = false): Buffer =>
  big ? Buffer.from([value >> 8, value & 255]) : Buffer.from([value & 255, value >> 8])

/** A chunk with the byte that fills it up, claiming to be `size` bytes long. */
export const chunk = (id: string, content: Uint8Array, size = content.length, big = false) =>
  Buffer.concat([Buffer.from(id), u32(size, big), content, Buffer.alloc(content.length % 2)])

export function fmt(format: Format = {}): Buffer {
  const { tag = 1, channels = 1, rate = 16000, bits = 16, more = Buffer.alloc(0), big } = format
  const { blockAlign = channels * Math.ceil(bits / 8) } = format
  const second = u32((rate * blockAlign) % 2 ** 32, big)
  const [head, tail] = [
    [u16(tag, big), u16(channels, big), u32(rate, big)],
    [second, u16(blockAlign, big), u16(bits, big), more],
  ]
  return chunk('fmt ', Buffer.concat([...head, ...tail]), 16 + more.length, big)
}

/** `cbSize`, valid bits, speakers, and the id of a format with a plain number. */
export const extensible = (tag: number, bits: number): Buffer =>
  Buffer.concat([
    ...[u16(22), u16(bits), u32(0), u16(tag)],
    Buffer.from('000000001000800000aa00389b71', 'hex'),
  ])

/** The file of these chunks. */
export function riff(chunks: readonly Uint8Array[], container = 'RIFF'): Buffer {
  const content = Buffer.concat([Buffer.from('WAVE'), ...chunks])
  return Buffer.concat([Buffer.from(container), u32(content.length, container === 'RIFX'), content])
}

/** 16 bits each. */
export const int16 = (...values: number[]): Buffer =>
  Buffer.concat(values.map((value) => u16(value & 0xffff)))
