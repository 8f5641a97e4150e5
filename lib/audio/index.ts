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
export { type Edges, framing, type FramingOptions } from './frames.js'
export { type Like, logMel, type LogMelOptions } from './log-mel.js'
export { melFilterbank, type MelFilterbankOptions } from './mel.js'
export { mfcc, type MfccOptions } from './mfcc.js'
export { stft, type StftOptions } from './spectrum.js'
export { getWindow, type Window, type WindowName, type WindowOptions } from './windows.js'
export { cmvn, type CmvnOptions } from './cmvn.js'
export { deltas, type DeltasOptions } from './deltas.js'
export { type FeatureOptions, FeatureStream } from './features.js'
export { resample, type ResampleOptions } from './resample.js'
export { specAugment, type SpecAugmentOptions } from './spec-augment.js'
export {
  extractFeatures,
  type ExtractFeaturesOptions,
  type SoundInMemory,
} from './extract.js'
