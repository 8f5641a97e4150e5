/**
 * The table of a model's layers, as Keras prints it (keras/utils/layer_utils.py, `print_summary`).
 */
import { ConfigError, fail } from '../errors.js'
import type { DeviceChoice } from '../device-choice.js'
import type { Container } from '../layers/base/container.js'
import type { Layer } from '../layers/base/layer.js'
import { showShape } from '../layers/base/names.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import type { CompiledModel } from './compiled-model.js'

const LINE = 100
/** Ends of the columns. */
const COLUMNS = [33, 55, 67, 100]

function row(fields: readonly string[]): string {
  let line = ''
  for (const [i, field] of fields.entries()) {
    const head = i > 0 ? `${line.slice(0, -1)} ` : ''
    line = (head + field).slice(0, COLUMNS[i]).padEnd(COLUMNS[i]!)
  }
  return line.trimEnd()
}

/** As Keras prints it: `(None, 28, 64)`. */
export const pythonShape = (shape: readonly (number | null)[]): string =>
  `(${shape.map((extent) => extent ?? 'None').join(', ')}${shape.length === 1 ? ',' : ''})`

const withCommas = (n: number): string => n.toLocaleString('en-US')

/**
 * The rows for the layers of a model and, in the place of a Merge, those of its branches; each
 * names what comes before it.
 */
function rows(model: Container): string[] {
  let before = model.inputNames[0]
  return model.layers.flatMap((layer, i) => {
    // as in Keras, which takes the input and the output of a first model for those of the whole
    const isHead = i === 0 && layer.isScope
    const [from, title] = [
      isHead ? '' : `${before}[0][0]`,
      `${layer.name} (${layer.layerClass.className})`,
    ]
    before = isHead ? layer.calls[0]!.outputs[0]!.node.layer.name : layer.name
    if (layer.branches.length > 0)
      return layer.branches.flatMap((branch) => rows(branch as Container))
    return [row([title, pythonShape(layer.outputShape ?? []), String(layer.countParams()), from])]
  })
}

/** The shapes that go in or out in all places of a layer, as Keras prints them. */
export function shapesOf(layer: Layer, which: 'inputs' | 'outputs'): string {
  const shapes = layer.calls.map((node) => {
    const tensors = node[which].length > 0 ? node[which] : node.outputs // of an input layer
    const texts = tensors.map(({ shape }) => pythonShape(shape))
    return texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`
  })
  return new Set(shapes).size === 1 ? shapes[0]! : 'multiple'
}

/** The rows for the layers of a graph; each names all that the layer is called on there. */
function graphRows({ layers, network }: Container): string[] {
  const within = new Set(network.nodes)
  return layers.map((layer) => {
    const [first = '', ...more] = layer.nodes
      .filter((node) => within.has(node))
      .flatMap(({ inputs }) => inputs)
      .map(({ node, index }) => `${node.layer.name}[${node.layer.calls.indexOf(node)}][${index}]`)
    const title = `${layer.name} (${layer.layerClass.className})`
    return [
      row([title, shapesOf(layer, 'outputs'), String(layer.countParams()), first]),
      ...more.map((from) => row(['', '', '', from])),
    ].join('\n')
  })
}

/**
 * See {@link Sequential.summary}.
 *
 * @param model with layers
 * @param choice of its device; null: none was made
 */
export function printSummary(
  model: Container,
  choice: DeviceChoice | null,
  options?: { print?: (text: string) => void },
): void {
  const { print } = resolveOptions(
    'summary',
    { print: (text: string) => console.log(text) },
    options,
  )
  if (typeof print !== 'function') {
    const expected = 'a function of the text'
    fail(ConfigError, 'ERR_OPTION', {
      where: 'summary',
      what: 'print',
      expected,
      actual: describe(print),
    })
  }
  const device = choice && `Device: ${choice.device}, chosen by 'auto': ${choice.reason}.`
  print([summaryText(model), ...(device ? [device] : [])].join('\n'))
}

/** @param model with layers */
export function summaryText(model: Container): string {
  const lines = [
    '_'.repeat(LINE),
    row(['Layer (type)', 'Output Shape', 'Param #', 'Connected to']),
    '='.repeat(LINE),
  ]
  const list = model.isGraph ? graphRows(model) : rows(model)
  lines.push(list.join(`\n${'_'.repeat(LINE)}\n`), '='.repeat(LINE))
  let trainable = 0
  let total = 0
  for (const { shape, trainable: isTrainable } of model.kerasArrays()) {
    const size = shape.reduce((a, b) => a * b, 1)
    total += size
    if (isTrainable) trainable += size
  }
  lines.push(`Total params: ${withCommas(total)}`, `Trainable params: ${withCommas(trainable)}`)
  lines.push(`Non-trainable params: ${withCommas(total - trainable)}`, '_'.repeat(LINE))
  return lines.join('\n')
}

/** A model in a line, as `console.log` shows it. */
export function modelText(model: CompiledModel): string {
  const { layers, inputShapes, outputShapes, name } = model
  const { className } = model.layerClass
  if (layers.length === 0) return `${className}(${name}: no layers)`
  const shapes = [inputShapes, outputShapes].map((each) => each.map(showShape).join(', '))
  const state = model.metricsNames.length > 0 ? 'compiled' : 'not compiled'
  const count = `${layers.length} layer${layers.length === 1 ? '' : 's'}`
  return `${className}(${name}: ${count}, ${shapes.join(' → ')}, ${model.countParams()} parameters, ${state})`
}
