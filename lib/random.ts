/**
 * The one stream of random numbers of this thread: initial weights, shuffles, and the seed that
 * native dropout counts from.
 *
 * xoshiro128** (Blackman and Vigna 2018, arXiv:1805.01407),
 * its state filled by splitmix32 from the seed.
 *   result = rotl(s1 * 5, 7) * 9
 *   t = s1 << 9;  s2 ^= s0;  s3 ^= s1;  s1 ^= s2;  s0 ^= s3;  s2 ^= t;  s3 = rotl(s3, 11)
 */
import { randomInt } from 'node:crypto'
import { ConfigError, fail } from './errors.js'
import { describe } from './ndarray.js'

const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k))

/** A stream of random numbers of its own. */
export class RandomStream {
  /**
   * Element i: the states that 2^i steps make of the 128 states with one bit set, [128, 4], since a
   * step is linear over GF(2). Made when needed.
   */
  static readonly #jumps: Uint32Array[] = []
  readonly #state = new Uint32Array(4)

  /** @param seed an integer from 0 to 2^53 - 1 */
  constructor(seed: number) {
    this.seed(seed)
  }

  /** Starts anew. */
  seed(seed: number): void {
    // both halves of the seed count: 53 bits of integer
    let a = (seed >>> 0) ^ Math.imul(Math.floor(seed / 2 ** 32) >>> 0, 0x85ebca6b)
    for (let i = 0; i < 4; i++) {
      a = (a + 0x9e3779b9) | 0
      let z = a
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      this.#state[i] = z ^ (z >>> 15)
    }
  }

  /** Next 32 random bits, as an unsigned integer. */
  next(): number {
    const s = this.#state
    const s1 = s[1]!
    const result = Math.imul(rotl(Math.imul(s1, 5), 7), 9) >>> 0
    s[2]! ^= s[0]!
    s[3]! ^= s1
    s[1]! ^= s[2]!
    s[0]! ^= s[3]!
    s[2]! ^= s1 << 9
    s[3] = rotl(s[3]!, 11)
    return result
  }

  /** Does what `words` calls of {@link next} do, in a time that grows with their logarithm. */
  skip(words: number): void {
    for (let i = 0; words > 0; i++, words = Math.floor(words / 2))
      if (words % 2 === 1) this.#state.set(RandomStream.#image(RandomStream.#jump(i), this.#state))
  }

  static #jump(i: number): Uint32Array {
    const known = RandomStream.#jumps[i]
    if (known) return known
    const images = new Uint32Array(128 * 4)
    const half = i > 0 ? RandomStream.#jump(i - 1) : null
    const one = new RandomStream(0)
    for (let bit = 0; bit < 128; bit++) {
      const image = images.subarray(4 * bit, 4 * bit + 4)
      if (half) {
        image.set(RandomStream.#image(half, half.subarray(4 * bit, 4 * bit + 4)))
        continue
      }
      one.#state.fill(0)[bit >> 5] = 2 ** (bit & 31)
      one.next()
      image.set(one.#state)
    }
    RandomStream.#jumps[i] = images
    return images
  }

  /** The state that steps make of a state: the sum of the images of its bits. */
  static #image(images: Uint32Array, state: Uint32Array): Uint32Array {
    const sum = new Uint32Array(4)
    for (let bit = 0; bit < 128; bit++) {
      if (((state[bit >> 5]! >>> (bit & 31)) & 1) === 0) continue
      for (let word = 0; word < 4; word++) sum[word]! ^= images[4 * bit + word]!
    }
    return sum
  }

  /** Another stream that goes on from the same place. */
  copy(): RandomStream {
    const copy = new RandomStream(0)
    copy.#state.set(this.#state)
    return copy
  }

  /** Uniform in [0, 1), 53 bits. */
  random(): number {
    return ((this.next() >>> 5) * 67108864 + (this.next() >>> 6)) / 9007199254740992
  }

  /**
   * Fills `out` as calls of {@link random} would, each times `scale` plus `low`, in one loop with
   * the state in registers: 12 times as fast.
   */
  fill(out: Float64Array, low: number, scale: number): Float64Array {
    let [s0, s1, s2, s3] = this.#state as unknown as [number, number, number, number]
    let high = 0 // of the two words of a number
    for (let i = 0; i < 2 * out.length; i++) {
      const product = Math.imul(s1, 5)
      const word = Math.imul((product << 7) | (product >>> 25), 9)
      const shifted = s1 << 9
      s2 ^= s0
      s3 ^= s1
      s1 ^= s2
      s0 ^= s3
      s2 ^= shifted
      s3 = (s3 << 11) | (s3 >>> 21)
      if ((i & 1) === 0) high = word >>> 5
      else out[i >> 1] = low + scale * ((high * 67108864 + (word >>> 6)) / 9007199254740992)
    }
    this.#state.set([s0, s1, s2, s3])
    return out
  }

  /**
   * Fills `out`, of even length, with numbers of the normal distribution (Box-Muller),
   * two at a time.
   */
  fillNormal(out: Float64Array, mean: number, sd: number): Float64Array {
    this.fill(out, 0, 1)
    for (let i = 0; i < out.length; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(1 - out[i]!)) // 1 - u is in (0, 1]
      const angle = 2 * Math.PI * out[i + 1]!
      out[i] = mean + sd * radius * Math.cos(angle)
      out[i + 1] = mean + sd * radius * Math.sin(angle)
    }
    return out
  }

  /**
   * Uniform integer in [0, n), n <= 2^32, without bias:
   * draws above the largest multiple of n are thrown away.
   */
  integer(n: number): number {
    const limit = 2 ** 32 - (2 ** 32 % n)
    let x = this.next()
    while (x >= limit) x = this.next()
    return x % n
  }

  /** Shuffles in place (Fisher-Yates) and returns the array. */
  shuffle(order: Int32Array): Int32Array {
    for (let i = order.length - 1; i > 0; i--) {
      const j = this.integer(i + 1)
      const kept = order[i]!
      order[i] = order[j]!
      order[j] = kept
    }
    return order
  }

  /**
   * The whole state: four unsigned 32-bit integers, for those who want to go on from exactly here.
   */
  get state(): number[] {
    return Array.from(this.#state)
  }

  set state(saved: readonly number[]) {
    const fits =
      Array.isArray(saved) &&
      saved.length === 4 &&
      saved.every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32)
    if (!fits || saved.every((n) => n === 0)) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'random state',
        what: 'value',
        expected: 'four unsigned 32-bit integers, not all zero',
        actual: describe(saved),
      })
    }
    this.#state.set(saved)
  }
}

/**
 * The stream of this thread: initial weights,
 * and the seeds of everything that needs a stream of its own.
 */
const main = new RandomStream(randomInt(2 ** 47))
let seedings = 0

/** Uniform in [0, 1), 53 bits. */
export const random = (): number => main.random()

/**
 * Fixes everything that is random: initial weights, shuffling, dropout. With the same seed, the
 * same calls give the same bits again, for any number of threads on the same kind of processor.
 * Each worker thread has a stream of its own.
 *
 * @param seed an integer from 0 to 2^53 - 1
 * @throws ConfigError ERR_OPTION for anything else
 * @example
 * import { setSeed, Dense, Sequential } from 'hiddenstate'
 * const weights = () => {
 *   setSeed(7)
 *   return new Sequential([new Dense(2, { inputDim: 3 })]).getWeights()[0].toArray()
 * }
 * console.log(JSON.stringify(weights()) === JSON.stringify(weights())) // true
 * @see numpy.random.seed
 */
export function setSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    fail(ConfigError, 'ERR_OPTION', {
      where: 'setSeed',
      what: 'seed',
      expected: 'an integer from 0 to 2^53 - 1',
      actual: describe(seed),
    })
  }
  main.seed(seed)
  seedings++
}

/** How often {@link setSeed} was called: a model draws a new dropout seed when it has changed. */
export function seedingCount(): number {
  return seedings
}

/** `n` numbers uniform in [low, high). */
export function uniform(n: number, low = 0, high = 1): Float64Array {
  return main.fill(new Float64Array(n), low, high - low)
}

/** `n` numbers of the normal distribution. */
export function normal(n: number, mean = 0, sd = 1): Float64Array {
  return main.fillNormal(new Float64Array(n + (n % 2)), mean, sd).subarray(0, n)
}

/** Takes the next `words` words out of this thread's stream, as a stream. */
export function takeStream(words: number): RandomStream {
  const taken = main.copy()
  main.skip(words)
  return taken
}

/** Uniform integer in [0, n), n <= 2^32, without bias. */
export const integer = (n: number): number => main.integer(n)

/** Shuffles in place and returns the array. */
export const shuffle = (order: Int32Array): Int32Array => main.shuffle(order)

/** 0 … n-1 in random order. */
export function permutation(n: number): Int32Array {
  return shuffle(Int32Array.from({ length: n }, (_, i) => i))
}

/** A seed for another stream or for native code: an integer below 2^48, exact in a double. */
export function nextSeed(): number {
  return (main.next() >>> 8) * 2 ** 24 + (main.next() >>> 8)
}

/** The state of this thread's stream, see {@link RandomStream.state}. */
export const randomState = (): number[] => main.state

/**
 * Puts back what {@link randomState} gave.
 *
 * @throws ConfigError ERR_OPTION for anything
 *   but four unsigned 32-bit integers that are not all zero
 */
export function setRandomState(saved: readonly number[]): void {
  main.state = saved
}
