/**
 * The public `hiddenstate/preprocessing`: Keras 1.2.2 `keras.preprocessing.text` and `.sequence`.
 */
export { padSequences, makeSamplingTable, skipgrams } from './sequence.js'
export type {
  PadSequencesOptions,
  SamplingTableOptions,
  Sequence,
  SkipgramLabel,
  SkipgramsOptions,
} from './sequence.js'
export { oneHot, textToWordSequence, Tokenizer } from './text.js'
export type { MatrixMode, TextOptions, TokenizerOptions } from './text.js'
export type { TokenizerConfig, TokenizerWord } from './tokenizer-config.js'
