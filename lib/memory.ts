/** A check against the memory of the machine. */
import { totalmem } from 'node:os'

/**
 * Refuses what the machine cannot hold: the system may promise more than that, and end the process
 * when it is used.
 *
 * @throws RangeError, as JavaScript does for an array that cannot be allocated
 */
export function checkMemory(bytes: number): void {
  if (bytes > 2 ** 30 && bytes > Math.min(totalmem(), process.constrainedMemory?.() || Infinity))
    throw new RangeError('more than the memory of this machine')
}
