/** Sine waves of random frequency and phase, the same on every machine. */

/** The usual 32-bit generator: doubles in [0, 1). */
export function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/**
 * `{ x: [count, steps, 1], y: [count, 1], waves }`: `steps` values of sin(w t + p), the one that
 * follows, and every `{ w, p }`.
 */
export function makeWaves(count, seed, steps = 50) {
  const random = mulberry32(seed)
  const x = new Float32Array(count * steps)
  const y = new Float32Array(count)
  const waves = []
  for (let i = 0; i < count; i++) {
    const w = 0.1 + 0.4 * random()
    const p = 2 * Math.PI * random()
    for (let t = 0; t < steps; t++) x[i * steps + t] = Math.sin(w * t + p)
    y[i] = Math.sin(w * steps + p)
    waves.push({ w, p })
  }
  return { x: { data: x, shape: [count, steps, 1] }, y: { data: y, shape: [count, 1] }, waves }
}
