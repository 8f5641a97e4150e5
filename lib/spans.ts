/** Spans of tags, as named entities have them: what `hiddenstate/utils` measures taggers by. */
import { ConfigError, fail, ShapeError } from './errors.js'
import { describe, NDArray } from './ndarray.js'
import { resolveOptions } from './options.js'
import { Ragged } from './ragged.js'

/** Tags of one sequence: texts, or numbers of a list of tags. */
export type TagSequence = readonly string[] | ArrayLike<number>
/** Of several: a list, or what `predictClasses` gives, [N, T] or of any length. */
export type TagSequences = readonly TagSequence[] | NDArray | Ragged

/** How well spans are found. */
export interface SpanScore {
  /** The share of predicted spans that are right; 0 where there are none. */
  readonly precision: number
  /** The share of true spans that are found; 0 where there are none. */
  readonly recall: number
  /** 2 · precision · recall / (precision + recall); 0 where both are 0. */
  readonly f1: number
  /** How many true spans there are. */
  readonly support: number
}

/** Options of {@link spanF1}. */
export interface SpanOptions {
  /**
   * What stands before the type. `'BIO'`: B- begins a span, I- goes on, O is outside; `'IOBES'`
   * has E- at the end and S- for a span of one as well. Default `'BIO'`.
   */
  scheme?: 'BIO' | 'IOBES'
  /** The tags that numbers stand for. Default `null`: tags are texts. */
  tags?: readonly string[] | null
}

const PREFIXES = { BIO: 'BI', IOBES: 'BIES' } as const

interface Tag {
  /** 'O' outside. */
  readonly prefix: string
  readonly type: string
}
const OUTSIDE: Tag = { prefix: 'O', type: '' }

/**
 * Precision, recall and F1 of spans: one counts as found where first step, last step and type are
 * right, as in CoNLL's shared tasks.
 *
 * Spans are read as `conlleval` reads them, also where a sequence breaks the rules of its scheme:
 * I- (or E-) begins a span at the start, behind O and behind another type. Over all types, spans
 * are counted together (micro).
 * @param yTrue the right tags
 * @param yPred those of a model, of equal lengths
 * @throws ConfigError `ERR_OPTION` for bad options and what is no tag; ShapeError `ERR_SHAPE` for
 *   sequences that differ in number or length
 * @returns over all types, and `types` by name
 * @example
 * import { spanF1 } from 'hiddenstate/utils'
 * const yTrue = [['B-PER', 'I-PER', 'O', 'B-LOC']]
 * const yPred = [['B-PER', 'I-PER', 'O', 'O']]
 * console.log(spanF1(yTrue, yPred).recall) // 0.5
 * @see conlleval.pl, Tjong Kim Sang and Buchholz 2000 (CoNLL-2000 shared task), section 4
 */
export function spanF1(
  yTrue: TagSequences,
  yPred: TagSequences,
  options: SpanOptions = {},
): SpanScore & { readonly types: Readonly<Record<string, SpanScore>> } {
  const { scheme, tags } = resolveOptions(
    'spanF1',
    { scheme: 'BIO', tags: null as readonly string[] | null },
    options as { scheme?: string; tags?: readonly string[] | null },
  )
  if (!Object.hasOwn(PREFIXES, scheme))
    refuse('spanF1', 'scheme', "'BIO' or 'IOBES'", describe(scheme))
  if (tags !== null && !(Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')))
    refuse('spanF1', 'tags', 'a list of texts or null', describe(tags))
  const read = reader(PREFIXES[scheme as keyof typeof PREFIXES], tags)
  const [right, predicted] = [listOf(yTrue, 'yTrue'), listOf(yPred, 'yPred')]
  requireEqual('yPred', 'number of sequences', right.length, predicted.length)
  const counts = new Map<string, { right: number; predicted: number; found: number }>()
  const countOf = (type: string) => {
    const count = counts.get(type) ?? { right: 0, predicted: 0, found: 0 }
    counts.set(type, count)
    return count
  }
  for (const [n, own] of right.entries()) {
    const other = predicted[n]!
    requireEqual(`yPred[${n}]`, 'length', own.length, other.length)
    const spans = spansOf(own, (tag, t) => read(tag, `yTrue[${n}][${t}]`))
    const guesses = spansOf(other, (tag, t) => read(tag, `yPred[${n}][${t}]`))
    for (const { type } of spans.values()) countOf(type).right++
    for (const [key, { type }] of guesses) {
      countOf(type).predicted++
      if (spans.has(key)) countOf(type).found++
    }
  }
  const names = [...counts.keys()].sort()
  const total = { right: 0, predicted: 0, found: 0 }
  for (const count of counts.values())
    for (const key of ['right', 'predicted', 'found'] as const) total[key] += count[key]
  const types = Object.fromEntries(names.map((name) => [name, scoreOf(counts.get(name)!)]))
  return { ...scoreOf(total), types }
}

function scoreOf(count: { right: number; predicted: number; found: number }): SpanScore {
  const share = (of: number) => (of === 0 ? 0 : count.found / of)
  const [precision, recall] = [share(count.predicted), share(count.right)]
  const both = precision + recall
  const f1 = both === 0 ? 0 : (2 * precision * recall) / both
  return { precision, recall, f1, support: count.right }
}

/** By first step, last step and type. */
function spansOf(
  sequence: TagSequence,
  read: (tag: unknown, t: number) => Tag,
): Map<string, { type: string }> {
  const spans = new Map<string, { type: string }>()
  let before = OUTSIDE
  let start = 0
  for (let t = 0; t <= sequence.length; t++) {
    const tag = t < sequence.length ? read(sequence[t], t) : OUTSIDE
    const isOther = tag.type !== before.type
    const begins = 'BS'.includes(tag.prefix)
    const ended = 'ES'.includes(before.prefix)
    const isEnd = before.prefix !== 'O' && (ended || begins || tag.prefix === 'O' || isOther)
    if (isEnd) spans.set(`${start} ${t - 1} ${before.type}`, { type: before.type })
    if (tag.prefix !== 'O' && (before.prefix === 'O' || isEnd)) start = t
    before = tag
  }
  return spans
}

/** Reads a tag, each text once. */
function reader(prefixes: string, tags: readonly string[] | null) {
  const known = new Map<string, Tag>([['O', OUTSIDE]])
  return (given: unknown, where: string): Tag => {
    const text = tags === null ? given : tags[given as number]
    if (typeof text !== 'string')
      return refuse(
        where,
        'tag',
        tags === null ? 'a text, or a number with the option tags' : `0 to ${tags.length - 1}`,
        describe(given),
      )
    const tag = known.get(text)
    if (tag) return tag
    const [prefix, type] = [text.slice(0, 1), text.slice(2)]
    if (text[1] !== '-' || type === '' || !prefixes.includes(prefix))
      refuse(where, 'tag', `O, or ${[...prefixes].map((p) => `${p}-TYPE`).join(', ')}`, `'${text}'`)
    const made = { prefix, type }
    known.set(text, made)
    return made
  }
}

function listOf(given: TagSequences, where: string): readonly TagSequence[] {
  if (given instanceof Ragged)
    return Array.from(given.lengths, (_, n) => given.at(n).data as ArrayLike<number>)
  if (given instanceof NDArray) {
    const [N = 0, T = 0] = given.shape
    const rows = given.data as Float32Array
    if (given.shape.length === 2)
      return Array.from({ length: N }, (_, n) => rows.subarray(n * T, (n + 1) * T))
  } else if (Array.isArray(given)) {
    const wrong = given.findIndex((each) => !isSequence(each))
    if (wrong < 0) return given
    return refuse(`${where}[${wrong}]`, 'it', 'a list of tags', describe(given[wrong]))
  }
  return refuse(where, 'it', 'a list of sequences of tags', describe(given))
}

const isSequence = (value: unknown): boolean =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value)

function requireEqual(where: string, what: string, expected: number, actual: number): void {
  if (expected === actual) return
  fail(ShapeError, 'ERR_SHAPE', {
    where: `spanF1: ${where}`,
    what,
    expected: `${expected}, as that of yTrue`,
    actual: `${actual}`,
  })
}

function refuse(where: string, what: string, expected: string, actual: string): never {
  return fail(ConfigError, 'ERR_OPTION', {
    where: where === 'spanF1' ? where : `spanF1: ${where}`,
    what,
    expected,
    actual,
  })
}
