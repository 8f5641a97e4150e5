/**
 * Whose turn it is to use a model: one call at a time, first come, first served.
 *
 * A fit keeps its turn while a callback is called or awaited, so that the callback may read and
 * write weights at any time; what the callback itself asks of the model (found out with
 * AsyncLocalStorage) runs within that turn, one call at a time again.
 * All others wait for the next batch.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { abortable, isThenable } from '../waiting.js'

/** The right to use the plan until released. */
export interface Turn {
  /** Lets the others go first, if any wait. */
  pass(): Promise<void>
  /** Awaits something while others may go; released meanwhile, the turn does not come back. */
  lend<T>(wait: PromiseLike<T>): Promise<T>
  release(): void
}

/** A queue: one holds the turn, the others wait in the order of their calls. */
class Line {
  isTaken = false
  #waiting: (() => void)[] = []

  get isWanted(): boolean {
    return this.#waiting.length > 0
  }

  async take(): Promise<void> {
    if (this.isTaken) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.isTaken = true
  }

  give(): void {
    const next = this.#waiting.shift()
    if (next)
      next() // isTaken stays true: the next one has the turn
    else this.isTaken = false
  }
}

/** A callback that is called or awaited. */
interface Scope {
  readonly turns: Turns
  /** The queue of the calls that run within the fit's turn. */
  readonly line: Line
  isOpen: boolean
  /** The scope of the fit of another model, whose callback fits this one. */
  readonly outer: Scope | undefined
}

const scopes = new AsyncLocalStorage<Scope>()

export class Turns {
  readonly #line = new Line()
  #users = 0

  /** Whether someone has the turn now. */
  get isTaken(): boolean {
    return this.#line.isTaken
  }

  /** Whether someone has a turn, has lent it or waits for one. */
  get isUsed(): boolean {
    return this.#users > 0
  }

  /**
   * Whether the caller is a callback of the fit under way, or what such a callback has called,
   * before its promise is settled.
   */
  get isInCallback(): boolean {
    return this.#scope() !== undefined
  }

  #scope(): Scope | undefined {
    let scope = scopes.getStore()
    while (scope && scope.turns !== this) scope = scope.outer
    return scope?.isOpen ? scope : undefined
  }

  async take(): Promise<Turn> {
    const scope = this.#scope()
    const lineNow = () => (scope?.isOpen ? scope.line : this.#line)
    let line: Line
    const enter = async () => {
      for (;;) {
        line = lineNow()
        await line.take()
        if (line === lineNow()) return
        line.give() // the callback has ended meanwhile
      }
    }
    this.#users++
    await enter()
    let isHeld = true
    let isLent = false
    return {
      pass: async () => {
        if (!line.isWanted && line === lineNow()) return
        const left = line
        const back = enter() // queued before the turn is given: those who come later wait behind
        left.give()
        await back
      },
      lend: async (wait) => {
        isLent = true
        line.give()
        try {
          return await wait
        } finally {
          if (isHeld) {
            await enter()
            isLent = false
            if (!isHeld) line.give() // released while it waited
          }
        }
      },
      release: () => {
        if (!isHeld) return
        isHeld = false
        this.#users--
        if (!isLent) line.give()
      },
    }
  }

  /**
   * Calls a callback of the one who has the turn, and awaits its promise. Calls that it has not
   * awaited itself stop at their next batch and go on when the turn is free.
   *
   * @throws what the callback throws; the signal's reason when aborted meanwhile
   */
  async callback(call: () => unknown, signal: AbortSignal | null): Promise<void> {
    const scope: Scope = { turns: this, line: new Line(), isOpen: true, outer: scopes.getStore() }
    try {
      const returned = scopes.run(scope, call)
      if (isThenable(returned)) await abortable(Promise.resolve(returned), signal)
    } finally {
      scope.isOpen = false
      if (scope.line.isTaken) await scope.line.take()
    }
  }
}
