/**
 * Samples of a WAV file as numbers in [-1, 1): integers divided by their largest magnitude, 2^(bits
 * - 1), 8 bits from 128 on (they alone have no sign); A-law and µ-law by ITU-T G.711, its 13 and 14
 * bits likewise; floats as they are.
 */
import type { WavHeader } from './wav-header.js'

/** Samples of one channel that are decoded at a time. */
const BLOCK = 2 ** 16

/** G.711's A-law: sign, three bits of exponent, four of mantissa; even bits inverted. */
function alaw(code: number): number {
  const bits = code ^ 0x55
  const exponent = (bits >> 4) & 7
  const mantissa = ((bits & 15) << 4) + 8
  const magnitude = exponent === 0 ? mantissa : (mantissa + 256) << (exponent - 1)
  return (bits & 0x80 ? magnitude : -magnitude) / 32768
}

/** G.711's µ-law: the same with all bits inverted and a bias of 33 (here 132 = 33 · 4). */
function mulaw(code: number): number {
  const bits = ~code & 0xff
  const magnitude = ((((bits & 15) << 3) + 132) << ((bits >> 4) & 7)) - 132
  return (bits & 0x80 ? -magnitude : magnitude) / 32768
}

const table = (decode: (code: number) => number): Float32Array =>
  Float32Array.from({ length: 256 }, (_, code) => decode(code))

/** Reads one sample at a byte. */
type Read = (at: number) => number

function reader(bytes: Uint8Array, { encoding, width, isLittle }: WavHeader): Read {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (encoding === 'alaw' || encoding === 'mulaw') {
    const values = table(encoding === 'alaw' ? alaw : mulaw)
    return (at) => values[bytes[at]!]!
  }
  if (encoding === 'float')
    return width === 4
      ? (at) => view.getFloat32(at, isLittle)
      : (at) => view.getFloat64(at, isLittle)
  if (width === 1) return (at) => (bytes[at]! - 128) / 128
  if (width === 2) return (at) => view.getInt16(at, isLittle) / 2 ** 15
  if (width === 4) return (at) => view.getInt32(at, isLittle) / 2 ** 31
  const [low, high] = isLittle ? [0, 2] : [2, 0]
  return (at) =>
    ((bytes[at + high]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + low]! << 8)) / 2 ** 31
}

/** Which channels: their mean, all beside each other, or one. */
export type Channels = 'mix' | 'all' | number

/**
 * Decodes block after block.
 *
 * @yields samples of a block, [n] or, for 'all', [n, C]; the memory is used again for the next one
 */
export function* wavBlocks(
  bytes: Uint8Array,
  header: WavHeader,
  channels: Channels,
): Generator<Float32Array, void> {
  const { width, channels: C, length, offset } = header
  const read = reader(bytes, header)
  const columns = channels === 'all' ? C : 1
  // A file of very many channels has few samples of each.
  const block = Math.max(1, Math.min(length, Math.floor(BLOCK / columns)))
  const out = new Float32Array(block * columns) // [n, columns]
  for (let from = 0; from < length; from += block) {
    const n = Math.min(block, length - from)
    let at = offset + from * C * width
    if (channels === 'mix' && C > 1) {
      for (let i = 0; i < n; i++) {
        let sum = 0
        for (let c = 0; c < C; c++, at += width) sum += read(at)
        out[i] = sum / C
      }
    } else if (channels === 'all') {
      for (let i = 0; i < n * C; i++, at += width) out[i] = read(at)
    } else {
      at += (channels === 'mix' ? 0 : channels) * width
      for (let i = 0; i < n; i++, at += C * width) out[i] = read(at)
    }
    yield out.subarray(0, n * columns)
  }
}
