/** Long work on this thread, cut into steps, so that the event loop can go on between them. */
import { setImmediate } from 'node:timers/promises'

/** Work that yields after each step of a few milliseconds at most, and ends with a result. */
export type SlicedWork<T> = Generator<void, T>

/** How long steps follow each other without a pause; the one under way adds to it. */
export const SLICE_MS = 8

/** All steps, one after the other. */
export function runAtOnce<T>(steps: SlicedWork<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

/** The same, with pauses in which the event loop goes on. */
export async function runInSlices<T>(steps: SlicedWork<T>): Promise<T> {
  for (let end = performance.now() + SLICE_MS; ; ) {
    const step = steps.next()
    if (step.done) return step.value
    if (performance.now() < end) continue
    await setImmediate()
    end = performance.now() + SLICE_MS
  }
}
