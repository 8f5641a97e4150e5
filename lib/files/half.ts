/** Numbers of 16 bits as float32. */

/** IEEE 754 binary16, little-endian: [n]. */
export function fromFloat16(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, (half) => {
    const sign = half & 0x8000 ? -1 : 1
    const exponent = (half >> 10) & 31
    const fraction = half & 1023
    if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
    return exponent === 0
      ? sign * fraction * 2 ** -24
      : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  })
}

/** The upper half of a float32, little-endian: [n]. */
export function fromBfloat16(bits: Uint16Array): Float32Array {
  const whole = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) whole[i] = bits[i]! << 16
  return new Float32Array(whole.buffer)
}
