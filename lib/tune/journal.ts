/**
 * The journal of a sweep: a file of JSON lines to which any number of processes append. It is the
 * only thing that they share; docs/decisions/0054-sweeps.md says why that is enough.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import path from 'node:path'
import { fileError, isRunning, processScope } from '../files/atomic.js'
import { ConfigError, FormatError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import { isShared, locked } from './lock-file.js'
import { type Direction, type Line, type Signed, type SweepLine, Trials } from './records.js'
import { checkSpace, isOf, type Space } from './space.js'

/** How long nothing must come from a process before it counts as dead, by the reader's clock. */
const DEAD_MS = 60_000
/** Longer lines are damaged: no line of this package comes near. */
const LONGEST_LINE = 2 ** 20
/** Bytes read at a time. */
const CHUNK = 2 ** 20
/** How often a line is written again that is not there after it was written. */
const ATTEMPTS = 10

type Draft = Line extends infer L ? L : never

/** What is asked of the first line. */
export interface Wanted {
  space: Space
  direction: Direction
  /** Undefined: that of the journal, or `fresh` for a new one. */
  seed: number | undefined
  /** A seed for a new journal. */
  fresh: number
}

/** A journal that is open: what it has said so far, and a way to add to it. */
export class Journal {
  /** Null: the journal lives in memory. */
  readonly path: string | null
  /** What this process signs with. */
  readonly by = `${processScope()}.${process.pid}.${randomBytes(4).toString('hex')}`
  /** Every process whose lines were read: when the last of them was, by this process's clock. */
  readonly #heard = new Map<string, number>()
  readonly #trials = new Trials()
  readonly #locks: boolean
  #head: SweepLine | null = null
  /** Bytes of whole lines that were read. */
  #offset = 0
  /** Bytes after them: a line that is not whole. */
  #rest = 0
  #lines = 0
  #written = 0
  /** Lines of this process that were not seen in the file yet. */
  readonly #unseen = new Set<number>()
  /** When this process has last written, by its own clock. */
  wrote = 0

  /** @param lock whether appends take turns by a lock file; null: on network file systems */
  constructor(file: string | null, lock: boolean | null) {
    this.path = file
    const shared = () => file !== null && this.#try('writable', () => isShared(path.dirname(file)))
    this.#locks = lock ?? shared()
  }

  /** The first line; null: there is none yet. */
  get head(): SweepLine | null {
    return this.#head
  }

  get trials(): Trials {
    return this.#trials
  }

  /**
   * Reads what there is; begins the journal if nothing is there.
   *
   * @throws ConfigError ERR_OPTION for a journal of another sweep, FormatError ERR_FILE_FORMAT for
   *   a file that is none, ERR_FILE_SYSTEM
   */
  async open({ space, direction, seed, fresh }: Wanted): Promise<SweepLine> {
    this.read()
    if (this.#head === null)
      await this.append({ event: 'sweep', version: 1, space, direction, seed: seed ?? fresh })
    const head = this.#head as SweepLine | null
    if (head === null) return this.#fail('begun by its first line', 'none')
    const differs = (what: string, before: string, actual: string) => {
      const expected = `that of ${this.path}, ${before}`
      const hint = 'Another sweep needs a journal of its own.'
      fail(ConfigError, 'ERR_OPTION', { where: 'tune', what, expected, actual, hint })
    }
    const [before, now] = [JSON.stringify(head.space), JSON.stringify(space)]
    if (before !== now) differs('space', before, now)
    if (head.direction !== direction) differs('direction', `'${head.direction}'`, `'${direction}'`)
    if (seed !== undefined && seed !== head.seed) differs('seed', `${head.seed}`, `${seed}`)
    return head
  }

  /**
   * Reads what there is, which must be something.
   *
   * @throws FormatError ERR_FILE_SYSTEM, ERR_FILE_FORMAT
   */
  existing(): SweepLine {
    this.#try('readable', () => closeSync(openSync(this.path!, 'r')))
    this.read()
    return this.#head ?? this.#fail('one that was begun', 'an empty file')
  }

  /**
   * Adds a line, and reads on until it is there: the lines of others that came before are known
   * then. A line that fell victim to another's (the half of one that was killed, the same place on
   * a network file system) is written again.
   *
   * @param durable waits until it is on the disk
   */
  async append(line: Draft, { durable = false } = {}): Promise<void> {
    const signed = { ...line, by: this.by, n: ++this.#written, time: Date.now() }
    const text = JSON.stringify(signed)
    this.wrote = performance.now()
    this.#unseen.add(signed.n)
    if (this.path === null) return this.#take(text)
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const write = () => this.#try('writable', () => this.#write(text, durable))
      if (this.#locks) await locked(`${this.path}.lock`, write)
      else write()
      this.read()
      if (!this.#unseen.has(signed.n)) return
    }
    this.#fail('a file that keeps what is appended to it', 'one that loses lines')
  }

  /** In one call, so that lines of others come before it or after it. */
  #write(text: string, durable: boolean): void {
    const file = openSync(this.path!, 'a')
    try {
      // What a killed process has left must not swallow this line.
      const start = fstatSync(file).size > this.#offset + this.#rest ? this.#peek() : this.#rest > 0
      const bytes = Buffer.from(`${start ? '\n' : ''}${text}\n`)
      const written = writeSync(file, bytes)
      if (written < bytes.length) throw new Error(`${written} of ${bytes.length} bytes written`)
      if (durable) fdatasyncSync(file)
    } finally {
      closeSync(file)
    }
  }

  /** Whether the file ends within a line. */
  #peek(): boolean {
    this.read()
    return this.#rest > 0
  }

  /** Takes in what was added since the last time. */
  read(): void {
    if (this.path !== null) this.#try('readable', () => this.#readFile(this.path!))
  }

  #readFile(file: string): void {
    let handle: number
    try {
      handle = openSync(file, 'r')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && this.#offset === 0) return
      throw error
    }
    try {
      const { size } = fstatSync(handle)
      if (size < this.#offset)
        this.#fail(`at least ${this.#offset} bytes long, as it was`, `${size}`)
      let pending = Buffer.alloc(0) // bytes from #offset on
      for (let at = this.#offset; at < size; at += CHUNK) {
        const chunk = Buffer.alloc(Math.min(CHUNK, size - at))
        const got = readSync(handle, chunk, 0, chunk.length, at)
        pending = this.#split(Buffer.concat([pending, chunk.subarray(0, got)]))
        if (pending.length > LONGEST_LINE)
          this.#fail(`of lines of at most ${LONGEST_LINE} bytes`, `more in line ${this.#lines + 1}`)
      }
      this.#rest = pending.length
    } finally {
      closeSync(handle)
    }
  }

  /** Takes the whole lines of some bytes; the bytes after them. */
  #split(bytes: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
    let from = 0
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      this.#take(bytes.toString('utf8', from, end))
      from = end + 1
    }
    this.#offset += from
    return bytes.subarray(from)
  }

  #take(text: string): void {
    this.#lines++
    const line = parsed(text)
    if (line === null) {
      // The half of a line, which a killed process has left. The first one shows whether this is a
      // journal at all.
      if (this.#head === null && !isHalfHead(text)) this.#failNoJournal(text)
      return
    }
    if (this.#head === null && line.event !== 'sweep') this.#failNoJournal(text)
    this.#heard.set(line.by, performance.now())
    if (line.by === this.by) this.#unseen.delete(line.n)
    if (line.event === 'beat') return
    if (line.event === 'sweep') {
      this.#head ??= this.#checkHead(line) // the first one counts
      return
    }
    const head = this.#head!
    if (!this.#trials.take(line, (params) => isOf(head.space, params)))
      this.#fail('what it was when it was written', `another line ${this.#lines}`)
  }

  #checkHead(line: SweepLine): SweepLine {
    const { version, space, direction, seed } = line
    if (version !== 1) this.#fail('of version 1', `version ${describe(version)}`)
    if (direction !== 'minimize' && direction !== 'maximize')
      this.#fail('of a direction', describe(direction))
    if (!Number.isSafeInteger(seed) || seed < 0) this.#fail('of a seed', describe(seed))
    try {
      return { event: 'sweep', version, space: checkSpace(`${this.path}`, space), direction, seed }
    } catch (cause) {
      throw new FormatError('ERR_FILE_FORMAT', (cause as Error).message, { cause })
    }
  }

  /** @throws FormatError ERR_FILE_FORMAT */
  #fail(expected: string, actual: string): never {
    const where = this.path ?? 'tune'
    fail(FormatError, 'ERR_FILE_FORMAT', { where, what: 'journal', expected, actual })
  }

  #failNoJournal(text: string): never {
    const start = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
    this.#fail('that of a sweep', `a file with the line ${start}`)
  }

  /** Whether a process that has signed lines runs no more. */
  isDead(by: string): boolean {
    if (by === this.by) return false
    const [scope, pid] = by.split('.')
    if (isRunning(scope, pid) === false) return true
    return performance.now() - (this.#heard.get(by) ?? 0) > DEAD_MS
  }

  #try<T>(expected: 'readable' | 'writable', use: () => T): T {
    try {
      return use()
    } catch (error) {
      if (error instanceof FormatError) throw error
      throw fileError(String(this.path), expected, error)
    }
  }
}

const EVENTS = new Set(['sweep', 'start', 'report', 'end', 'release', 'beat'])

/** A line; null: it is damaged. */
function parsed(text: string): (Line & Signed) | null {
  let line: (Line & Signed) | null
  try {
    line = JSON.parse(text)
  } catch {
    return null
  }
  const isSigned = typeof line?.by === 'string' && Number.isSafeInteger(line.n)
  return isSigned && EVENTS.has(line!.event) ? line : null
}

/** Whether a damaged line can be the beginning of a journal's first. */
function isHalfHead(text: string): boolean {
  const start = '{"event":"sweep",'
  return text.includes(start) || start.startsWith(text)
}
