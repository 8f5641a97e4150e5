/** Texts that hold one document several times. */

/** Marks between documents, and empty lines. */
const BETWEEN = /^(---|\.\.\.)?\s*$/

/**
 * Drops the repetitions of a document in a text, as a program leaves them that appends to a file.
 * Any other text stays as it is, also one whose documents differ: the parser refuses those.
 */
export function withoutRepetitions(text: string): string {
  const lines = text.split(/\r?\n/).filter((line) => !BETWEEN.test(line))
  const [first = ''] = lines
  if (!/^["'\w]+:/.test(first)) return text // only a key at the margin cannot stand twice in one document
  const period = lines.indexOf(first, 1)
  const repeats =
    period > 0 &&
    lines.length % period === 0 &&
    lines.every((line, i) => line === lines[i % period])
  return repeats ? lines.slice(0, period).join('\n') : text
}
