/** Layers and what `compile` was told → Spec. */
import { ConfigError, fail } from '../errors.js'
import { Container } from '../layers/base/container.js'
import { withChildren } from '../layers/base/members.js'
import type { Layer } from '../layers/base/layer.js'
import { tellReversedSteps } from '../layers/base/mask-warnings.js'
import { loadNative } from '../native.js'
import { describe } from '../ndarray.js'
import {
  type CrfSpec,
  type CtcSpec,
  Graph,
  type MetricSpec,
  type Option,
  type PredictionSpec,
  type ProgramSpec,
  type Spec,
  type Value,
} from '../spec.js'
import { logitsOf } from './logits.js'
import { addWritten } from './written.js'

/** What computes a model, and how exactly. */
export interface Target {
  readonly device: Spec['device']
  readonly precision: 'tf32' | null
}
const CPU: Target = { device: 'cpu', precision: null }

/** The part of a Spec that `compile` decides. */
export interface Training {
  /** Of each output. The loss: a canonical name, a program, 'ctc' or 'crf'. */
  outputs: readonly {
    loss: string | ProgramSpec | CtcSpec | CrfSpec
    weight: number
    metrics: readonly MetricSpec[]
    temporal: boolean
  }[]
  optimizer: { name: string; [hyper: string]: Option }
}

/** A layer and its name in a Spec, which begins with the names of the models that it is inside. */
interface Named {
  layer: Layer
  name: string
  /** Whether it is a wrapper or a model, which may have the name of a layer inside it. */
  holds: boolean
  /** The branch it is in, for errors. */
  branch?: Layer | undefined
}

function named(layers: readonly Layer[], scope: string): Named[] {
  return layers.flatMap((layer) => {
    const name = scope + layer.name
    const inside = named(layer.children, layer instanceof Container ? `${name}/` : scope)
    return [{ layer, name, holds: inside.length > 0 }, ...inside]
  })
}

/** @throws ConfigError ERR_OPTION when two have the same name */
function checkNames(list: readonly Named[]): void {
  const seen = new Map<string, Named>()
  for (const one of list) {
    const { layer, name } = one
    const other = seen.get(name)
    if (other && other.layer !== layer) {
      const place = ({ layer: { where, wrapper }, branch }: Named) =>
        [where, wrapper?.where, branch?.where].filter((each) => each !== undefined).join(' in ')
      fail(ConfigError, 'ERR_OPTION', {
        where: 'model',
        layer: layer.where,
        what: 'layer names',
        expected: 'unique',
        actual: `'${name}' twice: ${place(other)} and ${place(one)}`,
        hint: RENAME,
      })
    }
    seen.set(name, one)
  }
}

/**
 * @throws ConfigError ERR_OPTION when a file of the model would have one name twice: of a layer, or
 *   of an array in a layer
 */
function checkFileNames(model: Container): void {
  const layers = model.flattenedLayers
  const branches = model.layers[0]?.branches ?? []
  const branchOf = (layer: Layer) =>
    branches.find((branch) => withChildren([branch]).includes(layer))
  checkNames(
    layers.map((layer) => ({ layer, name: layer.name, holds: false, branch: branchOf(layer) })),
  )
  for (const layer of layers.filter(({ children }) => children.length > 0)) {
    const names = layer.fileArrays().map(({ name }) => name)
    const twice = names.find((name, i) => names.indexOf(name) !== i)
    if (twice === undefined) continue
    fail(ConfigError, 'ERR_OPTION', {
      where: layer.where,
      layer: layer.where,
      what: 'names of its weights',
      expected: 'unique',
      actual: `'${twice}' twice`,
      hint: RENAME,
    })
  }
}

/**
 * A subclass may name any operation or cell: native code would refuse it in the first run, without
 * the layer's name.
 *
 * @throws ConfigError ERR_UNKNOWN_NAME
 */
export function checkNativeNames({ ops }: Graph): void {
  const { layers, cells } = loadNative().describe()
  const operations = new Set(layers)
  const cellNames = new Set(cells.map(({ name }) => name))
  for (const { op, options, layer, className } of ops) {
    const where = `${layer} (${className})`
    const check = (what: string, name: unknown, known: ReadonlySet<unknown>) => {
      if (known.has(name)) return
      const expected = `one of ${[...known].join(', ')}`
      fail(ConfigError, 'ERR_UNKNOWN_NAME', {
        where,
        layer: where,
        what,
        expected,
        actual: describe(name),
      })
    }
    check('operation', op, operations)
    if ('cell' in options) check('cell', options.cell, cellNames)
  }
}

/** The hint for a name that two layers have; it helps for a layer that is part of a model, too. */
const RENAME = 'Give one of the layers another `name`: set layer.name.'

/**
 * Checks the names again, before something is looked up by them: they may change at any time.
 *
 * @throws ConfigError ERR_OPTION for layer names used twice
 */
export function checkModelNames(model: Container): void {
  const all = named(model.layers, '')
  checkNames(all.filter(({ layer }) => !layer.wrapper))
  checkNames(all.filter(({ holds }) => !holds))
  checkFileNames(model)
}

/**
 * What batches of sequences of different lengths are padded with where the model's first layer
 * masks no value: a number that data do not hold, and that every type of number holds exactly.
 */
export const RAGGED_PADDING = -(2 ** 127)

/** The mask of an input that is padded with {@link RAGGED_PADDING}: [T, D] → the same, masked. */
const maskedInput = (graph: Graph, layer: string, x: Value): Value =>
  graph.op('masking', [x], x.shape, {
    layer,
    className: 'InputLayer',
    options: { maskValue: RAGGED_PADDING },
    mask: 'make',
  })

/**
 * Lowers a model.
 *
 * @param training null: for predictions only
 * @param masked the inputs that may be padded with {@link RAGGED_PADDING}
 * @returns its Spec, and the shape of each value there, without the batch
 * @throws ConfigError ERR_OPTION for layer names used twice and masks that meet a layer without
 *   support for them
 */
export function lowerModel(
  model: Container,
  training: Training | null,
  { device, precision }: Target = CPU,
  masked: ReadonlySet<number> = new Set(),
): { spec: Spec; shapes: Graph['shapes'] } {
  checkModelNames(model)
  const graph = new Graph()
  const inputs = model.inputShapes.map((shape, i) => {
    const value = graph.input(shape.slice(1))
    return masked.has(i) ? maskedInput(graph, model.inputNames[i]!, value) : value
  })
  const values = model.lowerAlone(graph, inputs)
  if (training && values.some((value) => value.mask !== null && value.isReversed))
    tellReversedSteps(model, 'loss')
  const losses = values.map(({ name }, i) => {
    const loss = training?.outputs[i]?.loss ?? null
    return scoredBy(loss, graph, name)
  })
  const written = training ? addWritten(graph) : {}
  checkNativeNames(graph)
  const spec: Spec = {
    ...written,
    device,
    ...(precision && { precision }),
    floatx: model.floatx,
    inputs: graph.inputs,
    params: graph.params,
    ops: graph.ops,
    predictions: values.map(({ name, mask }, i) => {
      const { weight = 1, metrics = [], temporal = false } = training?.outputs[i] ?? {}
      return { value: name, mask, ...losses[i]!, weight, metrics: [...metrics], temporal }
    }),
    optimizer: training?.optimizer ?? null,
  }
  return { spec, shapes: graph.shapes }
}

/** A loss, and what it is taken of where that is not the output itself. */
function scoredBy(
  loss: Training['outputs'][number]['loss'] | null,
  graph: Graph,
  value: string,
): Pick<PredictionSpec, 'loss' | 'scored'> {
  if (typeof loss !== 'object' || loss === null || !('name' in loss)) return { loss }
  if (loss.name === 'ctc') return { loss, scored: logitsOf(graph, value, loss.name) }
  const scoring = graph.scorings.get(value)
  if (scoring) return scoring(loss.isSparse)
  const op = graph.ops.find(({ outputs }) => outputs[0] === value)
  return fail(ConfigError, 'ERR_OPTION', {
    where: op ? `${op.layer} (${op.className})` : 'model',
    what: `output for the loss '${loss.isSparse ? 'sparse_crf' : 'crf'}'`,
    expected: 'that of a CRF',
    actual: op ? `that of another layer` : 'an input',
    hint: 'End the model in new CRF(K), K the number of tags.',
  })
}
