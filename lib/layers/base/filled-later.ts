/** Parameters that get their values from elsewhere, right after they are made. */

let isFilledLater = false

/** Whether parameters that are made now begin as zeros. */
export const areFilledLater = (): boolean => isFilledLater

/**
 * Builds layers whose parameters are filled right afterwards, from a file: they begin as zeros, and
 * draw no random numbers.
 * @param build must not wait
 */
export function withoutInitialization<T>(build: () => T): T {
  const before = isFilledLater
  isFilledLater = true
  try {
    return build()
  } finally {
    isFilledLater = before
  }
}
