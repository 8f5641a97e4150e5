/** What memory there is. */
import { totalmem } from 'node:os'

/**
 * The system may promise more than it has, and end the process when that is used.
 *
 * @throws RangeError, as JavaScript does for an array that cannot be allocated
 */
export function checkMemory(bytes: number): void {
  if (bytes > 2 ** 30 && bytes > Math.min(totalmem(), process.constrainedMemory?.() || Infinity))
    throw new RangeError('more than the memory of this machine')
}
