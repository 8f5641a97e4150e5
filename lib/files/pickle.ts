/**
 * Python's pickles, read as data. A pickle is a program for a stack machine that may call anything;
 * here it can call nothing: only lists, tuples, dictionaries, strings, numbers and what a
 * vocabulary knows come out, and every other instruction or name is an error. (cpython
 * Lib/pickle.py and pickletools.py, protocols 0 to 5.)
 */
import { fail, FormatError } from '../errors.js'
import type { NDArray } from '../ndarray.js'

/** What a pickle can hold here; tuples are arrays. */
export type Pickled =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | NDArray
  | Made
  | Pickled[]
  | Map<Pickled, Pickled>

/** Something that a vocabulary makes; its class tells what. */
export abstract class Made {
  /** No other object counts as one. */
  protected readonly isMade = true
}

/** Something that calls alone may use: it is nothing that a file can hold. */
export class Part {
  protected readonly isPart = true
}

/** A name of Python: 'torch FloatStorage'. */
export class Name extends Part {
  constructor(readonly text: string) {
    super()
  }
}

/** An object before its state, which comes later in the pickle, fills it. */
export class Shell {
  value: NDArray | Pickled[] | null = null
}

/** What lies on the stack. */
export type Item = Pickled | Part | Shell | Item[] | Map<Item, Item>

/** @throws FormatError ERR_FILE_FORMAT with the place in the pickle */
export type Refuse = (what: string, expected: string, actual: string) => never

/** The names that a pickle may use, and what stands here for what Python would make of them. */
export interface Vocabulary {
  /** What they make, for errors: 'NumPy arrays'. */
  readonly makes: string
  readonly names: ReadonlySet<string>
  /** What a call of one of the names makes. */
  call(name: string, args: readonly Item[], refuse: Refuse): Item
  /** Gives an object the state that its pickle has. */
  setState(target: Item, state: Item, refuse: Refuse): void
  /** What lies outside of the pickle, by its persistent id. Default: nothing does. */
  outside?(id: Item, refuse: Refuse): Item
}

/** Stack and memo may not hold more than this many things. */
const MAX_ITEMS = 2 ** 27

class Unpickler {
  readonly #view: DataView
  #at = 0
  #values: Item[] = []
  #marks: Item[][] = []
  #memo: Item[] = []

  constructor(
    readonly bytes: Uint8Array,
    readonly where: string,
    readonly vocabulary: Vocabulary,
    start: number,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at += start
  }

  /** The byte after the last instruction. */
  get end(): number {
    return this.#at
  }

  readonly #refuse: Refuse = (what, expected, actual) => this.#bad(what, expected, actual)

  #bad(what: string, expected: string, actual: string): never {
    return fail(FormatError, 'ERR_FILE_FORMAT', {
      where: `${this.where}: byte ${this.#at}`,
      what,
      expected,
      actual,
    })
  }

  #take(count: number): Uint8Array {
    if (!(count >= 0 && this.#at + count <= this.bytes.length))
      this.#bad('pickle', `${this.bytes.length - this.#at} bytes more at most`, `${count}`)
    this.#at += count
    return this.bytes.subarray(this.#at - count, this.#at)
  }
  #uint(size: number): number {
    const at = this.#at
    this.#take(size)
    if (size === 8) return Number(this.#view.getBigUint64(at, true))
    return size === 1
      ? this.bytes[at]!
      : size === 2
        ? this.#view.getUint16(at, true)
        : this.#view.getUint32(at, true)
  }
  #line(): string {
    const end = this.bytes.indexOf(10, this.#at)
    if (end < 0) this.#bad('pickle', 'a line', 'its end')
    const line = new TextDecoder('latin1').decode(this.#take(end - this.#at))
    this.#at++
    return line
  }
  #text(size: number, encoding = 'utf-8'): string {
    return new TextDecoder(encoding).decode(this.#take(this.#uint(size)))
  }
  #number(text: string): number {
    const value = Number(text.replace(/L$/, ''))
    return Number.isNaN(value) && text !== 'nan'
      ? this.#bad('number', 'digits', `'${text.slice(0, 20)}'`)
      : value
  }
  /** A two's complement integer of any length. */
  #long(size: number): number {
    let value = 0n
    const bytes = this.#take(this.#uint(size))
    if (bytes.length > 16) this.#bad('integer', 'at most 16 bytes', `${bytes.length}`)
    for (const [i, byte] of bytes.entries()) value |= BigInt(byte) << BigInt(8 * i)
    return Number(BigInt.asIntN(8 * bytes.length, value))
  }

  #push(item: Item): void {
    if (this.#values.length >= MAX_ITEMS) this.#bad('stack', `at most ${MAX_ITEMS} things`, 'more')
    this.#values.push(item)
  }
  #pop(): Item {
    if (this.#values.length === 0) this.#bad('stack', 'one thing at least', 'none')
    return this.#values.pop() as Item
  }
  #top<T extends Item>(Class: new (...args: never[]) => T, what: string): T {
    const top = this.#values.at(-1)
    return top instanceof Class ? top : this.#bad('pickle', what, 'another thing')
  }
  /** What was pushed since the last mark. */
  #marked(): Item[] {
    const items = this.#values
    this.#values = this.#marks.pop() ?? this.#bad('pickle', 'a mark', 'none')
    return items
  }
  #remember(index: number): void {
    if (!(index >= 0 && index < MAX_ITEMS))
      this.#bad('memo', `an index below ${MAX_ITEMS}`, `${index}`)
    this.#memo[index] = this.#values.at(-1) as Item
  }
  #recall(index: number): void {
    const item = this.#memo[index]
    this.#push(
      item === undefined ? this.#bad('memo', 'something remembered', `nothing at ${index}`) : item,
    )
  }
  #name(module: string, name: string): void {
    const text = `${module} ${name}`
    const { names, makes } = this.vocabulary
    if (!names.has(text))
      this.#bad('name', `one of ${makes} (a pickle is never executed)`, `'${text.slice(0, 60)}'`)
    this.#push(new Name(text))
  }
  #tuple(count: number): void {
    const items = Array.from({ length: count }, () => this.#pop()).reverse()
    this.#push(items)
  }
  #setItems(into: Map<Item, Item>, items: readonly Item[]): void {
    for (let i = 0; i + 1 < items.length; i += 2) into.set(items[i] as Item, items[i + 1] as Item)
  }

  /** A call of one of the known names; nothing of Python runs. */
  #reduce(): void {
    const args = this.#pop()
    const name = this.#pop()
    if (!(name instanceof Name) || !Array.isArray(args))
      this.#bad('call', 'a name and its arguments', 'other things')
    this.#push(this.vocabulary.call((name as Name).text, args as Item[], this.#refuse))
  }

  #build(): void {
    const state = this.#pop()
    const target = this.#values.at(-1)
    if (target === undefined) this.#bad('state', 'that of an object', 'of nothing')
    this.vocabulary.setState(target as Item, state, this.#refuse)
  }

  /** Something that lies outside of the pickle. */
  #outside(): void {
    const id = this.#pop()
    const { outside } = this.vocabulary
    if (!outside) this.#bad('instruction', 'one that holds data', 'a persistent id')
    this.#push(outside!(id, this.#refuse))
  }

  read(): Pickled {
    for (;;) {
      const opcode = String.fromCharCode(this.#uint(1))
      if (opcode === '.') return finished(this.#pop(), new Map(), 0) as Pickled
      this.#step(opcode)
    }
  }

  #step(opcode: string): void {
    switch (opcode) {
      case '\x80': // PROTO
        if (this.#uint(1) > 5) this.#bad('protocol', '0 to 5', 'a later one')
        return
      case '\x95': // FRAME
        this.#take(8)
        return
      case '(':
        this.#marks.push(this.#values)
        this.#values = []
        return
      case '1':
        this.#marked()
        return
      case '0':
        this.#pop()
        return
      case '2':
        this.#push(this.#values.at(-1) ?? null)
        return
      case 'p':
        this.#remember(this.#number(this.#line()))
        return
      case 'q':
        this.#remember(this.#uint(1))
        return
      case 'r':
        this.#remember(this.#uint(4))
        return
      case '\x94': // MEMOIZE
        this.#remember(this.#memo.length)
        return
      case 'g':
        this.#recall(this.#number(this.#line()))
        return
      case 'h':
        this.#recall(this.#uint(1))
        return
      case 'j':
        this.#recall(this.#uint(4))
        return
      case 'c':
        this.#name(this.#line(), this.#line())
        return
      case '\x93': {
        // STACK_GLOBAL
        const name = this.#pop()
        this.#name(String(this.#pop()), String(name))
        return
      }
      case 'R':
        this.#reduce()
        return
      case 'b':
        this.#build()
        return
      case 'Q': // BINPERSID
        this.#outside()
        return
      default:
        this.#value(opcode)
        return
    }
  }

  /** Instructions that push a value or gather some. */
  #value(opcode: string): void {
    switch (opcode) {
      case 'N':
        this.#push(null)
        return
      case '\x88':
      case '\x89':
        this.#push(opcode === '\x88')
        return
      case 'I': {
        const line = this.#line()
        this.#push(line === '01' || line === '00' ? line === '01' : this.#number(line))
        return
      }
      case 'L':
      case 'F':
        this.#push(this.#number(this.#line()))
        return
      case 'J':
        this.#push(this.#uint(4) | 0)
        return
      case 'K':
        this.#push(this.#uint(1))
        return
      case 'M':
        this.#push(this.#uint(2))
        return
      case '\x8a':
        this.#push(this.#long(1))
        return
      case '\x8b':
        this.#push(this.#long(4))
        return
      case 'G':
        this.#take(8)
        this.#push(this.#view.getFloat64(this.#at - 8, false))
        return
      case 'S':
        this.#push(this.#line().replace(/^(['"])(.*)\1$/s, '$2'))
        return
      case 'V':
        this.#push(
          this.#line().replace(/\\u([0-9a-f]{4})/gi, (_, hex) =>
            String.fromCharCode(Number.parseInt(hex, 16)),
          ),
        )
        return
      case 'U':
        this.#push(this.#text(1, 'latin1'))
        return
      case 'T':
        this.#push(this.#text(4, 'latin1'))
        return
      case '\x8c':
        this.#push(this.#text(1))
        return
      case 'X':
        this.#push(this.#text(4))
        return
      case '\x8d':
        this.#push(this.#text(8))
        return
      case 'C':
        this.#push(this.#take(this.#uint(1)))
        return
      case 'B':
        this.#push(this.#take(this.#uint(4)))
        return
      case '\x8e':
        this.#push(this.#take(this.#uint(8)))
        return
      case ')':
      case ']':
        this.#push([])
        return
      case '}':
        this.#push(new Map())
        return
      case '\x85':
        this.#tuple(1)
        return
      case '\x86':
        this.#tuple(2)
        return
      case '\x87':
        this.#tuple(3)
        return
      case 't':
      case 'l':
        this.#push(this.#marked())
        return
      case 'a': {
        const item = this.#pop()
        this.#top(Array as never as new () => Item[], 'a list').push(item)
        return
      }
      case 'e': {
        const items = this.#marked()
        const list = this.#top(Array as never as new () => Item[], 'a list')
        for (const item of items) list.push(item)
        return
      }
      case 'd': {
        const dictionary = new Map<Item, Item>()
        this.#setItems(dictionary, this.#marked())
        this.#push(dictionary)
        return
      }
      case 's': {
        const value = this.#pop()
        const key = this.#pop()
        this.#top<Map<Item, Item>>(Map, 'a dictionary').set(key, value)
        return
      }
      case 'u': {
        const items = this.#marked()
        this.#setItems(this.#top<Map<Item, Item>>(Map, 'a dictionary'), items)
        return
      }
      default:
        this.#bad('instruction', 'one that holds data', `0x${opcode.charCodeAt(0).toString(16)}`)
    }
  }
}

/** Replaces shells by what they hold; an object that is in several places stays one object. */
function finished(item: Item, done: Map<object, Item>, depth: number): Item {
  if (item === null || typeof item !== 'object') return item
  const known = done.get(item)
  if (known !== undefined) return known
  if (depth > 64)
    fail(FormatError, 'ERR_FILE_FORMAT', {
      where: 'pickle',
      what: 'nesting',
      expected: 'at most 64 deep',
      actual: 'more',
    })
  if (item instanceof Part)
    return fail(FormatError, 'ERR_FILE_FORMAT', {
      where: 'pickle',
      what: 'content',
      expected: 'data',
      actual: 'a name',
    })
  if (item instanceof Shell) {
    const value = item.value as Item
    done.set(item, value)
    return finished(value, done, depth + 1)
  }
  done.set(item, item)
  if (Array.isArray(item))
    for (let i = 0; i < item.length; i++) item[i] = finished(item[i] as Item, done, depth + 1)
  else if (item instanceof Map) {
    const map = item as Map<Item, Item>
    for (const [key, value] of map) map.set(key, finished(value, done, depth + 1))
  }
  return item
}

/**
 * The value that a pickle holds; of several in a row, that of the first.
 *
 * @param where how errors call it
 * @throws FormatError ERR_FILE_FORMAT for a damaged pickle,
 *   and for one that is a program and not data
 */
export const unpickle = (bytes: Uint8Array, where: string, vocabulary: Vocabulary): Pickled =>
  unpickleAt(bytes, 0, where, vocabulary)[0]

/** The value of the pickle that begins at byte `start`, and where it ends. @throws as unpickle */
export function unpickleAt(
  bytes: Uint8Array,
  start: number,
  where: string,
  vocabulary: Vocabulary,
): readonly [value: Pickled, end: number] {
  const machine = new Unpickler(bytes, where, vocabulary, start)
  return [machine.read(), machine.end]
}
