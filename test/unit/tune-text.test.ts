/** What a sweep shows: tables, progress, pictures, importances. */
import { parseHTML } from 'linkedom'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { RandomStream } from '../../lib/random.js'
import { importancesOf } from '../../lib/tune/importance.js'
import { SweepProgress } from '../../lib/tune/progress.js'
import type { TrialRecord } from '../../lib/tune/records.js'
import { Sweep } from '../../lib/tune/sweep.js'
import { durationText, valueText } from '../../lib/tune/table.js'
import { tune as tuning } from '../package.js'

const { choice, int, logUniform, uniform } = tuning
const space = {
  lr: logUniform(1e-4, 1),
  units: int(8, 64),
  cell: choice(['lstm', 'gru']),
  k: int(1, 9, { when: { cell: 'lstm' } }),
}
const record = (number: number, more: Partial<TrialRecord>): TrialRecord => ({
  ...{ number, params: { lr: 0.012345, units: 32, cell: 'gru' }, state: 'complete' },
  ...{ reports: [], attempt: 1, began: 0, took: 1234, ...more },
})
const trials = [
  record(0, { value: 0.5, params: { lr: 0.5, units: 8, cell: 'lstm', k: 3 } }),
  record(1, {
    value: 0.25,
    reports: [
      [1, 0.5],
      [2, 0.25],
    ],
    took: 65_000,
  }),
  record(2, { state: 'pruned', value: 0.75, reports: [[1, 0.75]] }),
  record(3, { state: 'failed', reason: 'Error: no luck' }),
  { ...record(4, { state: 'running', reports: [[1, 0.3]] }), took: undefined } as never,
]
const sweep = new Sweep(space, 'minimize', trials)

describe('texts', () => {
  it('the table has the best first', () => {
    expect(sweep.table({ running: true }).split('\n')).toEqual([
      'trial  state      value  step       time       lr  units  cell  k',
      '    4  running   0.3000     1          -  0.01235     32  gru   -',
      '    1  complete  0.2500     2  1 min 5 s  0.01235     32  gru   -',
      '    0  complete  0.5000     -        1 s      0.5      8  lstm  3',
      '    2  pruned    0.7500     1        1 s  0.01235     32  gru   -',
      '    3  failed         -     -        1 s  0.01235     32  gru   -',
    ])
    expect(sweep.table({ top: 1 }).split('\n')).toHaveLength(2)
  })

  it('console.log and String show it', () => {
    expect(String(sweep)).toBe(
      'Sweep(4/5 trials, 1 running, 1 pruned, 1 failed - best 0.2500 (trial 1))',
    )
  })

  it.each([
    [0.1234567, '0.1235'],
    [0.5, '0.5'],
    [123456.7, '1.235e+5'],
    [1e-4, '1e-4'],
    [100, '100'],
    [0, '0'],
    ['a\nb', 'a\ufffdb'],
    [undefined, '-'],
    [null, 'null'],
  ])('the value %j is %s', (value, text) => expect(valueText(value)).toBe(text))

  it.each([
    [250, '250 ms'],
    [59_999, '59 s'],
    [3_599_000, '59 min 59 s'],
    [7_500_000, '2 h 5 min'],
  ])('%d ms are %s', (ms, text) => expect(durationText(ms)).toBe(text))
})

describe('progress', () => {
  afterEach(() => vi.unstubAllEnvs())
  const shown = (output: object, verbose: 0 | 1 | 2) => {
    let text = ''
    const write = (more: string) => (text += more)
    const progress = new SweepProgress(verbose, { write, ...output } as never)
    return { progress, text: () => text }
  }

  it('a line for each trial that is over, once', () => {
    const { progress, text } = shown({}, 1)
    progress.begin(new Sweep(space, 'minimize', trials.slice(0, 1)) as never, 5)
    progress.update(sweep as never, 5)
    progress.update(sweep as never, 5)
    expect(text().split('\n')).toEqual([
      '1/5 trials - best 0.5000 (trial 0); going on',
      'trial 1 complete - value: 0.2500 - lr: 0.01235 - units: 32 - cell: gru - 1 min 5 s - best so far',
      'trial 2 pruned - value: 0.7500 - lr: 0.01235 - units: 32 - cell: gru - 1 s - best: trial 1',
      'trial 3 failed - lr: 0.01235 - units: 32 - cell: gru - 1 s - Error: no luck - best: trial 1',
      '',
    ])
  })

  it('a table on a terminal, drawn over itself, no wider and no higher than that', () => {
    vi.stubEnv('CI', '')
    vi.stubEnv('TERM', 'xterm')
    const { progress, text } = shown({ isTTY: true, columns: 40, rows: 6 }, 1)
    progress.update(sweep as never, 5)
    progress.print(4, 'hello')
    progress.update(sweep as never, 5)
    progress.update(sweep as never, 5, true)
    const [why, ...tables] = text().split(/(?<=no luck.*\n)/)
    expect(why).toMatch(/^trial 3 failed .*Error: no luck - best: trial 1\n$/)
    const [first, second, third] = tables.join('').split('\x1b[J')
    const height = first!.split('\n').length - 1
    expect(height).toBe(5)
    expect(first!.endsWith(`\x1b[${height}A\r`)).toBe(true) // erased by the line printed above it
    expect(second!.startsWith('[trial 4] hello\n4/5 trials')).toBe(true)
    expect(third).toMatch(/^4\/5 trials.*\n/)
    for (const line of tables.join('').split('\n')) expect(line.length).toBeLessThan(40 + 8)
  })

  it('verbose 0 says nothing', () => {
    const { progress, text } = shown({}, 0)
    progress.begin(sweep as never, 5)
    progress.update(sweep as never, 5, true)
    progress.print(4, 'hello')
    expect(text()).toBe('')
  })
})

describe('importances', () => {
  const many = (value: (params: { a: number; b: number; c: string }) => number) => {
    const random = new RandomStream(5)
    return Array.from({ length: 200 }, (_, number) => {
      const params = { a: random.random(), b: random.random(), c: 'xyz'[random.integer(3)]! }
      return record(number, { params, value: value(params) })
    })
  }
  const abc = { a: uniform(0, 1), b: uniform(0, 1), c: choice(['x', 'y', 'z']) }
  it.each<[string, (p: { a: number; b: number; c: string }) => number, [number, number, number]]>([
    ['of what matters alone', ({ a }) => 1000 ** a, [1, 0, 0]],
    ['of a choice', ({ c, b }) => (c === 'y' ? 10 : 0) + b, [0, 0.25, 0.7]],
    ['of two', ({ a, b }) => a + b, [0.5, 0.5, 0]],
  ])('%s', (_, value, expected) => {
    const found = importancesOf(abc, 'minimize', many(value))
    for (const [i, share] of Object.values(found).entries())
      expect(Math.abs(share - expected[i]!)).toBeLessThan(0.12)
  })

  it('are near 0 on average for chance, also of few trials', () => {
    const random = new RandomStream(9)
    const shares = Array.from({ length: 100 }, () => {
      const few = Array.from({ length: 20 }, (_, number) =>
        record(number, { params: { a: random.random() }, value: random.random() }),
      )
      return importancesOf({ a: uniform(0, 1) }, 'minimize', few).a!
    })
    // the plain share is 4 / 19 on average, four groups of five being free
    expect(shares.reduce((a, b) => a + b) / shares.length).toBeLessThan(0.1)
  })

  it('are 0 where there is nothing to tell', () => {
    expect(importancesOf(abc, 'minimize', [])).toEqual({ a: 0, b: 0, c: 0 })
    expect(
      importancesOf(
        abc,
        'minimize',
        many(() => 1),
      ),
    ).toEqual({ a: 0, b: 0, c: 0 })
  })
})

describe('the picture', () => {
  const parsed = (svg: string) => parseHTML(svg).document.querySelector('svg')!
  it('has an axis a parameter, and a line a trial that has a value', () => {
    const svg = parsed(sweep.toSvg())
    expect(svg.querySelectorAll('polyline').length).toBe(3)
    expect(svg.querySelectorAll('polyline.pruned').length).toBe(1)
    expect(svg.querySelectorAll('polyline.best').length).toBe(1)
    const texts = Array.from(
      svg.querySelectorAll('text'),
      (text) => (text as { textContent: string }).textContent,
    )
    for (const text of ['lr', 'units', 'cell', 'k', 'value', 'log', 'gru', 'not used', '0.25'])
      expect(texts).toContain(text)
    for (const { textContent } of svg.querySelectorAll('polyline title'))
      expect(textContent).toMatch(/^trial \d, \w+: 0\.\d+$/)
    for (const line of svg.querySelectorAll('polyline'))
      expect(line.getAttribute('points')).toMatch(/^([\d.]+,[\d.]+ ?){5}$/)
  })

  it('is light, dark, or as the reader has it', () => {
    const [light, dark, auto] = (['light', 'dark', 'auto'] as const).map((theme) =>
      sweep.toSvg({ theme }),
    )
    expect(light).toContain('.back{fill:#ffffff}')
    expect(dark).toContain('.back{fill:#0d1117}')
    expect(auto).toContain('@media (prefers-color-scheme:dark)')
    expect(() => sweep.toSvg({ theme: 'red' as never })).toThrow(/theme must be 'auto' or 'light'/)
  })

  it('stands values far beyond the others at the end of their axis', () => {
    const values = [1, 1.1, 1.2, 1.3, 1e9].map((value, number) => record(number, { value }))
    const svg = parsed(new Sweep(space, 'minimize', values).toSvg())
    const texts = Array.from(
      svg.querySelectorAll('text'),
      (text) => (text as { textContent: string }).textContent,
    )
    expect(texts.some((text) => text?.startsWith('beyond 1.'))).toBe(true)
  })

  it('is drawn of any names, and of nothing', () => {
    const odd = { '<a & "b">': choice(['<', '\0']) }
    const one = [record(0, { value: 1, params: { '<a & "b">': '\0' } })]
    const svg = new Sweep(odd, 'minimize', one).toSvg({ title: '<&>' })
    expect(svg).toContain('&#60;&#38;&#62;')
    expect(svg).not.toMatch(/\0|<a|NaN/)
    expect(new Sweep(space, 'maximize', []).toSvg()).not.toMatch(/NaN|Infinity|undefined/)
  })
})
