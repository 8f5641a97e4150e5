/** Keeps the numbers of standard input, output and error out of other hands. */
import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'

/**
 * Opens the null device under those of the descriptors 0, 1 and 2 that the program has closed, as
 * Node does when it starts. To be called before a worker is made: its event loop would get such a
 * number, and libuv ends the process when one of them is closed (`uv__close` asserts that the
 * descriptor is above 2).
 */
export function occupyStandardDescriptors(): void {
  try {
    for (;;) {
      const descriptor = openSync(devNull, 'r+')
      if (descriptor <= 2) continue
      closeSync(descriptor)
      return
    }
  } catch {
    // No descriptors are left, or no such device: then none of the three is free, or the worker
    // says what it misses.
  }
}
