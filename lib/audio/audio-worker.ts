/** The thread that computes features: one sound after the other. */
import { parentPort } from 'node:worker_threads'
import { HiddenstateError } from '../errors.js'
import { type Answer, extract, type Task } from './extraction.js'

/** Milliseconds between two words about how far it is. */
const QUIET_MS = 50

const port = parentPort
const answer = (message: Answer, moved: ArrayBuffer[] = []) => port?.postMessage(message, moved)

/** An error as plain data; what the system said is kept. */
function told(error: unknown): Answer {
  const known = error instanceof HiddenstateError
  const { code } = (known ? (error.cause ?? {}) : {}) as { code?: unknown }
  return {
    kind: 'error',
    code: known ? error.code : 'ERR_INTERNAL',
    message: error instanceof Error ? error.message : String(error),
    expected: known ? (error.expected ?? '') : '',
    actual: known ? (error.actual ?? '') : '',
    cause: typeof code === 'string' ? { code } : undefined,
  }
}

port?.on('message', async (task: Task) => {
  let last = performance.now()
  try {
    const { rows, width } = await extract(task, (share) => {
      if (performance.now() - last < QUIET_MS) return
      last = performance.now()
      answer({ kind: 'progress', share })
    })
    answer({ kind: 'rows', rows, width }, [rows.buffer as ArrayBuffer])
  } catch (error) {
    answer(told(error))
  }
})
answer({ kind: 'ready' })
