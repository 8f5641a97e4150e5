/** Strings of embedded Reber grammar (Hochreiter, Schmidhuber 1997, section 5.1). */

/** Every symbol of the grammar. */
export const SYMBOLS = 'BTPSXVE'

/** For each state of the inner grammar: a symbol, and the state that it leads to. */
const ARROWS = [
  [['B', 1]],
  [
    ['T', 2],
    ['P', 3],
  ],
  [
    ['S', 2],
    ['X', 4],
  ],
  [
    ['T', 3],
    ['V', 5],
  ],
  [
    ['X', 3],
    ['S', 6],
  ],
  [
    ['P', 4],
    ['V', 6],
  ],
  [['E', 7]],
]

/**
 * A string as its steps, `{ symbol, next }`: `next` are the symbols that the grammar allows then.
 * Around a string of the inner grammar stand B and a T or P, that T or P again, and E.
 */
export function embeddedReber(random) {
  const frame = random() < 0.5 ? 'T' : 'P'
  const steps = [
    { symbol: 'B', next: ['T', 'P'] },
    { symbol: frame, next: ['B'] },
  ]
  for (let state = 0; state < 7; ) {
    const [symbol, to] = ARROWS[state][Math.floor(random() * ARROWS[state].length)]
    const next = to === 7 ? [frame] : ARROWS[to].map(([follower]) => follower)
    steps.push({ symbol, next })
    state = to
  }
  return [...steps, { symbol: frame, next: ['E'] }, { symbol: 'E', next: [] }]
}
