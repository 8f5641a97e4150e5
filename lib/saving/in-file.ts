/** Errors about what a file says, as errors about the file. */
import { FormatError, HiddenstateError } from '../errors.js'
import { runAtOnce, type SlicedWork } from '../sliced-work.js'

/** Runs `use`; its errors about what a file says become errors about the file. */
export const inFile = <T>(path: string, where: string, use: () => T): T =>
  runAtOnce(
    // biome-ignore lint/correctness/useYield: one step
    stepsInFile(path, where, function* () {
      return use()
    }),
  )

/** {@link inFile} for work in steps. */
export function* stepsInFile<T>(
  path: string,
  where: string,
  use: () => SlicedWork<T>,
): SlicedWork<T> {
  try {
    return yield* use()
  } catch (error) {
    if (!(error instanceof HiddenstateError) || error.message.startsWith(path)) throw error
    if (error.code === 'ERR_OUT_OF_MEMORY') throw error // it says nothing of the file
    const { expected = 'valid', actual = 'not', layer } = error
    const code = error.code === 'ERR_LIMIT' ? 'ERR_LIMIT' : 'ERR_FILE_FORMAT'
    throw new FormatError(code, `${path}: ${where}: ${error.message}`, {
      expected,
      actual,
      cause: error,
      ...(layer ? { layer } : {}),
    })
  }
}
