/** Long work on this thread, cut into steps so that the event loop can go on between them. */
import { setImmediate } from 'node:timers/promises'

/** Work that yields after each step of a few milliseconds at most, and ends with a result. */
export type SlicedWork<T> = Generator<void, T>

/** How long steps follow each other without a pause; the last of them may go on beyond it. */
const SLICE_MS = 8

/** Does all steps, one after the other. */
export function runAtOnce<T>(steps: SlicedWork<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

/**
 * Does all steps, with pauses in which the event loop goes on.
 * @param pause waits for one turn of the event loop; what it throws ends the work
 */
export async function runInSlices<T>(
  steps: SlicedWork<T>,
  pause: () => Promise<unknown> = setImmediate,
): Promise<T> {
  for (let end = performance.now() + SLICE_MS; ; ) {
    const step = steps.next()
    if (step.done) return step.value
    if (performance.now() < end) continue
    await pause()
    end = performance.now() + SLICE_MS
  }
}
