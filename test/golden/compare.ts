/** Comparing what came out with what Keras computed. */
import type { Golden } from './loader.js'

type Numbers = ArrayLike<number>
type Comparable = number | string | Numbers | { shape: readonly number[]; data: Numbers }

/** JSON cannot hold these three; the generators wrote strings. */
const WORDS: Record<string, number> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
}

function flat(value: unknown): Numbers {
  if (typeof value === 'number') return [value]
  if (typeof value === 'string') return [WORDS[value] ?? Number(value)]
  if (ArrayBuffer.isView(value)) return value as unknown as Numbers
  if (Array.isArray(value)) return value.flatMap((v) => Array.from(flat(v)))
  if (value && typeof value === 'object' && 'data' in value)
    return (value as { data: Numbers }).data
  throw new Error(`expected numbers, got ${String(value)}`)
}

const brief = (v: unknown): string => {
  const text = JSON.stringify(v) ?? 'undefined'
  return text.length > 160 ? `${text.slice(0, 160)}…` : text
}

/** Collects every difference of one case, so that a failure shows all of them, not the first. */
export class Check {
  readonly problems: string[] = []
  checks = 0
  /** Largest share of its tolerance that any comparison used. */
  used = 0

  equal(what: string, actual: unknown, expected: unknown): void {
    this.checks++
    if (brief(actual) !== brief(expected) || JSON.stringify(actual) !== JSON.stringify(expected)) {
      this.problems.push(`${what}: expected ${brief(expected)}, got ${brief(actual)}`)
    }
  }

  ok(what: string, condition: unknown): void {
    this.checks++
    if (!condition) this.problems.push(what)
  }

  /** |a - e| <= abs + rel * max(|e|, rms(e)), shapes equal where both have one. NaN equals NaN. */
  close(
    what: string,
    actual: unknown,
    expected: Comparable | readonly number[] | Golden,
    abs = 1e-5,
    rel = 1e-5,
  ): void {
    this.checks++
    const [sa, se] = [shapeOf(actual), shapeOf(expected)]
    if (sa && se && brief(sa) !== brief(se)) {
      this.problems.push(`${what}: shape [${sa}], expected [${se}]`)
      return
    }
    const a = flat(actual)
    const e = flat(expected)
    if (a.length !== e.length) {
      this.problems.push(`${what}: ${a.length} numbers, expected ${e.length}`)
      return
    }
    const worst = worstDifference(a, e, abs, rel)
    this.used = Math.max(this.used, worst.share)
    if (worst.share > 1) {
      const [got, want] = [a[worst.at], e[worst.at]]
      this.problems.push(
        `${what}: [${worst.at}] expected ${want}, got ${got} (${worst.share.toPrecision(3)} x tolerance)`,
      )
    }
  }

  /** Throws with everything that differed; a case that checked nothing has failed too. */
  finish(): void {
    if (this.checks === 0) throw new Error('nothing was checked')
    if (this.problems.length > 0) throw new Error(this.problems.slice(0, 5).join('\n'))
  }
}

function shapeOf(value: unknown): readonly number[] | undefined {
  return value && typeof value === 'object' && 'shape' in value
    ? [...(value as Golden).shape]
    : undefined
}

function worstDifference(
  a: Numbers,
  e: Numbers,
  abs: number,
  rel: number,
): { share: number; at: number } {
  let squares = 0
  for (let i = 0; i < e.length; i++) if (Number.isFinite(e[i])) squares += (e[i] as number) ** 2
  const rms = Math.sqrt(squares / (e.length || 1))
  let share = 0
  let at = -1
  for (let i = 0; i < e.length; i++) {
    const [got, want] = [a[i] as number, e[i] as number]
    if (got === want || (Number.isNaN(got) && Number.isNaN(want))) continue
    const difference = Math.abs(got - want)
    const limit = abs + rel * Math.max(Math.abs(want), rms)
    const used = Number.isFinite(difference) ? difference / limit : Number.POSITIVE_INFINITY
    if (used > share) [share, at] = [used, i]
  }
  return { share, at }
}
