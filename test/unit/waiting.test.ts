/** Waiting for promises of others. */
import { expect, it } from 'vitest'
import { abortable } from '../../lib/waiting.js'

it('leaves no rejection unhandled, whenever the signal is aborted', async () => {
  const unhandled: unknown[] = []
  const listen = (reason: unknown) => void unhandled.push(reason)
  process.on('unhandledRejection', listen)
  try {
    for (const when of ['before', 'meanwhile'] as const) {
      const controller = new AbortController()
      let reject!: (reason: Error) => void
      const wait = new Promise<never>((_, fail) => (reject = fail))
      if (when === 'before') controller.abort(new Error('stop'))
      const result = abortable(wait, controller.signal)
      if (when === 'meanwhile') controller.abort(new Error('stop'))
      await expect(result, when).rejects.toThrow('stop')
      reject(new Error('late'))
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  } finally {
    process.off('unhandledRejection', listen)
  }
  expect(unhandled).toEqual([])
})
