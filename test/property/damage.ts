/** Damage to the bytes of a file. */
import fc from 'fast-check'

/** A place, as a share of the length. */
const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

type Change =
  | { kind: 'flip'; at: number; bits: number }
  | { kind: 'fill'; at: number; bits: number; length: number }
  | { kind: 'copy'; at: number; from: number; length: number }
  | { kind: 'cut'; at: number }

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    kind: fc.constant('flip' as const),
    at: share,
    bits: fc.integer({ min: 1, max: 255 }),
  }),
  fc.record({
    kind: fc.constant('fill' as const),
    at: share,
    bits: fc.constantFrom(0, 255),
    length: fc.integer({ min: 1, max: 64 }),
  }),
  fc.record({
    kind: fc.constant('copy' as const),
    at: share,
    from: share,
    length: fc.integer({ min: 1, max: 512 }),
  }),
  fc.record({ kind: fc.constant('cut' as const), at: share }),
)

export const anyChanges = fc.array(change, { minLength: 1, maxLength: 6 })

/** A copy of the bytes with all changes. */
export function damaged(bytes: Uint8Array, changes: readonly Change[]): Uint8Array {
  let out: Uint8Array = Uint8Array.from(bytes)
  for (const one of changes) {
    const at = Math.floor(one.at * out.length)
    if (one.kind === 'flip' && out.length > 0) out[at]! ^= one.bits
    else if (one.kind === 'fill') out.fill(one.bits, at, at + one.length)
    else if (one.kind === 'copy') {
      const from = Math.floor(one.from * out.length)
      out.copyWithin(at, from, from + one.length)
    } else if (one.kind === 'cut') out = out.slice(0, at)
  }
  return out
}
