import { Turns } from './turns.js'

/** What the runners of models that share layers have in common: one queue, one training. */
export class SharedTurns {
  readonly turns = new Turns()
  /** The call that trains now ('fit'), or null. */
  training: string | null = null
  /** Those of another runner, which these have become a part of; null: none. */
  joined: SharedTurns | null = null
  isShared = false
  /** @see Runner.changes */
  changes = 0
}
