/**
 * Work on a stream as a row of stages: numbers go in piece by piece, rows come out as soon as they
 * are known. A call on a whole array pushes it through the same stages, so that a stream gives the
 * same bits whatever its pieces are.
 */
import { allocate, NDArray } from '../ndarray.js'
import type { Numbers } from './checks.js'

/** A step of a stream. */
export interface Stage {
  /** Numbers of a row that comes out; 1 for samples. */
  readonly width: number
  /** Takes what comes next and gives what is known by it. It keeps nothing of `input`. */
  push(input: Numbers): Numbers
  /** Gives the rest: nothing more will come. */
  end(): Numbers
}

/** Numbers that are pushed at a time, so that no stage holds much more than these. */
const BLOCK = 2 ** 15

/** Stages one after the other. */
export class Chain implements Stage {
  readonly #stages: readonly Stage[]
  readonly width: number

  constructor(stages: readonly Stage[], width: number) {
    this.#stages = stages
    this.width = stages.at(-1)?.width ?? width
  }

  push(input: Numbers): Numbers {
    let numbers = input
    for (const stage of this.#stages) numbers = stage.push(numbers)
    return numbers
  }

  end(): Numbers {
    const rest: Numbers[] = []
    for (const [i, stage] of this.#stages.entries()) {
      let numbers = stage.end()
      for (const later of this.#stages.slice(i + 1)) numbers = later.push(numbers)
      if (numbers.length > 0) rest.push(numbers)
    }
    return rest.length === 1 ? rest[0]! : concat(rest)
  }
}

/** Pieces as one array, all their bits kept. */
export function concat(parts: readonly Numbers[]): Float64Array {
  const out = new Float64Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Pieces that become one array. */
export class Collected {
  readonly #parts: Numbers[] = []
  #size = 0

  add(part: Numbers): void {
    if (part.length === 0) return
    this.#parts.push(part)
    this.#size += part.length
  }

  /** All pieces as float32. @throws InternalError ERR_OUT_OF_MEMORY */
  take(): Float32Array {
    const first = this.#parts[0]
    if (this.#parts.length === 1 && first instanceof Float32Array) return first
    const out = allocate('float32', this.#size) as Float32Array
    let at = 0
    for (const part of this.#parts) {
      out.set(part, at)
      at += part.length
    }
    return out
  }
}

/** Rounds to float32, as results are: what follows gets the numbers that a caller would get. */
export class Rounded implements Stage {
  readonly width: number

  constructor(width: number) {
    this.width = width
  }

  push(input: Numbers): Float32Array {
    return input instanceof Float32Array ? input : Float32Array.from(input)
  }

  end(): Float32Array {
    return new Float32Array(0)
  }
}

/**
 * Pushes a whole array in pieces, with a pause after each.
 *
 * @param width numbers of a row that goes in
 */
export function* runStage(
  stage: Stage,
  input: Numbers,
  width = 1,
): Generator<void, Float32Array, void> {
  const rows = new Collected()
  const block = Math.max(1, Math.floor(BLOCK / width)) * width
  for (let at = 0; at < input.length; at += block) {
    rows.add(stage.push(input.subarray(at, at + block)))
    yield
  }
  rows.add(stage.end())
  return rows.take()
}

/** Rows [n, width] of numbers. */
export const asRows = (numbers: Float32Array, width: number): NDArray =>
  new NDArray(numbers, [numbers.length / width, width])
