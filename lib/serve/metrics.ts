/** What has happened, in the text format of Prometheus. */

/** Upper ends of the classes of a histogram. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]

/** Every metric: its kind, what it says, and of a histogram the classes. */
const METRICS = {
  hiddenstate_requests_total: ['counter', 'Requests that were answered, by route and status.'],
  hiddenstate_request_seconds: ['histogram', 'How long answers took, by route.', SECONDS],
  hiddenstate_batch_rows: ['histogram', 'Rows of each batch.', ROWS],
  hiddenstate_batch_seconds_total: ['counter', 'Time in which batches were computed.'],
  hiddenstate_session_messages_total: ['counter', 'Messages of sessions that were answered.'],
  hiddenstate_errors_total: ['counter', 'Answers that were errors, by code.'],
  hiddenstate_reloads_total: ['counter', 'Models that have taken the place of one before.'],
  hiddenstate_queue_calls: ['gauge', 'Calls that wait for a batch.'],
  hiddenstate_sessions: ['gauge', 'Sessions that are open.'],
  hiddenstate_resident_bytes: ['gauge', 'Memory of the process.'],
} as const
type Name = keyof typeof METRICS
type Labels = Readonly<Record<string, string | number>>

/** A line: its name with labels, and its value. */
export type Samples = readonly (readonly [key: string, value: number])[]

const keyOf = (name: string, labels: Labels): string => {
  const text = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  return text.length > 0 ? `${name}{${text.join(',')}}` : name
}

export class Metrics {
  readonly #values = new Map<string, number>()

  add(name: Name, labels: Labels = {}, value = 1): void {
    const key = keyOf(name, labels)
    this.#values.set(key, (this.#values.get(key) ?? 0) + value)
  }

  set(name: Name, value: number): void {
    this.#values.set(name, value)
  }

  /** Counts a value of a histogram. */
  observe(name: Name, value: number, labels: Labels = {}): void {
    const ends = METRICS[name][2] ?? []
    const add = (suffix: string, own: Labels, by: number) => {
      const key = keyOf(`${name}${suffix}`, own)
      this.#values.set(key, (this.#values.get(key) ?? 0) + by)
    }
    for (const end of ends) add('_bucket', { ...labels, le: end }, value <= end ? 1 : 0)
    add('_bucket', { ...labels, le: '+Inf' }, 1)
    add('_sum', labels, value)
    add('_count', labels, 1)
  }

  get samples(): Samples {
    return [...this.#values]
  }
}

/** Of several processes together. */
export function summed(all: readonly Samples[]): Samples {
  const values = new Map<string, number>()
  for (const [key, value] of all.flat()) values.set(key, (values.get(key) ?? 0) + value)
  return [...values]
}

/** @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
export function prometheusText(samples: Samples): string {
  const lines: string[] = []
  for (const [name, [kind, help]] of Object.entries(METRICS)) {
    const isOwn = ([key]: readonly [string, number]) =>
      key === name ||
      (key.startsWith(name) && /^(_bucket|_sum|_count)?(\{|$)/.test(key.slice(name.length)))
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`)
    for (const [key, value] of samples.filter(isOwn)) lines.push(`${key} ${value}`)
  }
  return `${lines.join('\n')}\n`
}
