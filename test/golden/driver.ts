/** Talks to the package by its public API, in the words of the golden files. */
import * as main from '../package.js'
import { preprocessing, utils } from '../package.js'
import type { Case, Golden, LayerConfig, ModelConfig } from './loader.js'

export type Model = main.Sequential

/** Every name the package exports, whichever entry it comes from. */
const EXPORTS: Record<string, unknown> = { ...utils, ...preprocessing, ...main }
export const has = (name: string): boolean => EXPORTS[name] !== undefined

/** An export by name; the caller says what it is. */
export function find<T>(name: string): T {
  if (!has(name)) throw new Error(`the package exports no ${name}`)
  return EXPORTS[name] as T
}

/** `return_sequences` -> `returnSequences`, `beta_1` -> `beta1`. */
export const camel = (key: string): string =>
  key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

/** Keyword arguments as options: camelCase, nulls left out. */
export function options(keywords: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(keywords)
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([key, value]) => [camel(key), value]),
  )
}

/** An array for the package: `{ data, shape }`. */
export const give = (a: Golden): { data: Golden['data']; shape: number[] } => ({
  data: a.data,
  shape: a.shape,
})

/**
 * Inputs of a case: a list with one array for an ordinary model,
 * with several for one that begins with Merge.
 */
export const giveAll = (x: readonly Golden[]): never =>
  (x.length === 1 ? give(x[0] as Golden) : x.map(give)) as never

export const fromConfig = (config: ModelConfig): Model => main.modelFromJson(JSON.stringify(config))

/** A case with a model: its configuration and the weights it starts from. */
export interface ModelCase extends Case {
  model: ModelConfig
  weights: Golden[]
  weight_names: string[]
}

export function ready(c: ModelCase): Model {
  const model = fromConfig(c.model)
  model.setWeights(c.weights.map(give))
  return model
}

export interface CompileCase {
  optimizer: LayerConfig
  loss: string
  metrics?: string[] | null
  sample_weight_mode?: string | null
}

export function optimizer(o: LayerConfig): never {
  const Class = find<new (o: Record<string, unknown>) => unknown>(o.class_name)
  return new Class(options(o.config)) as never
}

export function compile(model: Model, c: CompileCase): void {
  model.compile({
    optimizer: optimizer(c.optimizer),
    loss: c.loss as never,
    ...(c.metrics?.length ? { metrics: c.metrics as never } : {}),
    ...(c.sample_weight_mode ? { sampleWeightMode: c.sample_weight_mode as never } : {}),
  })
}

/**
 * What `trainOnBatch` and its kin return, and Keras returned, as a list. JSON has NaN as a string.
 */
export const list = (result: number | string | readonly number[]): number[] =>
  typeof result === 'object' ? Array.from(result) : [Number(result)]

/**
 * The classes a configuration names, nested layers included:
 * what the package must export to run it.
 */
export function classesIn(node: unknown): string[] {
  const found = new Set<string>()
  const walk = (n: unknown): void => {
    if (n === null || typeof n !== 'object') return
    const name = (n as LayerConfig).class_name
    if (typeof name === 'string') found.add(name)
    for (const child of Object.values(n)) walk(child)
  }
  walk(node)
  return [...found]
}
