import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { FitProgress, numberText, Progbar } from '../../lib/progress.js'
import { ConfigError, Dense, Sequential, utils } from '../package.js'
import { serve } from './file-server.js'

function output(isTTY: boolean, columns?: number) {
  const written: string[] = []
  const text = () => written.join('')
  return {
    isTTY,
    ...(columns === undefined ? {} : { columns }),
    write: (part: string) => written.push(part),
    text,
  }
}

/** The rows that a terminal of this width shows in the end. */
function screen(text: string, columns: number): string[] {
  const rows = ['']
  let at = 0
  for (const character of text) {
    if (character === '\n') rows.push('')
    if (character === '\n' || character === '\r') at = 0
    else {
      if (at === columns) at = rows.push('') && 0
      rows[rows.length - 1] =
        rows.at(-1)!.slice(0, at).padEnd(at) + character + rows.at(-1)!.slice(++at)
    }
  }
  return rows.map((row) => row.trimEnd())
}

// a terminal that can be drawn on, whatever runs the tests
beforeEach(() => {
  vi.unstubAllEnvs()
  vi.stubEnv('CI', '')
  vi.stubEnv('TERM', 'xterm')
})

describe('numberText', () => {
  it.each([
    [0.12344, '0.1234'],
    [12, '12.0000'],
    [-0.5, '-0.5000'],
    [0.001, '1.0000e-03'],
    [0.00012, '1.2000e-04'],
    [0, '0.0000e+00'],
    [1e-120, '1.0000e-120'],
    [Number.NaN, 'nan'],
    [Number.POSITIVE_INFINITY, 'inf'],
    [Number.NEGATIVE_INFINITY, '-inf'],
  ])('%s is %s', (value, text) => {
    expect(numberText(value)).toBe(text)
  })
})

describe('Progbar', () => {
  it('has the text of Keras', () => {
    let now = 0
    const bar = new Progbar(100, { now: () => now, output: output(true) })
    now = 1500
    bar.update(32, [['loss', 0.1]])
    expect(bar.line(32)).toBe(' 32/100 [========>.....................] - ETA: 3s - loss: 0.1000')
    now = 4200
    bar.update(100, [['loss', 0.2]])
    expect(bar.line(100)).toBe(`100/100 [${'='.repeat(30)}] - 4s - loss: 0.1680`)
  })

  it('starts empty', () => {
    const bar = new Progbar(7, { output: output(true), now: () => 0 })
    expect(bar.line(0)).toBe(`0/7 [${'.'.repeat(30)}] - ETA: 0s`)
  })

  it('redraws over itself, ends with a line end, and not too often', () => {
    let now = 0
    const out = output(true)
    const bar = new Progbar(4, { output: out, now: () => now, width: 4 })
    bar.update(1)
    now = 5
    bar.update(2) // too early
    now = 20
    bar.update(3)
    bar.update(4)
    expect(out.text().split('\r')).toEqual([
      '',
      '1/4 [>...] - ETA: 0s',
      '3/4 [==>.] - ETA: 0s',
      '4/4 [====] - 20ms   \n',
    ])
  })
})

describe('a terminal of any width', () => {
  const names = ['loss', 'acc', 'val_loss', 'val_acc']
  /** A long epoch and a short one, with validation; `resize` is asked before each redraw. */
  function draw(columns: number, resize = (_at: number) => columns): string {
    const out = output(true, columns)
    let now = -100
    for (let at = 0; at <= 2400; at += 32) {
      now += 100
      if (at === 0) bar = new Progbar(2400, { output: out, now: () => now, interval: 0 })
      out.columns = resize(at)
      bar.update(
        at,
        (at < 2400 ? names.slice(0, 2) : names).map((name) => [name, 0.5]),
      )
    }
    return out.text()
  }
  let bar: Progbar

  it.each([
    [40, ' 992/2400 - ETA: 4s - loss: 0.5000'],
    [60, ' 992/2400 [==>.....] - ETA: 4s - loss: 0.5000 - acc: 0.5000'],
    [80, ' 992/2400 [==========>.................] - ETA: 4s - loss: 0.5000 - acc: 0.5000'],
    [120, ' 992/2400 [===========>..................] - ETA: 4s - loss: 0.5000 - acc: 0.5000'],
  ])('%i columns: every redraw is one row', (columns, half) => {
    const text = draw(columns)
    const redraws = text.split('\r').slice(1)
    expect(redraws.length).toBeGreaterThan(70)
    for (const redraw of redraws.slice(0, -1)) expect(redraw.length).toBeLessThan(columns)
    expect(redraws.map((redraw) => redraw.trimEnd())).toContain(half)
    const rows = screen(text, columns)
    expect(rows.at(-1)).toBe('')
    // the last line is whole; nothing else is left
    expect(rows.length).toBeLessThanOrEqual(columns < 60 ? 4 : 3)
    expect(rows.join('')).toMatch(
      /^2400\/2400.* - 7s - loss: 0\.5000 - acc: 0\.5000 - val_loss: 0\.5000 - val_acc: 0\.5000$/,
    )
  })

  it('follows a resize', () => {
    const redraws = draw(120, (at) => (at < 1200 ? 120 : 50)).split('\r')
    expect(Math.max(...redraws.slice(2, 30).map((redraw) => redraw.length))).toBeGreaterThan(80)
    expect(Math.max(...redraws.slice(45, -1).map((redraw) => redraw.length))).toBeLessThan(50)
  })

  it('a terminal that does not know its width counts as 80 columns, a tiny one has its room', () => {
    for (const redraw of draw(0).split('\r').slice(1, -1)) expect(redraw.length).toBeLessThan(80)
    for (const redraw of draw(6).split('\r').slice(1, -1)) expect(redraw.length).toBeLessThan(6)
  })

  it('has no colours', () => {
    expect(draw(80)).not.toContain('\x1b')
    vi.stubEnv('NO_COLOR', '1')
    expect(draw(80)).toContain('[===')
  })

  it.each([
    ['TERM', 'dumb'],
    ['CI', 'true'],
    ['CI', '1'],
  ])('%s=%s: nothing is drawn over', (name, value) => {
    vi.stubEnv(name, value)
    const text = draw(80)
    expect(text).not.toContain('\r')
    expect(text.split('\n')).toHaveLength(2)
  })

  it('refuses what cannot be counted', () => {
    for (const target of [-1, Number.NaN, 'a', undefined])
      expect(() => new Progbar(target as number)).toThrow(ConfigError)
    expect(() => new Progbar(1, { verbose: 3 as never })).toThrow(/verbose/)
    expect(() => new Progbar(1, { widht: 3 } as never)).toThrow(/width/)
  })
})

describe('without a terminal', () => {
  it('a long epoch has a line each 30 s, a short one none but its own', () => {
    vi.useFakeTimers()
    try {
      const out = output(false)
      const progress = new FitProgress(1, out)
      progress.epochBegin(0, 2, 1000)
      for (let seen = 10; seen <= 1000; seen += 10) {
        vi.advanceTimersByTime(900)
        progress.update(seen, [['loss', 1]])
      }
      progress.epochEnd(1000, { loss: 1 })
      expect(out.text()).toBe(
        [
          'Epoch 1/2 - 340/1000 - ETA: 59s - loss: 1.0000',
          'Epoch 1/2 - 680/1000 - ETA: 28s - loss: 1.0000',
          'Epoch 1/2 - 90s - loss: 1.0000\n',
        ].join('\n'),
      )
      progress.epochBegin(1, 2, 10)
      vi.advanceTimersByTime(29_000)
      progress.update(10, [['loss', 2]])
      for (let i = 0; i < 40; i++) {
        progress.validating()
        vi.advanceTimersByTime(1000)
      }
      progress.epochEnd(10, { loss: 2, val_loss: 3 })
      expect(out.text().split('\n').slice(3)).toEqual([
        'Epoch 2/2 - validating - 30s - loss: 2.0000',
        'Epoch 2/2 - validating - 60s - loss: 2.0000',
        'Epoch 2/2 - 69s - loss: 2.0000 - val_loss: 3.0000',
        '',
      ])
      const rare = output(false)
      const once = new FitProgress(2, rare)
      once.epochBegin(0, 1, 10)
      vi.advanceTimersByTime(100_000)
      once.update(5, [['loss', 1]])
      once.validating()
      once.epochEnd(10, { loss: 1 })
      expect(rare.text()).toBe('Epoch 1/1 - 100s - loss: 1.0000\n')
    } finally {
      vi.useRealTimers()
    }
  })
})

it('a validation and a download have such lines, too', async () => {
  const written: string[] = []
  const { isTTY } = process.stdout
  let now = 0
  process.stdout.isTTY = false
  const write = vi
    .spyOn(process.stdout, 'write')
    .mockImplementation((text) => written.push(String(text)) > 0)
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => (now += 31_000))
  const folder = mkdtempSync(path.join(tmpdir(), 'hs-progress-'))
  const server = await serve({ '/a.bin': Buffer.alloc(300_000) })
  try {
    const model = new Sequential([new Dense(1, { inputDim: 1 })])
    model.compile({ loss: 'mse', optimizer: 'sgd' })
    const batches = function* () {
      for (;;) yield [[1, 2], [1, 2]] as const // biome-ignore format: one line
    }
    const options = { samplesPerEpoch: 2, nbEpoch: 1, validationData: batches(), nbValSamples: 4 }
    await model.fitGenerator(batches(), options)
    expect(written.join('')).toMatch(/^Epoch 1\/1 - validating - \d+s - loss: /m)
    written.length = 0
    await utils.getFile('a.bin', `${server.root}/a.bin`, { cacheDir: folder })
    expect(written.join('')).toMatch(
      /^Downloading http.*\n(\d+\/300000 - ETA: .*\n)+300000\/300000 \[=+\] - \d+s\n$/,
    )
    written.length = 0
    await utils.getFile('b.bin', `${server.root}/a.bin`, { cacheDir: folder, verbose: 0 })
    expect(written).toEqual([])
  } finally {
    for (const spy of [write, clock]) spy.mockRestore()
    process.stdout.isTTY = isTTY
    await server.close()
    rmSync(folder, { recursive: true })
  }
})

describe('FitProgress', () => {
  const run = (progress: FitProgress) => {
    progress.trainBegin(4, 2)
    for (let epoch = 0; epoch < 2; epoch++) {
      progress.epochBegin(epoch, 2, 4)
      progress.update(2, [['loss', 1]])
      progress.update(4, [['loss', 2]])
      progress.epochEnd(4, { loss: 1.5, val_loss: 3 })
    }
  }

  it('draws a bar on a terminal', () => {
    const out = output(true)
    run(new FitProgress(1, out))
    const lines = out.text().split('\n')
    expect(lines[0]).toBe('Train on 4 samples, validate on 2 samples')
    expect(lines[1]).toBe('Epoch 1/2')
    expect(lines[2]!.split('\r').at(-1)).toMatch(
      /^4\/4 \[={30}\] - \d+ms - loss: 1\.5000 - val_loss: 3\.0000$/,
    )
    expect(lines[3]).toBe('Epoch 2/2')
    expect(lines).toHaveLength(6)
  })

  it('writes one line per epoch elsewhere, and with verbose 2', () => {
    const expected =
      /^Train on 4 samples, validate on 2 samples\nEpoch 1\/2 - \d+ms - loss: 1\.5000 - val_loss: 3\.0000\nEpoch 2\/2 - \d+ms - loss: 1\.5000 - val_loss: 3\.0000\n$/
    const pipe = output(false)
    run(new FitProgress(1, pipe))
    expect(pipe.text()).toMatch(expected)
    const terminal = output(true)
    run(new FitProgress(2, terminal))
    expect(terminal.text()).toMatch(expected)
  })

  it('is silent with verbose 0', () => {
    const out = output(true)
    run(new FitProgress(0, out))
    expect(out.text()).toBe('')
  })

  it('leaves no half line behind', () => {
    const out = output(true)
    const progress = new FitProgress(1, out)
    progress.epochBegin(0, 1, 4)
    progress.update(2, [['loss', 1]])
    progress.interrupt()
    expect(out.text().endsWith('\n')).toBe(true)
  })
})
