/** Files under bad conditions: killed in the middle, truncated, foreign, not there. */
import { type ChildProcess, execFileSync } from 'node:child_process'
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { expectAllSameBits, random } from '../arrays.js'
import { runChild } from '../child.js'
import {
  FormatError,
  fbetaScore,
  HiddenstateError,
  loadModel,
  topKCategoricalAccuracy,
} from '../package.js'
import { compiled, data, small } from './models.js'

const folder = mkdtempSync(path.join(tmpdir(), 'hs-saving-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string): string => path.join(folder, name)

describe('saving', () => {
  it('kill -9 during a save leaves a whole file, the old or the new; nobody ever sees a part', async () => {
    const file = at('killed.h5')
    const next = random(1)
    const sizes = new Set<number>()
    for (let round = 0; round < 3; round++) {
      let watch: NodeJS.Timeout | undefined
      const started = (child: ChildProcess): void => {
        // From the first save on, strike at any moment.
        child.stdout?.once('data', () => {
          watch = setInterval(() => sizes.add(statSync(file).size), 1)
          setTimeout(() => child.kill('SIGKILL'), 50 + 300 * next())
        })
      }
      const ended = await runChild('behaviour/children/save-forever.mjs', {
        args: [file],
        started,
        timeout: 30_000,
      })
      clearInterval(watch)
      expect(ended.signal, ended.stderr).toBe('SIGKILL')
      expect(ended.stdout).toContain('saved')
      const model = await loadModel(file)
      expect(model.getWeights().every((w) => w.data.every(Number.isFinite))).toBe(true)
      model.dispose()
    }
    expect(sizes.size, 'a model with and one without optimizer state').toBeLessThanOrEqual(2)
  }, 120_000)

  it('leaves nothing beside the file', async () => {
    const inner = mkdtempSync(path.join(folder, 'one-'))
    await compiled().save(path.join(inner, 'a.h5'))
    await compiled().saveWeights(path.join(inner, 'b.h5'))
    expect(readdirSync(inner).sort()).toEqual(['a.h5', 'b.h5'])
  })

  it('overwrite: false keeps an existing file', async () => {
    const file = at('kept.h5')
    writeFileSync(file, 'mine')
    await expect(compiled().save(file, { overwrite: false })).rejects.toBeInstanceOf(
      HiddenstateError,
    )
    expect(readFileSync(file, 'utf8')).toBe('mine')
  })

  it('overwrite and byName are true or false, nothing that looks like it', async () => {
    const model = compiled()
    const file = at('boolean.h5')
    writeFileSync(file, 'mine')
    for (const bad of [0, 1, null, 'false'] as never[]) {
      await expect(model.save(file, { overwrite: bad })).rejects.toThrow(
        /save: overwrite must be true or false, got/,
      )
      await expect(model.saveWeights(file, { overwrite: bad })).rejects.toThrow(
        /overwrite must be true or false/,
      )
      await expect(model.loadWeights(file, { byName: bad })).rejects.toThrow(
        /byName must be true or false/,
      )
    }
    expect(readFileSync(file, 'utf8')).toBe('mine')
  })

  it('into a folder that is not there is an error that names the path', async () => {
    await expect(compiled().save(at('no/such/folder/a.h5'))).rejects.toThrow(/no\/such\/folder/)
  })

  it('while the model trains a save holds the weights of one moment', async () => {
    const { x, y } = data(64)
    const model = compiled()
    const running = model.fit(x, y, { verbose: 0, nbEpoch: 20 })
    const file = at('during.h5')
    await model.save(file).catch((error: HiddenstateError) => expect(error.code).toBe('ERR_BUSY'))
    await running
    await model.save(file)
    expectAllSameBits((await loadModel(file)).getWeights(), model.getWeights())
  })
})

describe('loading', () => {
  it('a file that is not there, is empty, or is something else', async () => {
    writeFileSync(at('empty.h5'), '')
    writeFileSync(at('text.h5'), 'this is not HDF5, and rather longer than a signature')
    await expect(loadModel(at('missing.h5'))).rejects.toThrow(/missing\.h5/)
    for (const name of ['empty.h5', 'text.h5']) {
      await expect(loadModel(at(name))).rejects.toBeInstanceOf(FormatError)
      await expect(loadModel(at(name))).rejects.toThrow(name)
    }
  })

  it.runIf(process.platform !== 'win32')('a pipe is refused, and is not waited for', async () => {
    execFileSync('mkfifo', [at('pipe.h5')])
    await expect(loadModel(at('pipe.h5'))).rejects.toThrow(/pipe\.h5: .*no regular file/)
    await expect(compiled().save(at('pipe.h5'))).rejects.toThrow(/pipe\.h5: .*no regular file/)
    expect(statSync(at('pipe.h5')).isFIFO()).toBe(true)
  })

  it('a truncated file is a FormatError wherever it ends', async () => {
    const whole = at('whole.h5')
    await compiled().save(whole)
    const bytes = readFileSync(whole)
    for (const share of [0.02, 0.2, 0.5, 0.8, 0.97]) {
      writeFileSync(at('cut.h5'), bytes)
      truncateSync(at('cut.h5'), Math.floor(bytes.length * share))
      await expect(loadModel(at('cut.h5')), `${share} of it`).rejects.toBeInstanceOf(FormatError)
    }
  })

  it('weights of another architecture are refused, and change nothing', async () => {
    const [wide, narrow] = [small(8), small(6)]
    await wide.saveWeights(at('wide.h5'))
    const before = narrow.getWeights()
    await expect(narrow.loadWeights(at('wide.h5'))).rejects.toBeInstanceOf(HiddenstateError)
    expectAllSameBits(narrow.getWeights(), before)
  })

  it('a model saved uncompiled predicts, and says that it cannot train', async () => {
    const { x, y } = data()
    await small().save(at('uncompiled.h5'))
    const model = await loadModel(at('uncompiled.h5'))
    expect((await model.predict(x)).shape).toEqual([20, 2])
    await expect(async () => model.trainOnBatch(x, y)).rejects.toMatchObject({
      code: 'ERR_NOT_COMPILED',
    })
  })

  it('metrics keep their arguments and names', async () => {
    const { x, y } = data()
    const model = small()
    const metrics = [
      'mae',
      topKCategoricalAccuracy({ k: 1, name: 'top1' }),
      fbetaScore({ beta: 2 }),
    ] as const
    model.compile({ optimizer: 'sgd', loss: 'mse', metrics })
    await model.save(at('metrics.h5'))
    const again = await loadModel(at('metrics.h5'))
    expect(again.metricsNames).toEqual(['loss', 'mean_absolute_error', 'top1', 'fbeta_score'])
    expect(await again.testOnBatch(x, y)).toEqual(await model.testOnBatch(x, y))
  })
})
