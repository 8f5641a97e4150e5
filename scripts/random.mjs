/** Random numbers for long campaigns, which a seed must repeat. */

/** Numbers from 0 to below 1 that follow from a seed (mulberry32). */
export function randomNumbers(seed) {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
