/** The process of one trial: imports the objective, runs it, says what came out, and ends. */
import { describe } from '../ndarray.js'
import { StateError } from '../errors.js'
import type { Message, Order } from './protocol.js'
import { defaultOf, type Objective, perform, Trial } from './trial.js'

const abort = new AbortController()
/** Reports whose decisions have not come yet, the oldest first. */
const asked: ((shouldPrune: boolean) => void)[] = []

function send(message: Message): Promise<void> {
  return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()))
}

async function run({ objective: url, facts }: Extract<Order, { kind: 'run' }>): Promise<Message> {
  const failed = (reason: string): Message => ({
    kind: 'outcome',
    outcome: { state: 'failed', reason },
  })
  let objective: unknown
  try {
    objective = defaultOf(await import(url))
  } catch (error) {
    return failed(`the module must load, got ${String(error)}`)
  }
  if (typeof objective !== 'function') return { kind: 'refused', actual: describe(objective) }
  const trial = new Trial(facts, abort.signal, (value, step) => {
    void send({ kind: 'report', value, step })
    return new Promise((resolve) => asked.push(resolve))
  })
  return { kind: 'outcome', outcome: await perform(objective as Objective, facts.params, trial) }
}

process.on('message', async (order: Order) => {
  if (order.kind === 'decision') asked.shift()?.(order.shouldPrune)
  else if (order.kind === 'abort') abort.abort(new StateError('ERR_CANCELLED', order.reason))
  else {
    await send(await run(order))
    process.exit(0) // whatever the objective has left running
  }
})
// Nobody is there any more who would take the result.
process.on('disconnect', () => process.exit(1))
// Ctrl-C reaches every process of a terminal: the sweep decides what becomes of its trials.
process.on('SIGINT', () => {})
