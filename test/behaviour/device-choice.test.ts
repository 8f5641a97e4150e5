/** What the device 'auto' chooses, and what it says of it: on the stand-in card, and on none. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { DeviceChoice } from '../package.js'
import { jsonOf, ROOT } from '../child.js'

type Told = DeviceChoice & { summary: string }

/** Made by the native tests; those who run this file alone may be without it. */
const standIn = path.join(ROOT, 'build', 'stand-in', 'libstand_in.so')
const isHere = process.platform === 'linux' && (existsSync(standIn) || !!process.env.CI)
const onCard = {
  HIDDENSTATE_LIBCUDA: standIn,
  HIDDENSTATE_LIBCUBLAS: standIn,
  HIDDENSTATE_DEVICE: '',
  HIDDENSTATE_THREADS: '1',
}
const chosen = <T = Told>(what: string, env: Record<string, string> = {}) =>
  jsonOf<T>('behaviour/children/auto-device.mjs', { args: [what], env: { ...onCard, ...env } })

it("'auto' without a driver is the processor", async () => {
  const said = await chosen('large', { HIDDENSTATE_LIBCUDA: '/nowhere/libcuda.so' })
  const reason = "device 'cuda': no NVIDIA driver: looked for /nowhere/libcuda.so"
  const summary = `Device: cpu, chosen by 'auto': ${reason}.`
  expect(said).toEqual({ device: 'cpu', reason, summary })
})

describe.skipIf(!isHere)("'auto' on a machine with a card", () => {
  it('takes it where a batch should take half of the time', async () => {
    const { device, reason, estimate, summary } = await chosen('large')
    expect(device).toBe('cuda')
    expect(estimate).toMatchObject({ rows: 32 })
    const { launches, flop, bytes, card, cpu } = estimate!
    // forward, the weights and, but for the first layer, the inputs
    expect(flop).toBe(2 * 32 * (1024 * 1024 * 5 + 1024 * 3))
    expect(bytes).toBeGreaterThan(4 * 6 * 1024 * 1024)
    expect(launches).toBeGreaterThan(15)
    expect(launches).toBeLessThan(60)
    expect(card).toBeGreaterThan(6.5e-3 * launches)
    expect(card).toBeLessThanOrEqual(cpu / 2)
    expect(reason).toMatch(
      /^a batch of 32 should take [\d.]+ ms on stand-in card \(\d+ launches, 0.34 GFLOP, [\d.]+ GB\) and [\d.]+ ms on the processor \(\w+, threads: 1\), by a model of both$/,
    )
    expect(summary).toBe(`Device: cuda, chosen by 'auto': ${reason}.`)
  })

  it('takes the processor where it should not, and says both times', async () => {
    const { device, reason, estimate } = await chosen('small')
    expect(device).toBe('cpu')
    expect(estimate!.card).toBeGreaterThan(estimate!.cpu / 2)
    expect(reason).toMatch(/ ms on stand-in card .* ms on the processor .* half the time or less$/)
  })

  it('knows a slower card, and more threads', async () => {
    const [fast, slow, many] = [
      await chosen('large'),
      await chosen('large', {
        HIDDENSTATE_STAND_IN_ATTRIBUTES: '13=10000,36=40000',
        HIDDENSTATE_STAND_IN_NAME: 'old card',
      }),
      await chosen('large', { HIDDENSTATE_THREADS: '64' }),
    ]
    expect(slow).toMatchObject({ device: 'cpu', estimate: { flop: fast.estimate!.flop } })
    expect(slow.reason).toContain(' ms on old card (')
    expect(slow.estimate!.card).toBeGreaterThan(fast.estimate!.card)
    expect(many.device).toBe('cpu')
    expect(many.estimate!.cpu).toBeCloseTo(fast.estimate!.cpu / 64)
  })

  it('takes the processor where the card refuses a part of the model, which it names', async () => {
    const ctc = await chosen('ctc')
    expect(ctc).toMatchObject({ device: 'cpu', summary: expect.stringContaining(ctc.reason) })
    expect(ctc.reason).toMatch(/^loss: .* must be one that runs there, got 'ctc'/)
    expect(ctc.estimate).toBeUndefined()
    const merged = await chosen('merged')
    expect(merged.device).toBe('cpu')
    expect(merged.reason).toMatch(/^many \(Merge\): .* must be 32 at most, got 33/)
  })

  it('takes the processor where the card has too little memory, is too old, or says no rates', async () => {
    const full = await chosen('large', { HIDDENSTATE_STAND_IN_MIB: '48' })
    expect(full.device).toBe('cpu')
    expect(full.reason).toMatch(/free on the card/)
    const old = await chosen('large', { HIDDENSTATE_STAND_IN_ATTRIBUTES: '75=6' })
    expect(old).toMatchObject({ device: 'cpu' })
    expect(old.reason).toContain('has compute capability 6.0, 7.0 is needed')
    const silent = await chosen('large', { HIDDENSTATE_STAND_IN_ATTRIBUTES: '16=0' })
    expect(silent).toMatchObject({
      device: 'cpu',
      reason: 'the driver does not say how fast stand-in card is',
    })
  })

  it('is a setting of the process, too, and of the environment; a named device is not chosen', async () => {
    for (const HIDDENSTATE_DEVICE of ['', 'auto']) {
      const { set, none, before, predicted, named } = await chosen<
        Record<'set' | 'none' | 'before' | 'named', string> & { predicted: Told }
      >('settings', { HIDDENSTATE_DEVICE })
      expect(set).toBe('auto')
      expect(before).toBeNull()
      expect(none).not.toContain('Device')
      expect(predicted.summary).toBe(`Device: cpu, chosen by 'auto': ${predicted.reason}.`)
      expect(predicted.estimate!.launches).toBeGreaterThan(0)
      expect(named).not.toContain('Device')
    }
  })

  it('chooses again when training begins with batches of another size, once', async () => {
    const { first, settled, losses, stays } = await chosen<{
      first: Told
      settled: Told
      losses: [number, number][]
      stays: boolean
    }>('settles')
    expect(first).toMatchObject({ device: 'cuda', estimate: { rows: 32 } })
    expect(settled).toMatchObject({ device: 'cpu', estimate: { rows: 1 } })
    for (const [auto, cpu] of losses) expect(auto).toBe(cpu)
    expect(stays).toBe(true)
  })

  it('trains on the card as on the processor', async () => {
    const { first, stays, losses } = await chosen<{
      first: Told
      stays: boolean
      losses: [number[], number[]]
    }>('fits')
    expect(first.device).toBe('cuda')
    expect(stays).toBe(true)
    const [auto, cpu] = losses
    for (const [i, loss] of auto.entries())
      expect(Math.abs(loss - cpu[i]!)).toBeLessThan(1e-4 * cpu[i]!)
    expect(auto).not.toEqual(cpu) // they are the card's
  })
})
