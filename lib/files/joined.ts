/** Numbers of several arrays in one. */

/**
 * Arrays one after the other, in memory of their own.
 *
 * @param Numbers the class of the result, whose numbers those of `parts` become
 */
export function joined<A extends Uint8Array | Float32Array>(
  Numbers: new (length: number) => A,
  parts: readonly ArrayLike<number>[],
): A {
  const out = new Numbers(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
