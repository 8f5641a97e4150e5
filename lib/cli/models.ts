/** The commands that work on saved models: summary, convert, predict. */
import { existsSync } from 'node:fs'
import { isExistsError } from '../files/atomic.js'
import { ConfigError, fail } from '../errors.js'
import { loadModel } from '../model/models.js'
import type { NDArray } from '../ndarray.js'
import { readNpy, writeNpy } from '../files/npy.js'
import type { Model } from '../model/model.js'
import type { QuantizedTo } from '../model/quantize.js'
import { copyFor, type FormatName } from '../saving/formats.js'

/** Loads a model, quantizes it where that is wanted, uses it, and gives its memory back. */
export async function withModel<T>(
  file: string,
  use: (model: Model) => T | Promise<T>,
  quantize?: QuantizedTo,
): Promise<T> {
  const model = await loadModel(file)
  let used: Model = model
  try {
    if (quantize !== undefined) used = await model.quantize(quantize)
    return await use(used)
  } finally {
    model.dispose()
    used.dispose()
  }
}

/** `hiddenstate summary model.h5`. */
export const summary = (file: string): Promise<void> => withModel(file, (model) => model.summary())

/**
 * Makes a file, and says in the words of the command line when it is there already: before any
 * work, and when it appears meanwhile.
 *
 * @param write does the work; replaces nothing unless `overwrite`
 * @throws ConfigError ERR_OPTION
 */
async function writing(
  command: string,
  file: string,
  { overwrite }: { overwrite: boolean },
  write: () => Promise<void>,
): Promise<void> {
  const refuse = (): never => {
    const hint = 'Leave --no-overwrite out to replace it, or name another file.'
    const expected = 'new, as --no-overwrite says'
    return fail(ConfigError, 'ERR_OPTION', {
      where: command,
      what: file,
      expected,
      actual: 'one that exists',
      hint,
    })
  }
  if (!overwrite && existsSync(file)) refuse()
  await write().catch((error) => {
    throw isExistsError(error) ? refuse() : error
  })
}

/** `hiddenstate convert in out --to format --quantize int8`. */
export async function convert(
  from: string,
  to: string,
  {
    overwrite,
    to: format,
    quantize,
  }: { overwrite: boolean; to?: FormatName; quantize?: QuantizedTo },
): Promise<void> {
  const copy = copyFor('convert', to, { format: quantize ? (format ?? 'compact') : format })
  await writing('convert', to, { overwrite }, () =>
    withModel(
      from,
      async (model) => {
        const reader = await copy(model)(to, { overwrite })
        if (typeof reader === 'string') process.stdout.write(reader)
      },
      quantize,
    ),
  )
}

/** One line a sample, its numbers in C order. */
function* lines({ data, shape }: NDArray): Generator<string> {
  const [samples = 1, size = data.length / samples] = [
    shape[0],
    shape.slice(1).reduce((a, b) => a * b, 1),
  ]
  for (let n = 0; n < samples; n++)
    yield Array.from(data.subarray(n * size, (n + 1) * size)).join(',')
}

/** `hiddenstate predict model.h5 input.npy`. */
export async function predict(
  file: string,
  input: string,
  options: { batchSize: number; output?: string; overwrite: boolean },
): Promise<void> {
  const { batchSize, output, overwrite } = options
  const outputs = async () => {
    const x = await readNpy(input) // [N, …]
    return withModel(file, (model) => model.predict(x, { batchSize })) // [N, …]
  }
  if (output !== undefined)
    return writing('predict', output, options, async () =>
      writeNpy(output, await outputs(), { overwrite }),
    )
  for (const line of lines(await outputs())) process.stdout.write(`${line}\n`)
}
