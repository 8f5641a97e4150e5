/** A negative control of reference.test.ts: a link that leads {@link nowhere}. */
export const broken = true
