/** Layers against Keras' own configurations, shapes, names and orders; no native code. */
import { describe, expect, it } from 'vitest'
import { optimizerOrder } from '../../lib/engine/optimizer-state.js'
import { buildChain, layersOf, modelCases } from './golden-models.js'

const { cases, others } = modelCases(['a_forward', 'b_grads', 'c_train', 'e_h5'])

/**
 * Numbers to six digits, lists and dictionaries through; EigenvalueRegularizer's k is an addition.
 */
function plain(value: unknown): unknown {
  if (typeof value === 'number') return Number(value.toPrecision(6))
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const { name, ...rest } = value as { name?: unknown }
  const entries =
    name === 'EigenvalueRegularizer'
      ? [['name', name]]
      : Object.entries(name === undefined ? rest : { name, ...rest })
  return Object.fromEntries(entries.map(([key, v]) => [key as string, plain(v)]))
}

it('most of the golden models are made of layers that exist', () => {
  console.log(`golden models: ${cases.length} built, ${others} need layers of later issues`)
  expect(cases.length).toBeGreaterThan(350)
})

describe.each(cases)('%s', (label, c) => {
  const chain = layersOf(c.model)
  const outputShape = buildChain(chain)

  it('has the configuration it came from', () => {
    const config = chain.map((layer) => ({
      class_name: layer.layerClass.className,
      config: layer.getConfig(),
    }))
    expect(plain(config)).toEqual(plain(c.model.config))
  })

  it("has Keras' weights, in Keras' order", () => {
    const arrays = chain.flatMap((layer) => layer.kerasArrays())
    // The models in files list Keras' model.weights: what trains comes first
    const isStatistic = /_running_(mean|std)$/
    const statistics = label.startsWith('e_h5/')
      ? arrays.filter((a) => isStatistic.test(a.name))
      : []
    const names = [...arrays.filter((a) => !statistics.includes(a)), ...statistics].map(
      (a) => a.name,
    )
    if (c.weight_names) expect(names).toEqual(c.weight_names)
    const order = c.trainable_sorted ?? c.optimizer_weight_order
    if (order)
      expect(
        optimizerOrder(chain.flatMap((layer) => layer.kerasArrays())).map((a) => a.name),
      ).toEqual(order)
  })

  it('takes its weights and gives them back', () => {
    const weights = c.weights as { shape: number[]; data: Float32Array; dtype: string }[]
    let at = 0
    for (const layer of chain) {
      const n = layer.kerasArrays().length
      const part = weights.slice(at, at + n)
      layer.setWeights(part)
      expect(layer.getWeights().map((w) => [...w.data])).toEqual(part.map((w) => [...w.data]))
      at += n
    }
    expect(at).toBe(weights.length)
    // Afterwards: Keras leaves shared_axes of PReLU out of the configuration, so that only weights
    // tell of them.
    expect(chain.flatMap((layer) => layer.kerasArrays().map((a) => [...a.shape]))).toEqual(
      weights.map((w) => w.shape),
    )
  })

  if (c.output_shape)
    it('has the output shape', () => expect([...outputShape]).toEqual(c.output_shape))
})
