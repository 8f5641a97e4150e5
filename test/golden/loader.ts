/** Reads a golden suite: `data/<suite>.<floatx>.json.gz` and the arrays of its `.bin.gz`. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

export type FloatX = 'float32' | 'float64'
export type Typed = Float32Array | Float64Array | Int32Array | Uint8Array

/** An array as the generators wrote it: C order, batch first. */
export interface Golden {
  readonly shape: number[]
  readonly dtype: string
  readonly data: Typed
}

export interface LayerConfig {
  class_name: string
  config: Record<string, unknown>
}

/** A model as Keras' `to_json` has it. */
export interface ModelConfig {
  class_name: 'Sequential'
  config: LayerConfig[]
  keras_version?: string
}

/** What every case has; a suite adds its own fields. */
export interface Case {
  readonly name: string
  readonly [field: string]: unknown
}

const DATA = new URL('./data/', import.meta.url)
export const dataFile = (name: string): string => new URL(name, DATA).pathname

const TYPES = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint8: Uint8Array,
} as const

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

function gunzip(name: string): Buffer {
  return gunzipSync(readFileSync(new URL(name, DATA)))
}

/** `{"$": [dtype, shape, byteOffset]}` becomes the array it stands for. */
function resolve(node: unknown, memory: ArrayBuffer): unknown {
  if (Array.isArray(node)) return node.map((item) => resolve(item, memory))
  if (node === null || typeof node !== 'object') return node
  const place = (node as { $?: [keyof typeof TYPES, number[], number] }).$
  if (place && Object.keys(node).length === 1) {
    const [dtype, shape, offset] = place
    return { shape, dtype, data: new TYPES[dtype](memory, offset, size(shape)) }
  }
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, resolve(value, memory)]),
  )
}

function read(suite: string, floatx: FloatX): Case[] {
  const file = JSON.parse(gunzip(`${suite}.${floatx}.json.gz`).toString('utf8')) as {
    cases: unknown[]
  }
  const raw = gunzip(`${suite}.${floatx}.bin.gz`)
  const memory = new ArrayBuffer(raw.length)
  new Uint8Array(memory).set(raw)
  return file.cases.map((c) => resolve(c, memory) as Case)
}

/**
 * The cases of a suite. The float64 files hold results only: inputs and weights are those of the
 * float32 twin, and a case without a twin (there is one, `a_forward/RepeatVector`) has no inputs
 * and is left out.
 */
export function load<C extends Case>(suite: string, floatx: FloatX): C[] {
  const single = read(suite, 'float32')
  if (floatx === 'float32') return single as C[]
  const twin = new Map(read(suite, floatx).map((c) => [c.name, c]))
  return single.map((c) => ({ ...c, ...twin.get(c.name) })) as C[]
}

/** Rows `from` to `to` of the first axis, sharing memory. */
export function rows(a: Golden, from: number, to: number): Golden {
  const width = size(a.shape.slice(1))
  const end = Math.min(to, a.shape[0] ?? 0)
  return {
    shape: [end - from, ...a.shape.slice(1)],
    dtype: a.dtype,
    data: a.data.subarray(from * width, end * width),
  }
}
