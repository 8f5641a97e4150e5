/** Plain data as the YAML that PyYAML 3 writes and every PyYAML reads. */

/** Keys whose lists are tuples in Keras 1.2.2. */
const TUPLES: ReadonlySet<string> = new Set(['batch_input_shape', 'target_shape', 'dims'])
/** A flow collection breaks its line before the first item that would start beyond this column. */
const BEST_WIDTH = 80
/**
 * Strings that need no quotes, also inside brackets;
 * those that start with a digit may be numbers or dates.
 */
const PLAIN = /^(?:[A-Za-z_/](?:[\w./ -]*[\w./-])?|\d+\.\d+\.\d+)$/
/** What YAML 1.1 takes for null or a truth value. */
const WORDS = /^(?:null|y|n|yes|no|true|false|on|off)$/i

type Collection = readonly unknown[] | { readonly [key: string]: unknown }

const isCollection = (value: unknown): value is Collection =>
  typeof value === 'object' && value !== null
const children = (value: Collection): readonly unknown[] =>
  Array.isArray(value) ? value : Object.values(value)
/** PyYAML's default: brackets for a collection of scalars, a block for all else. */
const isBlock = (value: unknown): value is Collection =>
  isCollection(value) && children(value).some(isCollection)
const tagOf = (key: string, value: unknown): string =>
  Array.isArray(value) && TUPLES.has(key) ? ' !!python/tuple' : ''
const pad = (depth: number): string => ' '.repeat(depth)

function sortedEntries(value: Collection): [string, unknown][] {
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return entries.sort(([a], [b]) => (a < b ? -1 : 1))
}

function stringText(value: string): string {
  if (PLAIN.test(value) && !WORDS.test(value)) return value
  // JSON's escapes are a subset of YAML's, which has \U beyond the first 65,536 characters
  return JSON.stringify(value).replace(/[^\x20-\x7e]/gu, (character) => {
    const code = (character.codePointAt(0) as number).toString(16)
    return code.length > 4 ? `\\U${code.padStart(8, '0')}` : `\\u${code.padStart(4, '0')}`
  })
}

/** PyYAML takes 1e-8 for a string: YAML 1.1 wants a point before the exponent, and its sign. */
function numberText(value: number): string {
  if (Number.isNaN(value)) return '.nan'
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf'
  return String(value).replace(/^(-?\d+)e/, '$1.0e')
}

function scalarText(value: unknown): string {
  if (typeof value === 'number') return numberText(value)
  if (typeof value === 'string') return stringText(value)
  return typeof value === 'boolean' ? String(value) : 'null'
}

/** A scalar, or a collection in brackets whose first character stands in `column`. */
function inline(value: unknown, column: number, depth: number): string {
  if (!isCollection(value)) return scalarText(value)
  const isList = Array.isArray(value)
  let text = isList ? '[' : '{'
  let start = column // where the current line of `text` starts
  const items: [string, unknown][] = isList ? value.map((item) => ['', item]) : sortedEntries(value)
  for (const [i, [key, item]] of items.entries()) {
    if (i > 0) text += ','
    if (start + text.length - (text.lastIndexOf('\n') + 1) > BEST_WIDTH) {
      text += `\n${pad(depth)}`
      start = 0
    } else if (i > 0) text += ' '
    text += isList ? scalarText(item) : `${stringText(key)}: ${scalarText(item)}`
  }
  return `${text}${isList ? ']' : '}'}`
}

/** Lines of a list; a block inside starts on the line of its dash. */
function listBlock(list: readonly unknown[], depth: number): string {
  return list
    .map((item) => {
      const dash = `${pad(depth)}- `
      const block = isBlock(item)
        ? blockText(item, depth + 2).slice(depth + 2)
        : inline(item, depth + 2, depth + 2)
      return dash + block
    })
    .join('\n')
}

/** Lines of a mapping; a list in it stands as deep as its key. */
function mappingBlock(mapping: Collection, depth: number): string {
  return sortedEntries(mapping)
    .map(([key, item]) => {
      const start = `${pad(depth)}${stringText(key)}:${tagOf(key, item)}`
      if (isBlock(item))
        return `${start}\n${blockText(item, Array.isArray(item) ? depth : depth + 2)}`
      return `${start} ${inline(item, start.length + 1, depth + 2)}`
    })
    .join('\n')
}

function blockText(value: Collection, depth: number): string {
  return Array.isArray(value) ? listBlock(value, depth) : mappingBlock(value, depth)
}

/**
 * One document: keys sorted, collections of scalars in brackets, all others as blocks.
 *
 * @param value plain data without cycles
 */
export function emitYaml(value: unknown): string {
  return `${isBlock(value) ? blockText(value, 0) : inline(value, 0, 0)}\n`
}
