/** Which device a model is compiled for, and what is said where there is no card. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
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
    for (const name of ['cpu', 'cuda', 'cuda:0', 'cuda:12'])
      expect(checkedDevice('it', 'name', name)).toBe(name)
    for (const name of ['gpu', 'cuda:', 'cuda:x', 'CUDA', 'cuda:123', 3, null, undefined])
      expect(() => setDevice(name as 'cpu')).toThrow(/setDevice: name must be 'cpu', 'cuda' or/)
    expect(() => setDevice('cud' as 'cpu')).toThrow("Did you mean 'cuda'?")
    expect(device()).toBe(process.env.HIDDENSTATE_DEVICE ?? 'cpu')
  })

  it('are refused by compile where there is none of that name', () => {
    const model = new Sequential([new Dense(1, { inputDim: 2 })])
    expect(() => model.compile({ optimizer: 'sgd', loss: 'mse', device: 'gpu' as 'cpu' })).toThrow(
      /compile: device must be 'cpu', 'cuda' or 'cuda:N', got /,
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
    expect(said.predicted).toBeLessThan(1e-5)
    expect(said.again).toBe(0)
    expect(said.ctc).toEqual({
      name: 'ConfigError',
      code: 'ERR_OPTION',
      message: "loss: 'ctc' does not run on a card yet. Compile for device 'cpu'.",
    })
    expect(said.session).toBeLessThan(1e-6)
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
