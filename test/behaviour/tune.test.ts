/** Sweeps whose trials are processes: what becomes of each end of one, journals, the command. */
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { requireBuild, ROOT, runChild } from '../child.js'
import { ConfigError, StateError, tune as tuning } from '../package.js'

const { choice, tune, readSweep, uniform } = tuning
vi.setConfig({ testTimeout: 120_000 }) // processes, one after another, on a busy machine
beforeAll(requireBuild)

const objective = path.join(ROOT, 'test/behaviour/children/tune-objective.mjs')
let folder: string
const at = (name: string) => path.join(folder, name)
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'hs-tune-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

/** A space of which every trial does this. */
const doing = (how: string) => ({ x: uniform(-1, 1), how: choice([how, `${how} `]) })
const quick = { objective, verbose: 0, seed: 1, sampler: 'random', workers: 2 } as const
/** The lines that were written to TUNE_LOG. */
const runs = () =>
  readFileSync(at('runs'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' '))

describe('trials in processes', () => {
  it('run in processes of their own, with one thread and a seed of their own', async () => {
    vi.stubEnv('TUNE_LOG', at('runs'))
    const sweep = await tune({ ...quick, space: doing('well'), trials: 4 })
    expect(sweep.trials.map(({ state }) => state)).toEqual(Array(4).fill('complete'))
    const pids = runs().map(([, pid]) => pid)
    expect(new Set(pids).size).toBe(4)
    expect(pids).not.toContain(String(process.pid))
    expect(new Set(runs().map(([, , seed]) => seed)).size).toBe(4)
    for (const { value, params, reports } of sweep.trials) {
      expect(value).toBe(params.x ** 2)
      expect(reports).toEqual([1, 2, 3, 4].map((step) => [step, params.x ** 2 + 1 / step]))
    }
    expect(sweep.best!.value).toBe(Math.min(...sweep.trials.map(({ value }) => value!)))
  })

  it('get one thread, as the environment of their process says', async () => {
    const module = at('threads.mjs')
    writeFileSync(module, 'export default () => Number(process.env.HIDDENSTATE_THREADS)')
    const sweep = await tune({
      ...quick,
      objective: module,
      space: { x: uniform(0, 1) },
      trials: 1,
    })
    expect(sweep.best!.value).toBe(1)
  })

  it.each([
    ['throws', /^RangeError: out of luck \(at .*tune-objective\.mjs/],
    ['nan', /^objective must return a finite number, got NaN$/],
    ['nothing', /^objective must return a finite number, got nothing$/],
    ['exits', /^its process has exited with 3: cannot go on$/],
    ['killed', /^its process was killed by SIGKILL/],
  ])('%s: the trial has failed with the reason, and the sweep goes on', async (how, reason) => {
    const space = { x: uniform(-1, 1), how: choice([how, 'well']) }
    const sweep = await tune({ ...quick, space, trials: 6 })
    expect(new Set(sweep.trials.map(({ params }) => params.how))).toEqual(new Set([how, 'well']))
    for (const trial of sweep.trials) {
      expect(trial.state).toBe(trial.params.how === 'well' ? 'complete' : 'failed')
      if (trial.state === 'failed') expect(trial.reason).toMatch(reason)
    }
  })

  it.each(['hangs', 'spins'])('one that %s fails after `timeout`, and is gone', async (how) => {
    vi.stubEnv('TUNE_LOG', at('runs'))
    const space = { x: uniform(-1, 1), how: choice([how, 'well']) }
    const { trials } = await tune({ ...quick, space, trials: 4, timeout: 6000 })
    expect(new Set(trials.map(({ params }) => params.how))).toEqual(new Set([how, 'well']))
    for (const { params, state, reason } of trials)
      expect([state, reason]).toEqual(
        params.how === how ? ['failed', 'no result within 6 s (timeout)'] : ['complete', undefined],
      )
    for (const [, pid] of runs()) expect(() => process.kill(Number(pid), 0)).toThrow(/ESRCH/)
  })

  it('`maxFailures` failures in a row end the sweep', async () => {
    const ended = tune({ ...quick, workers: 1, space: doing('throws'), maxFailures: 1 })
    await expect(ended).rejects.toBeInstanceOf(StateError)
    await expect(ended).rejects.toMatchObject({
      code: 'ERR_TRIALS',
      message: expect.stringMatching(
        /^tune: sweep must have fewer than 1 trials in a row that fail \(maxFailures\), got 1, the last of them trial \d: RangeError: out of luck/,
      ),
    })
  })

  it('a module without an objective ends it at once, and nothing has failed', async () => {
    const module = path.join(ROOT, 'test/behaviour/children/tune-no-objective.mjs')
    const journal = at('journal.jsonl')
    const ended = tune({ ...quick, objective: module, space: doing('well'), journal })
    await expect(ended).rejects.toBeInstanceOf(ConfigError)
    await expect(ended).rejects.toThrow(/^tune: the default export of .* must be the objective, a /)
    expect((await readSweep(journal)).trials.every(({ state }) => state === 'running')).toBe(true)
  })

  it('a module that does not load fails its trials', async () => {
    writeFileSync(at('broken.mjs'), "import './not-there.mjs'\nexport default () => 1\n")
    const ended = tune({
      ...quick,
      ...{ objective: at('broken.mjs'), space: doing('well'), maxFailures: 2 },
    })
    await expect(ended).rejects.toThrow(/the module must load, got Error .*not-there\.mjs/)
  })

  it('a CommonJS module has its objective in module.exports', async () => {
    writeFileSync(at('objective.cjs'), 'module.exports = ({ x }) => x\n')
    const sweep = await tune({
      ...quick,
      ...{ objective: at('objective.cjs'), space: { x: uniform(0, 1) }, trials: 2 },
    })
    expect(sweep.trials.map(({ value }) => value)).toEqual(
      sweep.trials.map(({ params }) => params.x),
    )
  })

  it('what they print is shown, with their number', async () => {
    let text = ''
    const output = { write: (more: string) => (text += more) }
    const space = { x: uniform(-1, 1), how: choice(['prints', 'prints ']) }
    await tune({ ...quick, space, trials: 4, verbose: 2, output })
    expect(text).toMatch(/^\[trial \d\] a line\n\[trial \d\] and half a line$/m)
    expect(text).toMatch(/^trial \d complete - value: [\d.e-]+ - x: \S+ - how: prints/m)
    expect(text).toMatch(/^4\/4 trials - best [\d.e-]+ \(trial \d\) - \d+ m?s\n$/m)
  })
})

describe('an aborted sweep', () => {
  it('ends its processes, rejects with the reason, and gives its trials to the next', async () => {
    vi.stubEnv('TUNE_LOG', at('runs'))
    vi.stubEnv('TUNE_MS', '100000')
    const journal = at('journal.jsonl')
    const abort = new AbortController()
    const options = { ...quick, space: doing('well'), journal, trials: 3 }
    const ended = tune({ ...options, signal: abort.signal })
    await vi.waitFor(() => expect(runs()).toHaveLength(2), 60_000)
    abort.abort(new Error('enough'))
    await expect(ended).rejects.toThrow('enough')
    for (const [, pid] of runs()) expect(() => process.kill(Number(pid), 0)).toThrow(/ESRCH/)
    vi.stubEnv('TUNE_MS', '0')
    const sweep = await tune(options)
    expect(sweep.trials.map(({ state, attempt }) => [state, attempt])).toEqual([
      ['complete', 2],
      ['complete', 2],
      ['complete', 1],
    ])
    const seeds = runs().map(([trial, , seed]) => `${trial} ${seed}`)
    expect(new Set(seeds).size).toBe(3) // the same again
  })
})

describe('two processes with one journal', () => {
  it.each([[[]], [['--lock']]])('share the trials, each of which runs once %j', async (more) => {
    const journal = at('journal.jsonl')
    const env = { TUNE_LOG: at('runs'), TUNE_MS: '40' }
    const child = path.join(ROOT, 'test/behaviour/children/tune-sweep.mjs')
    const args = ['--journal', journal, '--trials', '24', '--workers', '2', ...more]
    const ended = await Promise.all([1, 2, 3].map(() => runChild(child, { args, env })))
    expect(ended.map(({ code, stderr }) => [code, stderr])).toEqual(Array(3).fill([0, '']))
    const sweep = await readSweep(journal)
    expect(sweep.trials.map(({ state }) => state)).toEqual(Array(24).fill('complete'))
    const numbers = runs().map(([trial]) => Number(trial))
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 24 }, (_, i) => i))
    const writers = readFileSync(journal, 'utf8').matchAll(/"event":"end".*"by":"([^"]+)"/g)
    expect(new Set(Array.from(writers, ([, by]) => by)).size).toBeGreaterThan(1)
    expect(existsSync(`${journal}.lock`)).toBe(false)
  })
})

describe('killed (SIGKILL)', () => {
  it('the trial of a dead process is run again; what had ended is not', async () => {
    const journal = at('journal.jsonl')
    const env = { TUNE_LOG: at('runs'), TUNE_MS: '400' }
    const child = path.join(ROOT, 'test/behaviour/children/tune-sweep.mjs')
    const args = ['--journal', journal, '--trials', '8', '--workers', '2']
    const before = new Map<number, unknown>()
    for (let i = 0; i < 4; i++) {
      await runChild(child, {
        ...{ args, env },
        started: (process) => setTimeout(() => process.kill('SIGKILL'), 700 + 170 * i),
      })
      if (!existsSync(journal)) continue
      const { trials } = await readSweep(journal)
      for (const [number, trial] of before) expect(trials[number]).toEqual(trial)
      for (const trial of trials) if (trial.state !== 'running') before.set(trial.number, trial)
    }
    const { code, stderr } = await runChild(child, { args, env })
    expect([code, stderr]).toEqual([0, ''])
    const { trials } = await readSweep(journal)
    expect(trials.map(({ state }) => state)).toEqual(Array(8).fill('complete'))
    for (const [number, trial] of before) expect(trials[number]).toEqual(trial)
    expect(runs().length).toBeLessThanOrEqual(trials.reduce((sum, { attempt }) => sum + attempt, 0))
  })
})

describe('npx hiddenstate tune', () => {
  const cli = (args: string[], more: object = {}) =>
    runChild(path.join(ROOT, 'dist/cli.js'), { args: ['tune', ...args], cwd: folder, ...more })

  it('runs what a module exports, prints the trials and the best, and writes the picture', async () => {
    const journal = ['--journal', 'sweep.jsonl', '--workers', '2']
    const ended = await cli([objective, ...journal, '--picture', 'sweep.svg'])
    expect([ended.code, ended.stderr]).toEqual([0, ''])
    const { best, trials } = await readSweep(at('sweep.jsonl'))
    expect(trials).toHaveLength(4) // `options` of the module
    expect(ended.stdout).toMatch(/^trial \d complete - value: /m)
    expect(ended.stdout).toMatch(/^trial {2}state +value/m)
    expect(ended.stdout.trim().split('\n').at(-1)).toBe(`best: ${JSON.stringify(best!.params)}`)
    expect(readFileSync(at('sweep.svg'), 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/)
    const more = await cli([objective, ...journal, '--trials', '5'])
    expect(more.stdout).toMatch(/^4\/5 trials - best .*; going on$/m)
    expect(more.stdout).toMatch(/^trial 4 complete/m)
  })

  it.each([
    [['nowhere.mjs'], /^hiddenstate: tune: objective must be a module that exists, got .*nowhere/],
    [['empty.mjs'], /^hiddenstate: tune: space must be an object of uniform/],
    [[objective, '--sampler', 'grid'], /^hiddenstate: tune: sampler must be 'random'/],
    [[objective, '--timeout', 'soon'], /^hiddenstate: tune: timeout must be milliseconds/],
    [[objective, '--trials', '0'], /must be a positive integer/],
  ])('%j: one sentence', async (args, sentence) => {
    writeFileSync(at('empty.mjs'), 'export default () => 1\n')
    const { code, stderr } = await cli(args)
    expect(stderr).toMatch(sentence)
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(code).toBe(1)
  })

  it('Ctrl-C stops the trials and says how to go on', async () => {
    const env = { TUNE_LOG: at('runs'), TUNE_MS: '100000' }
    const ended = await cli([objective, '--journal', 'sweep.jsonl', '--workers', '2'], {
      env,
      started: (child: ChildProcess) =>
        void vi
          .waitFor(() => expect(runs()).toHaveLength(2), 60_000)
          .then(() => child.kill('SIGINT')),
    })
    expect(ended.stderr).toBe(
      'hiddenstate: the sweep was stopped; the same command goes on with sweep.jsonl.\n',
    )
    expect(ended.code).toBe(130)
    for (const [, pid] of runs()) expect(() => process.kill(Number(pid), 0)).toThrow(/ESRCH/)
    const released = readFileSync(at('sweep.jsonl'), 'utf8').match(/"event":"release"/g)
    expect(released).toHaveLength(2)
  })
})
