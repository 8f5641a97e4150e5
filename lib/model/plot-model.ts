/**
 * Pictures of models. Keras 1.2.2 `keras.utils.visualize_util`, with Graphviz as WebAssembly in
 * place of pydot.
 */
import { checkedPath, writeFileAtomic } from '../files/atomic.js'
import { ConfigError, fail, StateError } from '../errors.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import type { Layer } from '../layers/base/layer.js'
import type { Model } from './model.js'
import type { Shape } from '../spec.js'
import { pythonShape, shapesOf } from './summary.js'

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

/** Letters of one width: others are wider where a font is not there, and boxes are not. */
const NODES = '  node [shape=record fontname=Courier fontsize=12]'

/** Text for a record of DOT: signs with a meaning there are escaped. */
const record = (text: string): string => text.replace(/[\\{}|<>"]/g, '\\$&').replace(/\n/g, ' ')

/**
 * A model in Graphviz' language DOT: a box for each layer, an arrow for each way that data go. A
 * layer in several places has one box, with the shape `multiple` where they differ.
 *
 * @throws StateError `ERR_NOT_BUILT` for a model without layers; ConfigError `ERR_OPTION`
 * @example
 * import { Dense, Sequential } from 'hiddenstate'
 * import { modelToDot } from 'hiddenstate/utils'
 * console.log(modelToDot(new Sequential([new Dense(2, { inputDim: 3 })]), { showShapes: true }))
 * @see keras.utils.visualize_util.model_to_dot
 */
export function modelToDot(model: Model, options?: ModelToDotOptions): string {
  const { showShapes, showLayerNames } = resolveOptions('modelToDot', defaults, options)
  if (model.layers.length === 0)
    fail(StateError, 'ERR_NOT_BUILT', {
      where: 'modelToDot',
      what: 'model',
      expected: 'layers',
      actual: 'none',
    })
  const boxes: string[] = []
  const arrows: string[] = []
  const box = (name: string, className: string, from: string, to: string): number => {
    const title = record(showLayerNames ? `${name} (${className})` : className)
    const shapes = `|{input:|output:}|{{${record(from)}}|{${record(to)}}}`
    return boxes.push(`  ${boxes.length} [label="${showShapes ? `${title}${shapes}` : title}"]`) - 1
  }
  const arrow = (from: number, to: number) => arrows.push(`  ${from} -> ${to}`)
  const shapeText = (shape: Shape | undefined) => pythonShape(shape ?? [])
  const boxOf = (layer: Layer, from: string, to: string) => {
    const inner = (layer as { layer?: Layer }).layer // of a wrapper
    const { className } = layer.layerClass
    return inner
      ? box(`${layer.name}(${inner.name})`, `${className}(${inner.layerClass.className})`, from, to)
      : box(layer.name, className, from, to)
  }
  /** @returns the box of the last layer */
  const drawChain = (layers: readonly Layer[]): number => {
    const first = layers[0]!
    const sources = first.branches.map((branch) => drawChain((branch as unknown as Model).layers))
    if (sources.length === 0) {
      const shape = shapeText(first.inputShape)
      sources.push(box(`${first.name}_input`, 'InputLayer', shape, shape))
    }
    for (const layer of layers) {
      const here = boxOf(layer, shapeText(layer.inputShape), shapeText(layer.outputShape))
      for (const source of sources.splice(0, sources.length, here)) arrow(source, here)
    }
    return sources[0]!
  }
  /** A box for each layer, also where it is in several places. */
  const drawGraph = ({ layers, network }: Model): void => {
    const places = new Map(
      layers.map((layer) => [
        layer,
        boxOf(layer, shapesOf(layer, 'inputs'), shapesOf(layer, 'outputs')),
      ]),
    )
    for (const { layer, inputs } of network.nodes)
      for (const input of inputs) arrow(places.get(input.node.layer)!, places.get(layer)!)
  }
  if (model.isGraph) drawGraph(model)
  else drawChain(model.layers)
  return ['digraph {', '  rankdir=TB', NODES, ...boxes, ...arrows, '}', ''].join('\n')
}

/**
 * The layout engine; an optional package, since few need it: its name is a value so that no bundler
 * looks for it.
 */
async function graphviz(): Promise<import('@viz-js/viz').Viz> {
  const name = '@viz-js/viz'
  const { instance } = await (import(name) as Promise<typeof import('@viz-js/viz')>).catch(
    (cause) => {
      const message = `plotModel: package ${name} must be installed, got nothing of that name. Run: npm install ${name}`
      throw new StateError('ERR_MISSING_PACKAGE', message, {
        expected: name,
        actual: 'nothing',
        cause,
      })
    },
  )
  return instance()
}

/**
 * Draws a model. Needs the optional package `@viz-js/viz`, except for `.dot`.
 *
 * @returns the SVG (or, for `.dot`, the source), which is also written to `toFile`
 * @throws StateError `ERR_MISSING_PACKAGE`, `ERR_NOT_BUILT`; ConfigError `ERR_OPTION`; FormatError
 *   `ERR_FILE_FORMAT` when it cannot be written. Always as a rejection.
 * @example
 * import { Dense, Sequential } from 'hiddenstate'
 * import { plotModel } from 'hiddenstate/utils'
 * await plotModel(new Sequential([new Dense(2, { inputDim: 3 })]), {
 *   toFile: 'model.svg',
 *   showShapes: true,
 * })
 * @see keras.utils.visualize_util.plot. Writes SVG, not PNG.
 */
export async function plotModel(model: Model, options?: PlotModelOptions): Promise<string> {
  const where = 'plotModel'
  const resolved = resolveOptions(
    where,
    { ...defaults, toFile: 'model.svg' as string | null },
    options,
  )
  const { toFile, ...rest } = resolved
  if (toFile !== null && !/\.(svg|dot)$/i.test(checkedPath(where, toFile)))
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'toFile',
      expected: 'a name that ends in .svg or .dot',
      actual: describe(toFile),
    })
  const dot = modelToDot(model, rest)
  const text =
    toFile !== null && /\.dot$/i.test(toFile)
      ? dot
      : (await graphviz()).renderString(dot, { format: 'svg' })
  if (toFile !== null) await writeFileAtomic(toFile, text)
  return text
}
