import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { Callback, type Logs } from './callback.js'

/** Options of {@link RemoteMonitor}. */
export interface RemoteMonitorOptions {
  /** Address of the server. Default `'http://localhost:9000'`. */
  root?: string
  /** Path that takes the events, appended to `root`. Default `'/publish/epoch/end/'`. */
  path?: string
  /** Form field that holds the JSON. Default `'data'`. */
  field?: string
  /**
   * Default: `Accept` and `Content-Type` `application/json`,
   * as Keras has them (though the body is a form).
   */
  headers?: Readonly<Record<string, string>>
  /**
   * Milliseconds after which an epoch is not waited for any longer. Not in Keras, which waits for
   * ever. Default 10000.
   */
  timeout?: number
}

const defaults = {
  root: 'http://localhost:9000',
  path: '/publish/epoch/end/',
  field: 'data',
  headers: { Accept: 'application/json', 'Content-Type': 'application/json' } as Readonly<
    Record<string, string>
  >,
  timeout: 10_000,
}

/**
 * Sends the logs of each epoch to a server: a POST of one form field that holds `{ epoch, … }` as
 * JSON. A server that is not there or refuses does not stop the training: a process warning, code
 * `HIDDENSTATE_REMOTE`, says so.
 * @throws ConfigError `ERR_OPTION` for an address that is none
 * @example
 * import { RemoteMonitor } from 'hiddenstate'
 * const monitor = new RemoteMonitor({ root: 'http://127.0.0.1:9000' })
 * console.log(monitor.url.href) // http://127.0.0.1:9000/publish/epoch/end/
 * @see keras.callbacks.RemoteMonitor
 */
export class RemoteMonitor extends Callback {
  readonly options: Readonly<typeof defaults>
  /** Where the events go. */
  readonly url: URL

  constructor(options?: RemoteMonitorOptions) {
    super()
    this.options = resolveOptions('RemoteMonitor', defaults, options)
    const { root, path, field, headers, timeout } = this.options
    const isText = (value: unknown) => typeof value === 'string'
    const checks: [what: string, expected: string, value: unknown, isGood: boolean][] = [
      ['field', 'a string', field, isText(field)],
      ['headers', 'an object of strings', headers, Object.values(headers ?? 0).every(isText)],
      ['timeout', 'a number of milliseconds > 0', timeout, Number.isFinite(timeout) && timeout > 0],
    ]
    for (const [what, expected, value, isGood] of checks) {
      if (!isGood)
        fail(ConfigError, 'ERR_OPTION', {
          where: 'RemoteMonitor',
          what,
          expected,
          actual: describe(value),
        })
    }
    const url = URL.canParse(`${root}${path}`) ? new URL(`${root}${path}`) : null
    if (url === null || !/^https?:$/.test(url.protocol)) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'RemoteMonitor',
        what: 'root and path',
        expected: 'the address of a http server',
        actual: `'${root}${path}'`,
      })
    }
    this.url = url
  }

  override get everyRank(): boolean {
    return false
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    const { field, headers, timeout } = this.options
    try {
      const response = await fetch(this.url, {
        method: 'POST',
        headers,
        body: new URLSearchParams({ [field]: JSON.stringify({ epoch, ...logs }) }).toString(),
        signal: AbortSignal.timeout(timeout),
      })
      await response.body?.cancel()
      if (!response.ok) this.#warn(`it answered ${response.status}`)
    } catch (error) {
      const { message, cause } = error as Error
      this.#warn(cause instanceof Error ? cause.message || message : message)
    }
  }

  #warn(why: string): void {
    process.emitWarning(`RemoteMonitor: could not reach ${this.url.origin}: ${why}.`, {
      code: 'HIDDENSTATE_REMOTE',
    })
  }
}
