/**
 * Strings of spoken digits that no file has: voices, speed, pitch, pauses, loudness, noise vary.
 */
import { resample } from 'hiddenstate/audio'
import { WORDS } from './recogniser.mjs'
import { speak, VOICES } from './voices.mjs'

const between = (random, low, high) => low + random() * (high - low)
/** A number with mean 0 and deviation 1 (Box and Muller 1958). */
const normal = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/**
 * @param how.random in [0, 1)
 * @returns {Promise<{ digits: number[], voice: string, samples: Float32Array,
 *   sampleRate: number }[]>}
 */
export async function makeStrings({ count, voices, random }) {
  const strings = []
  for (let n = 0; n < count; n++) {
    const digits = Array.from({ length: 3 + Math.floor(random() * 5) }, () =>
      Math.floor(random() * WORDS.length),
    )
    // a comma is a pause
    const text = digits.map((digit) => WORDS[digit] + (random() < 0.3 ? ',' : '')).join(' ')
    const voice = voices[Math.floor(random() * voices.length)]
    const spoken = await speak(text, {
      voice,
      stretch: between(random, 0.8, 1.25),
      pitch: voice === 'slt' ? between(random, 140, 220) : between(random, 85, 150),
    })
    strings.push({ digits, voice, ...roughened(spoken, random) })
  }
  return strings
}

/** The same from another throat, in another room: formants, loudness and noise differ. */
function roughened({ samples, sampleRate }, random) {
  // played faster or slower, pitch and formants move together
  const from = Math.round(sampleRate * between(random, 0.88, 1.12))
  const moved = resample(samples, { from, to: sampleRate }).data
  let energy = 0
  for (const sample of moved) energy += sample * sample
  const level = Math.sqrt(energy / moved.length)
  const gain = between(random, 0.3, 1.5)
  const noise = level * 10 ** (-between(random, 12, 40) / 20)
  const out = Float32Array.from(moved, (sample) => gain * (sample + noise * normal(random)))
  return { samples: out, sampleRate }
}

export { VOICES }
