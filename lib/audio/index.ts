/** The public `hiddenstate/audio`: WAV files, and features of speech. */
export {
  formatWav,
  type FormatWavOptions,
  parseWav,
  readWav,
  type ReadWavOptions,
  type Wav,
  writeWav,
  type WriteWavOptions,
} from './wav.js'
export type { WavEncoding } from './wav-header.js'
export type { Channels } from './wav-samples.js'
