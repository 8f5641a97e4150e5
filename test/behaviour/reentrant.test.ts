/**
 * Arguments of the addon whose getters call back into it: the plan may be gone or busy by the time
 * they have been read.
 */
import { describe, expect, it } from 'vitest'
import { ADDON, jsonOf } from '../child.js'

describe('an argument that calls back', () => {
  it.each([
    ['predict, dispose', 'ERR_DISPOSED'],
    ['predict, run', 'ERR_BUSY'],
    ['run, dispose', 'ERR_DISPOSED'],
    ['write, dispose', 'ERR_DISPOSED'],
    ['write, run', 'ERR_BUSY'],
    ['load, dispose', 'ERR_DISPOSED'],
  ])('%s: %s', async (what, code) => {
    expect(await jsonOf('behaviour/children/reentrant.mjs', { args: [ADDON, what] })).toBe(code)
  })
})
