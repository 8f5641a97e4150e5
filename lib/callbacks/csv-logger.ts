import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { checkedPath, cutFile, fileError } from '../files/atomic.js'
import { resolveOptions } from '../options.js'
import { Callback, type Logs } from './callback.js'

/** Options of {@link CSVLogger}. */
export interface CSVLoggerOptions {
  /** Between columns. Default `','`. */
  separator?: string
  /** Goes on in an existing file instead of starting it anew. Default `false`. */
  append?: boolean
}

/**
 * Writes a line of comma-separated values per epoch: `epoch`, then the logs in the order of their
 * names. Lines end in CR LF, as Python's csv module writes them.
 * @param filename path of the file; its folder must exist
 * @throws ConfigError `ERR_OPTION`; in `fit` FormatError `ERR_FILE_SYSTEM` when the file cannot be
 *   read or written
 * @example
 * import { CSVLogger, Dense, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 2 })])
 * model.compile({ loss: 'mse', optimizer: 'sgd' })
 * const [x, y] = [[[0, 1], [1, 0], [1, 1], [0, 0]], [1, 1, 2, 0]]
 * await model.fit(x, y, { callbacks: [new CSVLogger('training.csv')], verbose: 0 })
 * @see keras.callbacks.CSVLogger
 */
export class CSVLogger extends Callback {
  readonly filename: string
  readonly separator: string
  readonly append: boolean
  #hasHeader = false
  #keys: string[] | null = null

  constructor(filename: string, options?: CSVLoggerOptions) {
    super()
    const { separator, append } = resolveOptions(
      'CSVLogger',
      { separator: ',', append: false },
      options,
    )
    this.filename = checkedPath('CSVLogger', filename)
    this.separator = separator
    this.append = append
  }

  override get everyRank(): boolean {
    return false
  }

  override onTrainBegin(): void {
    this.#keys = null
    const { filename, append } = this
    this.#hasHeader =
      append &&
      this.#try('readable', () => existsSync(filename) && readFileSync(filename).length > 0)
    if (!append && !this.params?.resumes) this.#try('writable', () => writeFileSync(filename, ''))
  }

  override getState(): { size: number; keys: string[] | null; hasHeader: boolean } {
    const size = this.#try(
      'readable',
      () => statSync(this.filename, { throwIfNoEntry: false })?.size ?? 0,
    )
    return { size, keys: this.#keys, hasHeader: this.#hasHeader }
  }

  /** Removes the lines that were written after the checkpoint: the training writes them again. */
  override setState({
    size,
    keys,
    hasHeader,
  }: {
    size: number
    keys: string[] | null
    hasHeader: boolean
  }): void {
    this.#keys = keys
    this.#hasHeader = hasHeader
    this.#try('writable', () => cutFile(this.filename, size))
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    if (!this.#keys) {
      this.#keys = Object.keys(logs).sort()
      if (!this.#hasHeader) this.#line(['epoch', ...this.#keys])
    }
    this.#line([epoch, ...this.#keys.map((key) => logs[key])])
  }

  #line(cells: readonly (string | number | undefined)[]): void {
    const line = `${cells.map((cell) => this.#cell(cell)).join(this.separator)}\r\n`
    this.#try('writable', () => appendFileSync(this.filename, line))
  }

  #try<T>(expected: 'readable' | 'writable', use: () => T): T {
    try {
      return use()
    } catch (error) {
      throw fileError(this.filename, expected, error)
    }
  }

  /** As Python prints it: nan, inf; quoted where separator, quote or line end are inside. */
  #cell(cell: string | number | undefined): string {
    if (cell === undefined) return ''
    if (typeof cell === 'number' && !Number.isFinite(cell))
      return Number.isNaN(cell) ? 'nan' : cell > 0 ? 'inf' : '-inf'
    const text = String(cell)
    return text.includes(this.separator) || /["\r\n]/.test(text)
      ? `"${text.replaceAll('"', '""')}"`
      : text
  }
}
