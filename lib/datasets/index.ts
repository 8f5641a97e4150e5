/**
 * The public `hiddenstate/datasets`: Keras 1.2.2 `keras.datasets`. Each set comes from a path of
 * this machine, from an address, or from where Keras keeps it,
 * and stays in the cache (`~/.keras/datasets`).
 */
export type { DatasetOptions } from './source.js'
export { imdb, reuters } from './texts.js'
export type { ImdbOptions, ReutersOptions, Split, TextOptions, WordIndexOptions } from './texts.js'
export { mnist } from './mnist.js'
