/** Which device a model is compiled for, and what is said where there is no card. */
import { spawnSync } from 'node:child_process'
import fs, { existsSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkedDevice, device, setDevice } from '../../lib/backend.js'
import { Dense, Sequential } from '../../lib/index.js'
import { jsonOf, ROOT } from '../child.js'

/** Made by the native tests; those who run this file alone may be without it. */
const standIn = path.join(ROOT, 'build', 'stand-in', 'libstand_in.so')
const told = (env: Record<string, string>) =>
  jsonOf<Record<string, unknown>>('behaviour/children/device.mjs', { env })

describe('devices', () => {
  it('have names', () => {
    expect(device()).toBe(process.env.HIDDENSTATE_DEVICE ?? 'cpu')
    for (const name of ['cpu', 'cuda', 'cuda:0', 'cuda:12', 'auto'])
      expect(checkedDevice('it', 'name', name)).toBe(name)
    for (const name of ['gpu', 'cuda:', 'cuda:x', 'CUDA', 'cuda:123', 3, null, undefined])
      expect(() => setDevice(name as 'cpu')).toThrow(
        /setDevice: name must be 'cpu', 'cuda', 'cuda:N' or 'auto'/,
      )
    expect(() => setDevice('cud' as 'cpu')).toThrow("Did you mean 'cuda'?")
    expect(device()).toBe(process.env.HIDDENSTATE_DEVICE ?? 'cpu')
  })

  it('are refused by compile where there is none of that name', () => {
    const model = new Sequential([new Dense(1, { inputDim: 2 })])
    expect(() => model.compile({ optimizer: 'sgd', loss: 'mse', device: 'gpu' as 'cpu' })).toThrow(
      /compile: device must be 'cpu', 'cuda', 'cuda:N' or 'auto', got /,
    )
  })

  it('say why there is no card, and the model goes on', async () => {
    const said = await told({ HIDDENSTATE_LIBCUDA: '/nowhere/libcuda.so', HIDDENSTATE_DEVICE: '' })
    const problem = 'no NVIDIA driver: looked for /nowhere/libcuda.so'
    expect(said.devices).toEqual([{ name: 'cpu' }, { name: 'cuda', problem }])
    expect(said.card).toMatchObject({ name: 'InternalError', code: 'ERR_DEVICE' })
    expect(said.card).toMatchObject({ message: `device 'cuda': ${problem}.` })
    expect(said.afterwards).toBe(1)
  })

  it('have a precision that is checked', () => {
    const model = (dtype: 'float32' | 'float64') =>
      new Sequential([new Dense(1, { inputDim: 2, dtype })])
    const compile = (precision: unknown, dtype: 'float32' | 'float64' = 'float32') =>
      model(dtype).compile({ optimizer: 'sgd', loss: 'mse', precision: precision as 'tf32' })
    for (const good of ['tf32', null]) compile(good)
    for (const wrong of ['bf16', 32, true])
      expect(() => compile(wrong)).toThrow(/compile: precision must be 'tf32' or null, got /)
    expect(() => compile('tf32', 'float64')).toThrow(
      "compile: precision must be null for a model that computes in float64, got the string 'tf32'",
    )
    compile(null, 'float64')
  })

  const isHere = process.platform === 'linux' && (existsSync(standIn) || process.env.CI)
  it.skipIf(!isHere)('train the same model', async () => {
    const said = await told({
      HIDDENSTATE_LIBCUDA: standIn,
      HIDDENSTATE_LIBCUBLAS: standIn,
      HIDDENSTATE_DEVICE: '',
    })
    expect(said.devices).toMatchObject([{ name: 'cpu' }, { name: 'cuda:0', cublas: standIn }])
    expect(said.weights).toBeLessThan(1e-5)
    expect(said.loss).toBeLessThan(1e-5)
    expect(said.writtenLoss).toBeLessThan(1e-5)
    expect(said.tf32OnCpu).toBe(0)
    expect(said.tf32).toBeGreaterThan(1e-7)
    expect(said.tf32).toBeLessThan(1e-3)
    expect(said.mixedCard).toBeNull()
    expect(said.mixed).toBeLessThan(1e-3)
    expect(said.predicted).toBeLessThan(1e-5)
    expect(said.again).toBe(0)
    expect(said.ctc).toEqual({
      name: 'ConfigError',
      code: 'ERR_OPTION',
      message:
        "loss: the loss on a card must be one that runs there, got 'ctc'. Compile for device 'cpu'.",
    })
    expect(said.session).toBeLessThan(1e-6)
  })

  it.skipIf(!isHere)('that are too old for bfloat16 say so', async () => {
    const said = await told({
      HIDDENSTATE_LIBCUDA: standIn,
      HIDDENSTATE_LIBCUBLAS: standIn,
      HIDDENSTATE_DEVICE: '',
      HIDDENSTATE_STAND_IN_ATTRIBUTES: '75=7',
    })
    expect(said.card).toBeNull()
    expect(said.mixedCard).toMatchObject({ code: 'ERR_DEVICE' })
    expect(said.mixedCard).toMatchObject({
      message: expect.stringContaining(
        'the compute capability for mixed_bfloat16 must be 8.0 or more, got 7.0 of card 0',
      ),
    })
  })

  it.skipIf(!isHere)('are opened by those who ask for them alone', async () => {
    const env = {
      HIDDENSTATE_LIBCUDA: standIn,
      HIDDENSTATE_LIBCUBLAS: standIn,
      HIDDENSTATE_DEVICE: '',
    }
    const mapped = (...args: string[]) =>
      jsonOf<string[]>('behaviour/children/opened.mjs', { env, args })
    expect(await mapped('cuda')).toContain(standIn)
    expect(await mapped()).not.toContain(standIn)
    expect(await mapped('cpu')).not.toContain(standIn)
  })

  const hasStrace = isHere && spawnSync('strace', ['-V']).status === 0
  it.skipIf(!hasStrace)('are not even looked for by others', () => {
    const looked = (device: string) => {
      const { stderr } = spawnSync(
        'strace',
        ['-f', '-e', 'trace=open,openat,openat2,stat,access,newfstatat', process.execPath].concat(
          path.join(ROOT, 'test/behaviour/children/opened.mjs'),
          device,
        ),
        {
          encoding: 'utf8',
          maxBuffer: 1 << 28,
          env: {
            ...process.env,
            NODE_OPTIONS: '',
            HIDDENSTATE_DEVICE: '',
            HIDDENSTATE_LIBCUDA: '/nowhere/libcuda.so',
          },
        },
      )
      expect(stderr).toContain('hiddenstate.node') // it was traced
      return stderr.match(/[^"]*(libcuda|libcublas|nvcuda|kernels\.ptx|\/dev\/nvidia)[^"]*/g) ?? []
    }
    expect(looked('cpu')).toEqual([])
    expect(looked('cuda')).toContain('/nowhere/libcuda.so')
  })
})

describe.skipIf(process.platform !== 'linux' || !(existsSync(standIn) || process.env.CI))(
  'a card',
  () => {
    const kernels = path.join(ROOT, 'native', 'device', 'cuda', 'kernels.ptx')
    let folder = ''
    beforeEach(() => {
      folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hiddenstate-cards-'))
    })
    afterEach(() => fs.rmSync(folder, { recursive: true }))
    const file = (name: string, text: string) => {
      fs.writeFileSync(path.join(folder, name), text)
      return path.join(folder, name)
    }
    const base = {
      HIDDENSTATE_LIBCUDA: standIn,
      HIDDENSTATE_LIBCUBLAS: standIn,
      HIDDENSTATE_DEVICE: '',
    }
    /** What compile says, without training. */
    const refusal = async (env: Record<string, string>) =>
      (await told({ ...base, ...env })).card as { code: string; message: string } | null

    it('takes no kernels of another binary', async () => {
      const text = fs.readFileSync(kernels, 'utf8')
      const last = text.trimEnd().split('\n').at(-1)!
      const cut = file('cut.ptx', text.slice(0, text.length / 2))
      const other = file('other.ptx', text.replace(last, '// hiddenstate 0123456789abcdef'))
      for (const HIDDENSTATE_CUDA_KERNELS of [cut, other]) {
        const said = await refusal({ HIDDENSTATE_CUDA_KERNELS })
        expect(said).toMatchObject({ code: 'ERR_DEVICE' })
        expect(said?.message).toContain(
          `the kernels in '${HIDDENSTATE_CUDA_KERNELS}' are not those`,
        )
        expect(said?.message).toContain(last.slice(3))
        expect(said?.message).toContain('Install the package anew')
      }
      // What the driver's compiler says of kernels that it cannot compile.
      const broken = file('broken.ptx', `no kernels\n${last}\n`)
      const said = await refusal({ HIDDENSTATE_CUDA_KERNELS: broken })
      expect(said).toMatchObject({ code: 'ERR_DEVICE' })
      expect(said?.message).toMatch(/cuModuleLoadDataEx: .*: ptxas application ptx input, line 1/)
    })

    it('takes an older cuBLAS where the newest does not start', async () => {
      file('libcublas.so.13', 'no library')
      fs.copyFileSync(standIn, path.join(folder, 'libcublas.so.12'))
      const env = { HIDDENSTATE_LIBCUBLAS: '', HIDDENSTATE_CUBLAS: folder }
      const said = await refusal(env)
      expect(said).toMatchObject({ code: 'ERR_DEVICE' })
      expect(said?.message).toMatch(
        /no cuBLAS 11, 12 or 13 that can be used: .*libcublas\.so\.13: /,
      )
      expect(said?.message).toMatch(/libcublas\.so\.12: cublasCreate gave status \d+, as it does/)
      expect(said?.message).toContain(`${folder}/libcublas.so.11`)
      fs.symlinkSync(standIn, path.join(folder, 'libcublas.so.11'))
      expect(await refusal(env)).toBeNull()
    })

    it('that fails leaves the weights of the last epoch, and the processor', async () => {
      const env = { ...base, HIDDENSTATE_STAND_IN_DEAD: path.join(folder, 'dead') }
      const said = await jsonOf<Record<string, { code: string; message: string }>>(
        'behaviour/children/lost-card.mjs',
        { env },
      )
      for (const call of ['fitted', 'again', 'another']) {
        expect(said[call]).toMatchObject({ name: 'InternalError', code: 'ERR_DEVICE' })
        expect(said[call]!.message).toContain('of no use to this process any more')
      }
      expect(said).toMatchObject({ epochs: 1, isKept: true, isMoved: true })
      expect(said).toMatchObject({ bystander: 1, goesOn: 1 })
    })
  },
)
