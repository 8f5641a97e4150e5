/** Pictures of models. Keras 1.2.2 `keras.utils.visualize_util`, with Graphviz as WebAssembly in place of pydot. */
import { checkedPath, writeFileAtomic } from './atomic.js'
import { ConfigError, fail, StateError } from './errors.js'
import { describe } from './ndarray.js'
import { resolveOptions } from './options.js'
import type { Sequential } from './sequential.js'

/** Options of {@link modelToDot}. */
export interface ModelToDotOptions {
  /** Shows the shapes that go in and out. Default `false`. */
  showShapes?: boolean
  /** Shows the names of the layers beside their classes. Default `true`. */
  showLayerNames?: boolean
}

/** Options of {@link plotModel}. */
export interface PlotModelOptions extends ModelToDotOptions {
  /** Where to: `.svg`, or `.dot` for the source alone; `null`: nowhere. Default `'model.svg'`. */
  toFile?: string | null
}

const defaults = { showShapes: false, showLayerNames: true }

/** Text inside a record: its own signs have a meaning there. */
const record = (text: string): string => text.replace(/[\\{}|<>"]/g, '\\$&').replace(/\n/g, ' ')

/** A shape as Keras prints it. */
const python = (shape: readonly (number | null)[] | undefined): string =>
  `(${(shape ?? []).map((n) => n ?? 'None').join(', ')}${shape?.length === 1 ? ',' : ''})`

/**
 * A model in Graphviz' language DOT: a box for each layer, an arrow for each way that data go.
 *
 * @throws StateError `ERR_NOT_BUILT` for a model without layers; ConfigError `ERR_OPTION`
 * @example
 * import { Dense, Sequential } from 'hiddenstate'
 * import { modelToDot } from 'hiddenstate/utils'
 * console.log(modelToDot(new Sequential([new Dense(2, { inputDim: 3 })]), { showShapes: true }))
 * @see keras.utils.visualize_util.model_to_dot
 */
export function modelToDot(model: Sequential, options?: ModelToDotOptions): string {
  const { showShapes, showLayerNames } = resolveOptions('modelToDot', defaults, options)
  const [first] = model.layers
  if (!first)
    fail(StateError, 'ERR_NOT_BUILT', { where: 'modelToDot', what: 'model', expected: 'layers', actual: 'none' })
  const input = { name: `${first.name}_input`, className: 'InputLayer', from: first.inputShape, to: first.inputShape }
  const nodes = model.layers.map((layer) => ({
    name: layer.name,
    className: layer.layerClass.className,
    from: layer.inputShape,
    to: layer.outputShape,
  }))
  const lines = [input, ...nodes].map(({ name, className, from, to }, i) => {
    const title = record(showLayerNames ? `${name} (${className})` : className)
    const shapes = `|{input:|output:}|{{${record(python(from))}}|{${record(python(to))}}}`
    return `  ${i} [label="${showShapes ? `${title}${shapes}` : title}"]`
  })
  const arrows = nodes.map((_, i) => `  ${i} -> ${i + 1}`)
  return ['digraph {', '  rankdir=TB', '  node [shape=record]', ...lines, ...arrows, '}', ''].join('\n')
}

/** The layout engine; an optional package, since few need it. */
async function graphviz(): Promise<{ dot(source: string): string }> {
  const name = '@hpcc-js/wasm-graphviz'
  const { Graphviz } = await import('@hpcc-js/wasm-graphviz').catch((cause) => {
    const message = `plotModel: package ${name} must be installed, got nothing of that name. Run: npm install ${name}`
    throw new StateError('ERR_MISSING_PACKAGE', message, { expected: name, actual: 'nothing', cause })
  })
  return Graphviz.load()
}

/**
 * Draws a model. Needs the optional package `@hpcc-js/wasm-graphviz`, except for `.dot`.
 *
 * @returns the SVG (or, for `.dot`, the source), which is also written to `toFile`
 * @throws StateError `ERR_MISSING_PACKAGE`, `ERR_NOT_BUILT`; ConfigError `ERR_OPTION`; FormatError `ERR_FILE_FORMAT` when it cannot be
 *   written. Always as a rejection.
 * @example
 * import { Dense, Sequential } from 'hiddenstate'
 * import { plotModel } from 'hiddenstate/utils'
 * await plotModel(new Sequential([new Dense(2, { inputDim: 3 })]), { toFile: 'model.svg', showShapes: true })
 * @see keras.utils.visualize_util.plot. Writes SVG, not PNG.
 */
export async function plotModel(model: Sequential, options?: PlotModelOptions): Promise<string> {
  const where = 'plotModel'
  const resolved = resolveOptions(where, { ...defaults, toFile: 'model.svg' as string | null }, options)
  const { toFile, ...rest } = resolved
  if (toFile !== null && !/\.(svg|dot)$/i.test(checkedPath(where, toFile)))
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'toFile',
      expected: 'a name that ends in .svg or .dot',
      actual: describe(toFile),
    })
  const dot = modelToDot(model, rest)
  const text = toFile !== null && /\.dot$/i.test(toFile) ? dot : (await graphviz()).dot(dot)
  if (toFile !== null) await writeFileAtomic(toFile, text)
  return text
}
