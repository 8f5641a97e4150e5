import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { agreement } from '../../bench/agreement.mjs'
import { gatesOf } from '../../bench/peers/written-cells.mjs'
import { expectedLargest, NETWORKS, stepMs, sumMs } from '../../bench/cluster-model.mjs'
import { bench } from '../../bench/command.mjs'
import { means } from '../../bench/report.mjs'
import { geometricMean, median, overall, ratio, summary } from '../../bench/statistics.mjs'
import { batchOf, flops, workload, workloadNames, writeTensors } from '../../bench/workloads.mjs'

describe('agreement', () => {
  it('takes rounding for the same and another formula not', () => {
    expect(agreement({ outputs: [0.5, -0.25] }, { outputs: [0.5001, -0.25] }).same).toBe(true)
    expect(agreement({ outputs: [0.5, -0.25] }, { outputs: [0.52, -0.25] }).same).toBe(false)
    expect(agreement({ outputs: [0.5] }, { outputs: [Number.NaN] }).same).toBe(false)
    expect(agreement({ outputs: [0.5] }, { outputs: [0.5, 0.5] }).same).toBe(false)
  })

  it('sees gradients that do not make the loss fall as it should', () => {
    const ours = { losses: [0.36, 0.358, 0.356] }
    expect(agreement(ours, { losses: [0.36001, 0.358, 0.35605] }).same).toBe(true)
    expect(agreement(ours, { losses: [0.36, 0.3585, 0.3568] }).same).toBe(false)
    expect(agreement(ours, { losses: [0.37, 0.368, 0.366] }).same).toBe(false)
    expect(agreement(ours, { losses: [0.36, Number.NaN, Number.NaN] }).same).toBe(false)
  })

  it('says when the loss moves too little to judge', () => {
    expect(agreement({ losses: [1, 1, 0.99999] }, { losses: [1, 1, 1] }).text).toContain(
      'too little',
    )
  })
})

describe('statistics', () => {
  it('knows the middle, the quartiles and the least', () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2])]).toEqual([2, 2.5])
    expect(summary([4, 1, 2, 3])).toEqual({ steps: 4, least: 1, q1: 2, median: 3, q3: 4, p99: 4 })
    expect(geometricMean([1, 4])).toBeCloseTo(2)
  })

  it('compares neighbours in time', () => {
    const rounds = (...least: number[]) => least.map((n) => summary([n, 2 * n]))
    // the machine was slow in the second round
    expect(ratio(rounds(2, 40, 2), rounds(1, 20, 4))).toBe(2)
    expect(overall(rounds(2, 40, 3))).toMatchObject({ least: 2, steps: 6, median: 6 })
  })

  it('leaves what computes something else out of the means', () => {
    const row = { competitor: 'x', mode: 'train', threads: 1 }
    const rows = [
      { ...row, timesOurs: 2, agreement: { same: true, text: '' } },
      { ...row, timesOurs: 8, agreement: { same: false, text: '' } },
      { ...row, competitor: 'hiddenstate' },
    ]
    expect(means(rows)).toEqual([{ group: 'x, train, 1 thread', rows: 1, mean: 2 }])
  })
})

describe('workloads', () => {
  it('have a batch of their shapes, the same every time', () => {
    for (const name of workloadNames.filter((n: string) => n !== 'W5')) {
      const w = workload(name)
      const { x, y } = batchOf(w)
      expect(x.data.length).toBe(x.shape.reduce((a: number, b: number) => a * b))
      if (w.K > 0) expect(y?.data.length).toBe(w.B * w.K)
      else expect(y).toBeUndefined()
      expect(batchOf(w).x.data.subarray(0, 100)).toEqual(x.data.subarray(0, 100))
    }
  })

  it('count operations as the table of the limit does', () => {
    expect(flops(workload('W1'), 'infer')).toBe(2 * 32 * 32 + 2 * 32 * 50 * 3 * 32 * 33)
    const w3 = workload('W3')
    // no gradient of the input
    expect(flops(w3, 'train')).toBe(3 * flops(w3, 'infer') - 2 * 64 * 40 * 4 * 512 * 64)
  })

  it('lie in one file a tensor', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hiddenstate-bench-test-'))
    const data = writeTensors(folder, workload('W1', 'lbr_gru'))
    const sizes = Object.fromEntries(
      fs
        .readdirSync(path.join(folder, data))
        .map((file) => [file, fs.statSync(path.join(folder, data, file)).size / 4]),
    )
    fs.rmSync(folder, { recursive: true })
    expect(sizes).toEqual({
      ...{
        'x.bin': 32 * 50,
        'y.bin': 32,
        'W0.bin': 96,
        'U0.bin': 32 * 96,
        'b0.bin': 96,
        'c0.bin': 96,
      },
      ...{ 'dense_W.bin': 32, 'dense_b.bin': 1 },
    })
  })
})

describe('written cells', () => {
  it('get the columns of each gate', () => {
    const W = Float32Array.from({ length: 2 * 3 * 2 }, (_, i) => i) // [2, z z r r g g]
    const job = { cell: 'gru', H: 2 }
    expect(gatesOf(job, 'W0', W).map((gate: Float32Array) => [...gate])).toEqual([
      [0, 1, 6, 7],
      [2, 3, 8, 9],
      [4, 5, 10, 11],
    ])
    expect(gatesOf(job, 'dense_W', W)).toEqual([W])
  })
})

describe('arguments', () => {
  it('are refused with what is known', async () => {
    const said: string[] = []
    const error = console.error
    console.error = (line: string) => said.push(line)
    try {
      const wrong = [
        ['W9'],
        ['--peers', 'keras'],
        ['--threads', '0'],
        ['--limit', '1.03'],
        ['--colour'],
      ]
      for (const argv of wrong) expect(await bench(argv)).toBe(1)
    } finally {
      console.error = error
    }
    expect(said).toEqual([
      'bench: a workload must be of W1, W2, W3, W4, W5, W6, W7, W8, symbolic-lstm-32, symbolic-lstm-128, symbolic-lstm-256, symbolic-gru-32, symbolic-gru-128, symbolic-gru-256, startup, got W9. See --help.',
      'bench: --peers must be of onednn, torch, onnxruntime, tfjs-wasm, tfjs-cpu, got keras. See --help.',
      'bench: --threads must be a number above 0, got 0. See --help.',
      'bench: --limit needs --against REV. See --help.',
      expect.stringContaining("bench: Unknown option '--colour'"),
    ])
  })
})

describe('the model of a cluster', () => {
  it('knows the largest of several normal numbers', () => {
    // Teichroew 1956, expected values of order statistics: 2, 10 and 100 numbers
    for (const [count, value] of [
      [1, 0],
      [2, 0.5642],
      [10, 1.5388],
      [100, 2.5076],
    ])
      expect(expectedLargest(count)).toBeCloseTo(value!, 3)
  })

  it('takes a sum for what messages and lines take', () => {
    const network = { latency: 1e-3, rate: 1e6 }
    // two messages of a half each way: 2 ms, 1 s; the floats are added in no time beside it
    expect(sumMs(1e6, 2, network)).toBeCloseTo(1002, 0)
    expect(sumMs(1e6, 1, network)).toBe(0)
    expect(sumMs(1e6, 4, network)).toBeCloseTo(1504, 0)
  })

  it('hides sums behind the backward pass where there is one to hide behind', () => {
    const step = (name: string) =>
      stepMs({
        ...{ alone: 100, shape: workload(name), ranks: 2, jitter: 0 },
        network: NETWORKS['10 GbE'],
      })
    const two = step('W4') // 3.4 MB: 3.2 ms at 1.19 GB/s
    expect(two.plain).toBeGreaterThan(103)
    expect(two.overlap).toBeGreaterThan(100)
    expect(two.overlap).toBeLessThan(101.5)
    // 5,000 of 20,000 rows of the embedding, which come last
    expect(step('W2').plain).toBeLessThan(104)
  })
})
