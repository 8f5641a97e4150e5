/** How often each address may ask: a bucket of tokens that fills with time. */

/** Addresses that are remembered; beyond, those that may ask again are forgotten. */
const MOST = 10_000

interface Bucket {
  tokens: number
  /** `performance.now()` */
  at: number
}

export class RateLimit {
  readonly #perSecond: number
  readonly #buckets = new Map<string, Bucket>()

  /** @param perSecond calls; as many may come at once */
  constructor(perSecond: number) {
    this.#perSecond = perSecond
  }

  /** Takes a token; 0, or how many seconds it takes until there is one. */
  take(address: string): number {
    const now = performance.now()
    const full = Math.max(1, this.#perSecond)
    const bucket = this.#buckets.get(address) ?? { tokens: full, at: now }
    bucket.tokens = this.#filled(bucket, now)
    bucket.at = now
    if (!this.#buckets.has(address)) {
      if (this.#buckets.size >= MOST) this.#forget(now)
      this.#buckets.set(address, bucket)
    }
    if (bucket.tokens < 1) return (1 - bucket.tokens) / this.#perSecond
    bucket.tokens--
    return 0
  }

  #filled({ tokens, at }: Bucket, now: number): number {
    return Math.min(Math.max(1, this.#perSecond), tokens + ((now - at) / 1000) * this.#perSecond)
  }

  #forget(now: number): void {
    for (const [address, bucket] of this.#buckets)
      if (this.#filled(bucket, now) >= this.#perSecond) this.#buckets.delete(address)
    // all of them are in use: the oldest goes
    const [oldest] = this.#buckets.keys()
    if (this.#buckets.size >= MOST) this.#buckets.delete(oldest!)
  }
}
