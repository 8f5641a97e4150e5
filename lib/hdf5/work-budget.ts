/**
 * Measures the work of a worker against its limit. Threads cannot be asked in every Node, so the
 * smaller of two bounds counts: the time that passed, and the processor time of the whole process.
 * A machine that is busy with other programs, a disk that is slow and a laptop that sleeps use up
 * no budget then; a loop without end does, at the speed of the clock.
 */

/** How often the work is measured. */
const TICK_MS = 25
/**
 * A tick that came late, because JavaScript was busy, counts as no more:
 * the answer may be waiting behind it.
 */
const MOST_OF_A_TICK = 2 * TICK_MS
/**
 * Share of waiting time that counts as work:
 * a worker that has died silently reaches its limit, too.
 */
const WAITING = 1 / 30

const processorMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** A budget of work in milliseconds. */
export class WorkBudget {
  limit: number
  /** Milliseconds of work so far. */
  spent = 0

  constructor(limit: number) {
    this.limit = limit
  }

  /**
   * Counts from now on.
   *
   * @param over called when the limit is passed, perhaps more than once
   * @returns ends the counting
   */
  watch(over: () => void): () => void {
    let time = performance.now()
    let processor = processorMs()
    const count = () => {
      const [now, used] = [performance.now(), processorMs()]
      const passed = now - time
      this.spent += Math.min(
        Math.max(Math.min(passed, used - processor), passed * WAITING),
        MOST_OF_A_TICK,
      )
      time = now
      processor = used
    }
    const timer = setInterval(() => {
      count()
      if (this.spent > this.limit) over()
    }, TICK_MS)
    timer.unref()
    return () => {
      clearInterval(timer)
      count()
    }
  }
}
