/** How wrong transcripts are. Own code: the packages for it compare the letters of two strings. */
import { ConfigError, fail, ShapeError } from './errors.js'
import { describe } from './ndarray.js'

/**
 * The word error rate: how many words must be put in, left out or changed to make the references of
 * the hypotheses, over the number of words in the references. Of several texts, all edits over all
 * words. It may be above 1.
 *
 * Words are what white space separates; case and punctuation count as they are.
 *
 * @param reference what was said, a text or a list of them
 * @param hypothesis what was understood, as many
 * @returns from 0; where the references have no words, 0 or Infinity
 * @throws ConfigError ERR_OPTION for what is no text; ShapeError ERR_SHAPE for lists of other
 *   lengths
 * @example
 * import { wer } from 'hiddenstate/utils'
 * console.log(wer('the cat sat', 'a cat sat down')) // 0.6666666666666666
 */
export function wer(
  reference: string | readonly string[],
  hypothesis: string | readonly string[],
): number {
  return errorRate('wer', reference, hypothesis, words)
}

/**
 * The character error rate: as {@link wer}, of characters (code points). White space between words
 * is one character, and none around the text.
 *
 * @returns from 0; where the references have no characters, 0 or Infinity
 * @throws ConfigError ERR_OPTION, ShapeError ERR_SHAPE as wer
 * @example
 * import { cer } from 'hiddenstate/utils'
 * console.log(cer(['abcd', 'e'], ['abd', 'e'])) // 0.2
 */
export function cer(
  reference: string | readonly string[],
  hypothesis: string | readonly string[],
): number {
  return errorRate('cer', reference, hypothesis, (text) => Array.from(words(text).join(' ')))
}

const words = (text: string): string[] => text.split(/\s+/u).filter((word) => word !== '')

function errorRate(
  where: string,
  reference: unknown,
  hypothesis: unknown,
  units: (text: string) => readonly string[],
): number {
  const [said, understood] = [
    texts(where, 'reference', reference),
    texts(where, 'hypothesis', hypothesis),
  ]
  if (said.length !== understood.length)
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'number of hypotheses',
      expected: `${said.length}, as there are references`,
      actual: String(understood.length),
    })
  let [edits, all] = [0, 0]
  for (const [i, text] of said.entries()) {
    const wanted = units(text)
    edits += distance(wanted, units(understood[i]!))
    all += wanted.length
  }
  return edits === 0 ? 0 : edits / all
}

function texts(where: string, what: string, value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  const at = list.findIndex((text) => typeof text !== 'string')
  if (at < 0) return list as string[]
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what,
    expected: 'a text or a list of them',
    actual: describe(list[at]),
  })
}

/** Levenshtein's distance. Wagner, Fischer 1974, JACM 21(1). */
function distance(a: readonly string[], b: readonly string[]): number {
  const row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (const unit of a) {
    let across = row[0]! // of what is before both
    row[0]!++
    for (const [j, other] of b.entries()) {
      const changed = across + Number(unit !== other)
      across = row[j + 1]!
      row[j + 1] = Math.min(changed, across + 1, row[j]! + 1)
    }
  }
  return row[b.length]!
}
