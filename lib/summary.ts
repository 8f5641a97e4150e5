/** The table of a model's layers, as Keras prints it (keras/utils/layer_utils.py, `print_summary`). */
import type { Layer } from './layers/layer.js'

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

/** `(None, 28, 64)`. */
const pythonShape = (shape: readonly (number | null)[]): string =>
  `(${shape.map((extent) => extent ?? 'None').join(', ')}${shape.length === 1 ? ',' : ''})`

const withCommas = (n: number): string => n.toLocaleString('en-US')

/**
 * @param layers of the model, built
 * @param input name of the input
 */
export function summaryText(layers: readonly Layer[], input: string): string {
  const lines = ['_'.repeat(LINE), row(['Layer (type)', 'Output Shape', 'Param #', 'Connected to']), '='.repeat(LINE)]
  let before = input
  for (const [i, layer] of layers.entries()) {
    const title = `${layer.name} (${layer.layerClass.className})`
    lines.push(row([title, pythonShape(layer.outputShape ?? []), String(layer.countParams()), `${before}[0][0]`]))
    lines.push((i === layers.length - 1 ? '=' : '_').repeat(LINE))
    before = layer.name
  }
  let trainable = 0
  let total = 0
  for (const layer of layers) {
    for (const { shape, trainable: isTrainable } of layer.kerasArrays()) {
      const size = shape.reduce((a, b) => a * b, 1)
      total += size
      if (isTrainable) trainable += size
    }
  }
  lines.push(`Total params: ${withCommas(total)}`, `Trainable params: ${withCommas(trainable)}`)
  lines.push(`Non-trainable params: ${withCommas(total - trainable)}`, '_'.repeat(LINE))
  return lines.join('\n')
}
