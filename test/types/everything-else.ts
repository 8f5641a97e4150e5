/**
 * What must and must not compile, beside layers, compile and fit: every other public function.
 * Checked by tsc. Never run.
 */
import { expectTypeOf } from 'vitest'
import {
  Adam,
  array,
  CSVLogger,
  EarlyStopping,
  EigenvalueRegularizer,
  L1L2Regularizer,
  LambdaCallback,
  LearningRateScheduler,
  l1,
  l1l2,
  loadModel,
  ModelCheckpoint,
  maxnorm,
  minMaxNorm,
  modelFromJson,
  modelFromYaml,
  NDArray,
  ReduceLROnPlateau,
  RemoteMonitor,
  Sequential,
  SGD,
  setFloatx,
  setSeed,
  setThreads,
  TensorBoard,
  unitnorm,
} from '../package.js'
import { datasets, preprocessing, utils } from '../package.js'

const model = new Sequential()
const { imdb, mnist, reuters } = datasets
const { makeSamplingTable, oneHot, padSequences, skipgrams, textToWordSequence, Tokenizer } =
  preprocessing
const {
  categoricalProbasToClasses,
  formatNpy,
  getFile,
  HDF5Matrix,
  modelToDot,
  normalize,
  parseNpy,
  plotModel,
  probasToClasses,
  Progbar,
  readNpy,
  readNpz,
  toCategorical,
  writeNpy,
  writeNpz,
} = utils

// ---- callbacks ----
new EarlyStopping({
  monitor: 'val_acc',
  mode: 'max',
  minDelta: 0.1,
  patience: 2,
  restoreBestWeights: true,
})
new ModelCheckpoint('best.h5', { saveBestOnly: true, saveWeightsOnly: true, period: 2 })
new ReduceLROnPlateau({ factor: 0.5, minLr: 1e-5 })
new TensorBoard({ logDir: 'logs', histogramFreq: 1, writeGraph: false })
new RemoteMonitor({ root: 'http://127.0.0.1:9000', headers: { a: 'b' } })
new LambdaCallback({
  onEpochEnd: async (epoch, logs) => void (epoch + logs.loss!),
  onTrainSettled: (reason) => reason,
})
// @ts-expect-error the Python spelling
new EarlyStopping({ min_delta: 1 })
// @ts-expect-error an unknown mode
new EarlyStopping({ mode: 'maximum' })
// @ts-expect-error a missing path
new ModelCheckpoint()
// @ts-expect-error a string for a boolean
new ModelCheckpoint('a.h5', { saveBestOnly: 'yes' })
// @ts-expect-error an option of a later Keras
new ReduceLROnPlateau({ minDelta: 1 })
// @ts-expect-error a missing file
new CSVLogger()
// @ts-expect-error a schedule is a function
new LearningRateScheduler(0.1)
// @ts-expect-error a schedule gives a number
new LearningRateScheduler(() => 'fast')
// @ts-expect-error an unknown hook
new LambdaCallback({ onEpochStart: () => {} })
// @ts-expect-error pictures are not there
new TensorBoard({ writeImages: true })
// @ts-expect-error headers are strings
new RemoteMonitor({ headers: { a: 1 } })

// ---- optimizers, regularizers, constraints ----
new Adam({ lr: 0.1, beta1: 0.8, epsilon: 1e-7, decay: 0, clipvalue: 1 })
// @ts-expect-error the name of a later Keras
new SGD({ learningRate: 0.1 })
// @ts-expect-error a string for a boolean
new SGD({ nesterov: 'true' })
l1({ l: 0.1 })
// @ts-expect-error one options object
l1(0.1)
// @ts-expect-error the option of l1l2
l1({ l1: 0.1 })
// @ts-expect-error l is of l1 and l2
l1l2({ l: 0.1 })
// @ts-expect-error an unknown option
new L1L2Regularizer({ l3: 1 })
// @ts-expect-error k is a number
new EigenvalueRegularizer({ k: 'a' })
maxnorm({ m: 2, axis: 0 })
// @ts-expect-error the name of a later Keras
maxnorm({ maxValue: 2 })
// @ts-expect-error unitnorm has no m
unitnorm({ m: 2 })
// @ts-expect-error the name of a later Keras
minMaxNorm({ minValue: 0 })

// ---- arrays, settings ----
expectTypeOf(array([[1, 2]])).toEqualTypeOf<NDArray>()
expectTypeOf(new NDArray(new Float32Array(2)).get(0)).toEqualTypeOf<number>()
// @ts-expect-error an unknown dtype
array([1], [1], 'float16')
// @ts-expect-error strings are no numbers
array(['a'])
// @ts-expect-error data are a typed array
new NDArray([1, 2])
// @ts-expect-error half precision is not there
setFloatx('float16')
// @ts-expect-error a missing seed
setSeed()
// @ts-expect-error a count
setThreads('2')

// ---- models and files ----
// @ts-expect-error a missing path
loadModel()
// @ts-expect-error a text, not an object
modelFromJson({ class_name: 'Sequential' })
// @ts-expect-error a missing text
modelFromYaml()
model.save('a.h5', { overwrite: false })
// @ts-expect-error a string for a boolean
model.save('a.h5', { overwrite: 'no' })
// @ts-expect-error the Python spelling
model.loadWeights('a.h5', { by_name: true })
// @ts-expect-error options are one object
model.loadWeights('a.h5', true)
// @ts-expect-error a name or an index
model.getLayer('lstm_1')
// @ts-expect-error print is a function
model.summary({ print: true })
// @ts-expect-error the Python spelling
model.evaluate([[1]], [1], { batch_size: 3 })
// @ts-expect-error no options for a batch
model.predictOnBatch([[1]], { batchSize: 2 })
// @ts-expect-error a weight of a class is a number
model.trainOnBatch([[1]], [1], { classWeight: { 0: 'a' } })
// @ts-expect-error classWeight is of training
model.testOnBatch([[1]], [1], { classWeight: { 0: 1 } })
// @ts-expect-error how many samples
model.evaluateGenerator([], {})
// @ts-expect-error a signal
model.predict([[1]], { signal: 'stop' })

// ---- preprocessing ----
expectTypeOf(
  padSequences([[1], [2, 3]], { maxlen: 2, padding: 'post', truncating: 'pre' }),
).toEqualTypeOf<NDArray>()
// @ts-expect-error an unknown place
padSequences([[1]], { padding: 'left' })
// @ts-expect-error the Python spelling
padSequences([[1]], { max_len: 3 })
// @ts-expect-error a missing list
padSequences()
new Tokenizer({ nbWords: 10, charLevel: true }).textsToMatrix(['a'], { mode: 'tfidf' })
// @ts-expect-error the name of a later Keras
new Tokenizer({ numWords: 10 })
// @ts-expect-error an unknown mode
new Tokenizer().textsToMatrix(['a'], { mode: 'tf-idf' })
// @ts-expect-error a list of texts
new Tokenizer().fitOnTexts(3)
// @ts-expect-error texts are strings
textToWordSequence(3)
// @ts-expect-error a missing size
oneHot('a b')
// @ts-expect-error a missing vocabulary
skipgrams([1, 2])
// @ts-expect-error a missing size
makeSamplingTable()

// ---- utilities ----
expectTypeOf(toCategorical([0, 1], { nbClasses: 2 })).toEqualTypeOf<NDArray>()
// @ts-expect-error the name of a later Keras
toCategorical([0, 1], { numClasses: 2 })
// @ts-expect-error an axis is a number
normalize([1], { axis: 'last' })
// @ts-expect-error a missing array
probasToClasses()
// @ts-expect-error a missing array
categoricalProbasToClasses()
expectTypeOf(plotModel(model, { toFile: null, showShapes: true })).toEqualTypeOf<Promise<string>>()
// @ts-expect-error the Python spelling
plotModel(model, { to_file: 'a.svg' })
// @ts-expect-error a model
modelToDot('model')
new Progbar(10, { width: 20, verbose: 2 }).add(1, [['loss', 0.5]])
// @ts-expect-error a missing target
new Progbar()
// @ts-expect-error an unknown verbosity
new Progbar(10, { verbose: 3 })
expectTypeOf(HDF5Matrix.open('a.h5', 'x', { start: 1, end: 2 })).resolves.toHaveProperty('shape')
// @ts-expect-error reading is asynchronous: HDF5Matrix.open
new HDF5Matrix('a.h5', 'x')
// @ts-expect-error a missing dataset
HDF5Matrix.open('a.h5')
// @ts-expect-error a missing origin
getFile('a')
// @ts-expect-error the name that Keras 1 has
getFile('a', 'http://a', { md5Hash: '' })
expectTypeOf(readNpz('a.npz')).toEqualTypeOf<Promise<Map<string, NDArray>>>()
// @ts-expect-error a missing path
readNpy()
// @ts-expect-error a missing array
writeNpy('a.npy')
// @ts-expect-error arrays have names
writeNpz('a.npz', 3)
// @ts-expect-error a string for a boolean
writeNpz('a.npz', { a: [1] }, { compressed: 'yes' })
// @ts-expect-error bytes
parseNpy('a.npy')
// @ts-expect-error an array of numbers
formatNpy('abc')

// ---- data sets ----
expectTypeOf(
  imdb.loadData({ nbWords: 20000, maxlen: 100 }),
).resolves.toEqualTypeOf<datasets.Split>()
// @ts-expect-error the name of a later Keras
imdb.loadData({ numWords: 20000 })
// @ts-expect-error testSplit is of reuters
imdb.loadData({ testSplit: 0.2 })
reuters.loadData({ testSplit: 0.2 })
// @ts-expect-error mnist has no words
mnist.loadData({ nbWords: 3 })
// @ts-expect-error a path
imdb.getWordIndex('words.json')
