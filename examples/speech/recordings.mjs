/**
 * Recordings of spoken digits: the Free Spoken Digit Dataset (Z. Jackson and others, CC BY-SA 4.0,
 * https://github.com/Jakobovski/free-spoken-digit-dataset), whose files are called
 * {digit}_{speaker}_{index}.wav, or others named like them.
 */
import fs from 'node:fs'
import path from 'node:path'
import { readWav } from 'hiddenstate/audio'

const NAME = /^(\d)_([a-z]+)_(\d+)\.wav$/i

/**
 * All recordings of a folder, sorted by name.
 * @param {string} folder with the files, or with a folder `recordings` that has them
 * @returns {Promise<{ digit: number, speaker: string, index: number, samples: Float32Array,
 *   sampleRate: number }[]>}
 */
export async function readRecordings(folder) {
  const inside = path.join(folder, 'recordings')
  const from = fs.existsSync(inside) ? inside : folder
  const names = fs
    .readdirSync(from)
    .filter((name) => NAME.test(name))
    .sort()
  if (names.length === 0)
    throw new Error(`${from} must hold files like 7_jackson_0.wav (digit, speaker, index).`)
  return Promise.all(
    names.map(async (name) => {
      const [, digit, speaker, index] = NAME.exec(name)
      const { samples, sampleRate } = await readWav(path.join(from, name))
      return {
        digit: Number(digit),
        speaker,
        index: Number(index),
        samples: samples.data,
        sampleRate,
      }
    }),
  )
}

/** The split of the data set: indices 0 to 4 are for tests. */
export const isTest = ({ index }) => index < 5

/**
 * Strings of 3 to 7 digits, each of one speaker: recordings joined, with pauses of 0 to 0.3 s.
 *
 * @param recordings from which those of a string are drawn, with replacement
 * @param {() => number} random in [0, 1)
 * @returns {{ digits: number[], speaker: string, samples: Float32Array, sampleRate: number }[]}
 */
export function joinStrings(recordings, count, random) {
  const speakers = bySpeaker(recordings)
  const names = [...speakers.keys()]
  return Array.from({ length: count }, () => {
    const own = speakers.get(names[Math.floor(random() * names.length)])
    const [{ sampleRate, speaker }] = own
    const parts = Array.from(
      { length: 3 + Math.floor(random() * 5) },
      () => own[Math.floor(random() * own.length)],
    )
    const pauses = Array.from({ length: parts.length + 1 }, () =>
      Math.round(random() * 0.3 * sampleRate),
    )
    const total = [...pauses, ...parts.map(({ samples }) => samples.length)]
    const samples = new Float32Array(total.reduce((sum, each) => sum + each, 0))
    let at = pauses[0]
    for (const [i, part] of parts.entries()) {
      samples.set(part.samples, at)
      at += part.samples.length + pauses[i + 1]
    }
    return { digits: parts.map(({ digit }) => digit), speaker, samples, sampleRate }
  })
}

/** speaker → recordings */
export function bySpeaker(recordings) {
  const groups = new Map()
  for (const each of recordings) {
    const group = groups.get(each.speaker) ?? []
    groups.set(each.speaker, group)
    group.push(each)
  }
  return groups
}
