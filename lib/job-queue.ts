/**
 * How long a job waits before it may run beside those ahead of it; a file of the usual size takes
 * some 10 ms.
 */
const PATIENCE_MS = 100

/**
 * Runs jobs one after the other, in the order of the calls;
 * where those ahead take long, a few at once.
 */
export class JobQueue {
  readonly #most: number
  /** How many may run now. */
  #width = 1
  #running = 0
  readonly #waiting: (() => void)[] = []
  #patience: NodeJS.Timeout | undefined

  /** @param most that run at once */
  constructor(most: number) {
    this.#most = most
  }

  async run<T>(job: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
      this.#next()
    })
    try {
      return await job()
    } finally {
      if (--this.#running === 0) this.#width = 1
      this.#next()
    }
  }

  #next(): void {
    while (this.#running < this.#width && this.#waiting.length > 0) {
      this.#running++
      this.#waiting.shift()!()
      this.#calm()
    }
    if (this.#waiting.length === 0) this.#calm()
    else if (this.#width < this.#most)
      this.#patience ??= setTimeout(() => {
        this.#calm()
        this.#width++
        this.#next()
      }, PATIENCE_MS)
  }

  #calm(): void {
    clearTimeout(this.#patience)
    this.#patience = undefined
  }
}
