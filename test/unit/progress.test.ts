import { describe, expect, it } from 'vitest'
import { FitProgress, numberText, Progbar } from '../../lib/progress.js'

function output(isTTY: boolean) {
  const written: string[] = []
  return { isTTY, write: (text: string) => written.push(text), text: () => written.join('') }
}

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
      '4/4 [====] - 0s     \n',
    ])
  })
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
    expect(lines[2]!.split('\r').at(-1)).toBe(`4/4 [${'='.repeat(30)}] - 0s - loss: 1.5000 - val_loss: 3.0000`)
    expect(lines[3]).toBe('Epoch 2/2')
    expect(lines).toHaveLength(6)
  })

  it('writes one line per epoch elsewhere, and with verbose 2', () => {
    const expected =
      'Train on 4 samples, validate on 2 samples\nEpoch 1/2 - 0s - loss: 1.5000 - val_loss: 3.0000\nEpoch 2/2 - 0s - loss: 1.5000 - val_loss: 3.0000\n'
    const pipe = output(false)
    run(new FitProgress(1, pipe))
    expect(pipe.text()).toBe(expected)
    const terminal = output(true)
    run(new FitProgress(2, terminal))
    expect(terminal.text()).toBe(expected)
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
