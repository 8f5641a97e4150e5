/** `hiddenstate tune objective.mjs`: a sweep over what a module exports. */
import { writeFileAtomic } from '../files/atomic.js'
import { isLive } from '../progress.js'
import { moduleOf } from '../tune/settings.js'
import { tune, type TuneOptions } from '../tune/index.js'

/** What the command line gives, by the names of tune's options. */
export interface TuneArguments extends Omit<TuneOptions, 'space' | 'objective' | 'timeout'> {
  /** In seconds. */
  timeout?: number
  /** Where the picture goes. */
  picture?: string
}

/** What a module of an objective may export beside it. */
interface Exports {
  space?: TuneOptions['space']
  options?: Partial<TuneOptions>
}

/** Status of a process that Ctrl-C has ended, as shells have it. */
const STATUS = { SIGINT: 130, SIGTERM: 143 } as const

/**
 * Runs the sweep. Ctrl-C stops its trials and leaves the journal for the same command to go on.
 */
export async function sweep(file: string, given: TuneArguments): Promise<void> {
  const { timeout, picture, ...rest } = given
  const module = moduleOf(file)
  const { space, options } = (await import(module)) as Exports
  const abort = new AbortController()
  const stop = (name: keyof typeof STATUS) => {
    process.exitCode = STATUS[name]
    abort.abort(name)
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    const found = await tune({
      ...options,
      ...rest,
      ...(timeout === undefined ? {} : { timeout: 1000 * timeout }),
      ...{ space: space!, objective: module, signal: abort.signal },
    })
    if (!isLive(process.stdout)) console.log(found.table())
    if (found.best !== null) console.log(`best: ${JSON.stringify(found.best.params)}`)
    if (picture !== undefined) await writeFileAtomic(picture, found.toSvg())
  } catch (error) {
    if (!abort.signal.aborted || error !== abort.signal.reason) throw error
    const { journal } = { ...options, ...rest }
    const next =
      journal === undefined
        ? 'nothing is kept: there is no --journal'
        : `the same command goes on with ${journal}`
    console.error(`hiddenstate: the sweep was stopped; ${next}.`)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}
