/** What examples take on their command lines. */
import { parseArgs } from 'node:util'
import { setSeed } from 'hiddenstate'

/**
 * `--name value` for each of `defaults` (numbers where the default is one), a path or a text where
 * the example reads one, `--seed` (default 1337, Keras' own) and `--smoke`: values of `smoke`
 * instead of the defaults, for a look whether all runs.
 */
export function readOptions(defaults, smoke = {}) {
  const names = { seed: 1337, ...defaults }
  const options = Object.fromEntries(Object.keys(names).map((name) => [name, { type: 'string' }]))
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { ...options, smoke: { type: 'boolean', default: false } },
  })
  const given = Object.entries(values).map(([name, value]) => {
    const number = Number(value)
    if (typeof names[name] !== 'number') return [name, value]
    if (value === '' || !Number.isFinite(number))
      throw new Error(`--${name} must be a number, got ${value}.`)
    return [name, number]
  })
  const all = {
    ...names,
    ...(values.smoke ? smoke : {}),
    ...Object.fromEntries(given),
    path: positionals[0],
  }
  setSeed(all.seed)
  return all
}

/** 0.8123 as '81.2 %'. */
export const percent = (share) => `${(100 * share).toFixed(1)} %`
