/** `npx hiddenstate`: the commands as processes of their own, from the built package. */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { unzipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { formatNpy, parseNpy } from '../../lib/files/npy.js'
import { type Ended, requireBuild, ROOT, runChild } from '../child.js'
import { Dense, LSTM, loadModel, modelFromJson, NDArray, Sequential, setSeed } from '../package.js'

const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  version: string
  bin: { hiddenstate: string }
}
vi.setConfig({ testTimeout: 120_000 }) // processes, one after another, on a busy machine
const folder = mkdtempSync(path.join(tmpdir(), 'hs-cli-'))
const at = (name: string) => path.join(folder, name)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const cli = (...args: string[]): Promise<Ended> =>
  runChild(path.join(ROOT, manifest.bin.hiddenstate), { args, cwd: folder })
/** The same, where it must succeed; its output. */
async function well(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(...args)
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}
/** The same, where it must fail with one sentence on stderr. */
async function badly(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(...args)
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).not.toMatch(/^\s+at /m) // no stack
  return stderr
}

const x = new NDArray(
  Float32Array.from({ length: 3 * 4 * 2 }, (_, i) => Math.sin(i)),
  [3, 4, 2],
)
let expected: NDArray // [3, 2]

beforeAll(async () => {
  requireBuild()
  setSeed(1)
  const model = new Sequential([new LSTM(5, { inputShape: [4, 2] }), new Dense(2)])
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  expected = await model.predict(x)
  await model.save(at('model.h5'))
  writeFileSync(at('x.npy'), formatNpy(x))
})

describe('hiddenstate', () => {
  it('--help names every command, and so does each command of itself', async () => {
    const help = await well('--help')
    for (const command of [
      'info',
      'build',
      'bench',
      'summary',
      'convert',
      'bundle',
      'predict',
      'tune',
    ]) {
      expect(help).toContain(command)
      expect(await well(command, '--help')).toMatch(
        new RegExp(`^Usage: (npx )?hiddenstate ${command}`),
      )
    }
  })

  it('--version is that of the package', async () =>
    expect((await well('--version')).trim()).toBe(manifest.version))

  it('tells what is wrong with a command line', async () => {
    expect(await badly('sumary', 'model.h5')).toContain("unknown command 'sumary'")
    expect(await badly('summary')).toContain("missing required argument 'model.h5'")
    expect(await badly('summary', 'a', 'b')).toContain('too many arguments')
    expect(await badly('predict', 'model.h5', 'x.npy', '--batch-size', '0')).toContain(
      'must be a positive integer',
    )
    expect(await badly('convert', 'model.h5', 'out.json', '--ovrwrite')).toContain(
      "unknown option '--ovrwrite'",
    )
  })

  it('info: what a bug report needs', async () => {
    const text = await well('info')
    for (const part of [
      manifest.version,
      process.version,
      process.platform,
      process.arch,
      'instruction set',
      'threads',
    ])
      expect(text).toContain(part)
    const facts = JSON.parse(await well('info', '--json')) as Record<string, string>
    expect(facts.binary).toContain('.node')
    expect(Object.keys(facts)).toContain('environment')
  })

  it('summary: the table of the layers', async () => {
    const text = await well('summary', 'model.h5')
    expect(text).toContain('lstm_1 (LSTM)')
    expect(text).toContain('Total params: 172')
  })

  it('a file that is no model is a sentence', async () => {
    expect(await badly('summary', 'x.npy')).toMatch(/^hiddenstate: x\.npy: .*HDF5/)
    expect(await badly('summary', 'nothing.h5')).toMatch(/^hiddenstate: nothing\.h5/)
  })
})

describe('convert', () => {
  it('.json and .yaml: the architecture', async () => {
    await well('convert', 'model.h5', 'out.json')
    const model = modelFromJson(readFileSync(at('out.json'), 'utf8'))
    expect(model.outputShape).toEqual([null, 2])
    model.dispose()
    await well('convert', 'model.h5', 'out.yaml')
    expect(readFileSync(at('out.yaml'), 'utf8')).toContain('class_name: Sequential')
  })

  it('.h5: the whole model', async () => {
    await well('convert', 'model.h5', 'again.h5')
    const model = await loadModel(at('again.h5'))
    expect((await model.predict(x)).data).toEqual(expected.data)
    model.dispose()
  })

  it(".npz: the weights, under Keras' names", async () => {
    await well('convert', 'model.h5', 'weights.npz')
    const files = unzipSync(readFileSync(at('weights.npz')))
    const model = await loadModel(at('model.h5'))
    const weights = Object.entries(files).map(([name, bytes]) => parseNpy(bytes, name))
    expect(weights.map((w) => w.toArray())).toEqual(model.getWeights().map((w) => w.toArray()))
    expect(Object.keys(files)).toContain('lstm_1/lstm_1_U_f.npy')
    expect(Object.keys(files).at(-1)).toMatch(/^dense_\d+\/dense_\d+_b\.npy$/)
    model.dispose()
  })

  it('--to: the format, whatever the ending; but not that of another format', async () => {
    await well('convert', 'model.h5', 'plain', '--to', 'json')
    expect(JSON.parse(readFileSync(at('plain'), 'utf8'))).toMatchObject({ keras_version: '1.2.2' })
    expect(await badly('convert', 'model.h5', 'out.json', '--to', 'keras1')).toMatch(
      /path must be one that ends with \.h5, \.hdf5, as files of 'keras1' do, got 'out\.json'/,
    )
    expect(await badly('convert', 'model.h5', 'out.h5', '--to', 'keras7')).toContain('keras1')
    expect(await well('convert', '--help')).toMatch(/keras1 +\.h5.*whole model/)
  })

  it('another ending, and an existing file with --no-overwrite, are errors', async () => {
    expect(await badly('convert', 'model.h5', 'out.txt')).toContain(
      ".h5, .hdf5, .keras, .onnx, .pt, .pth, .safetensors, .py, .npz, .json, .yaml, .yml, got 'out.txt'",
    )
    writeFileSync(at('there.json'), 'mine')
    const said = await badly('convert', 'model.h5', 'there.json', '--no-overwrite')
    expect(said).toMatch(
      /^hiddenstate: convert: there\.json must be new, as --no-overwrite says, got one that exists\. Leave --no-over/,
    )
    expect(said).not.toMatch(/[{}]/) // the words of the API
    expect(readFileSync(at('there.json'), 'utf8')).toBe('mine')
  })

  it.skipIf(process.platform === 'win32')(
    'and so is a file that appears while it works',
    async () => {
      // not there to whoever asks, but in the way of whoever writes
      symlinkSync(at('nowhere'), at('link.npy'))
      symlinkSync(at('nowhere'), at('link.h5'))
      const appeared =
        /(link\.npy|link\.h5) must be new, as --no-overwrite says, got one that exists/
      expect(
        await badly('predict', 'model.h5', 'x.npy', '-o', 'link.npy', '--no-overwrite'),
      ).toMatch(appeared)
      expect(await badly('convert', 'model.h5', 'link.h5', '--no-overwrite')).toMatch(appeared)
      expect(existsSync(at('nowhere'))).toBe(false)
    },
  )
})

describe('few bits', () => {
  it('convert --quantize writes a model of them', async () => {
    await well('convert', 'model.h5', 'small.safetensors', '--quantize', 'int8')
    const model = await loadModel(at('small.safetensors'))
    expect(model.floatx).toBe('mixed_int8')
    const { data } = await model.predict(x)
    for (const [i, value] of expected.data.entries()) expect(data[i]).toBeCloseTo(value, 2)
    expect(await badly('convert', 'model.h5', 'small.h5', '--quantize', 'int8')).toContain(
      'must be one that ends with .safetensors',
    )
  })

  it('bundle makes a folder that runs where nothing is installed', async () => {
    await well('bundle', 'model.h5', 'bundled', '--quantize', 'int8')
    const away = mkdtempSync(path.join(tmpdir(), 'hs-bundled-'))
    try {
      const there = path.join(away, 'moved')
      renameSync(at('bundled'), there)
      const files = readdirSync(there, { recursive: true }) as string[]
      expect(files.filter((file) => file.endsWith('.node'))).toHaveLength(1)
      expect(files.filter((file) => file.includes('node_modules'))).toEqual([])
      const program = path.join(there, 'ask.mjs')
      writeFileSync(
        program,
        `import { model } from './index.js'
         const x = ${JSON.stringify(x.toArray())}
         console.log(JSON.stringify([...(await model.predict(x)).data]))`,
      )
      const { code, stdout, stderr } = await runChild(program, { cwd: away })
      expect([code, stderr]).toEqual([0, ''])
      const small = await (await loadModel(at('model.h5'))).quantize('int8')
      expect(JSON.parse(stdout)).toEqual([...(await small.predict(x)).data])
    } finally {
      rmSync(away, { recursive: true, force: true })
    }
  })

  it('bundle replaces no folder, and leaves none where it fails', async () => {
    mkdirSync(at('there'))
    expect(await badly('bundle', 'model.h5', 'there')).toMatch(
      /^hiddenstate: bundle: there must be a folder that is to be made, got one that exists\.$/m,
    )
    await badly('bundle', 'none.h5', 'failed')
    expect(readdirSync(folder).filter((name) => name.startsWith('failed'))).toEqual([])
  })
})

describe('predict', () => {
  it('prints one line a sample', async () => {
    const rows = (await well('predict', 'model.h5', 'x.npy')).trim().split('\n')
    expect(rows.map((row) => row.split(',').map(Number))).toEqual(expected.toArray())
  })

  it.skipIf(process.platform === 'win32')('ends quietly when its reader has enough', async () => {
    writeFileSync(
      at('many.npy'),
      formatNpy(new NDArray(new Float32Array(20_000 * 4 * 2), [20_000, 4, 2])),
    )
    const command = `"${process.execPath}" "${path.join(ROOT, manifest.bin.hiddenstate)}" predict model.h5 many.npy`
    const shell = spawnSync('sh', ['-c', `{ ${command}; echo "status $?" >&2; } | head -n 1`], {
      cwd: folder,
      encoding: 'utf8',
    })
    expect(shell.stderr).toBe('status 0\n')
    expect(shell.stdout.split(',')).toHaveLength(2)
  })

  it.runIf(existsSync('/dev/full'))('output that cannot be written is a sentence', () => {
    const cliFile = path.join(ROOT, manifest.bin.hiddenstate)
    for (const command of ['predict model.h5 x.npy', 'summary model.h5', 'info']) {
      const shell = spawnSync(
        'sh',
        ['-c', `"${process.execPath}" "${cliFile}" ${command} > /dev/full`],
        {
          cwd: folder,
          encoding: 'utf8',
        },
      )
      expect([shell.status, shell.stderr]).toEqual([
        1,
        expect.stringMatching(/^hiddenstate: standard output must be writable, got ENOSPC.*\n$/),
      ])
    }
  })

  it('-o writes a .npy file', async () => {
    expect(await well('predict', 'model.h5', 'x.npy', '-o', 'y.npy', '--batch-size', '2')).toBe('')
    const y = parseNpy(readFileSync(at('y.npy')), 'y.npy')
    expect(y.shape).toEqual([3, 2])
    expect(y.data).toEqual(expected.data)
  })

  it('inputs of the wrong shape are a sentence', async () => {
    writeFileSync(at('flat.npy'), formatNpy(new NDArray(new Float32Array(6), [3, 2])))
    expect(await badly('predict', 'model.h5', 'flat.npy')).toMatch(/must be .*got/)
    expect(await badly('predict', 'model.h5', 'none.npy')).toContain(
      'none.npy: file must be readable',
    )
    expect(existsSync(at('none.npy'))).toBe(false)
    const said = await badly('predict', 'model.h5', 'x.npy', '-o', 'x.npy', '--no-overwrite')
    expect(said).toContain('x.npy must be new, as --no-overwrite says')
  })
})
