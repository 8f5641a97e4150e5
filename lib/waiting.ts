/** Waiting for promises of others. */

export const isThenable = (value: unknown): value is Promise<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as { then?: unknown }).then === 'function'

/** Rejects with the signal's reason as soon as it is aborted, even if the source never answers. */
export async function abortable<T>(wait: Promise<T>, signal: AbortSignal | null): Promise<T> {
  if (!signal) return wait
  wait.catch(() => {}) // if it loses the race: told already
  signal.throwIfAborted()
  let stop: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([wait, aborted])
  } finally {
    signal.removeEventListener('abort', stop!)
  }
}
