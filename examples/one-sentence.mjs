/**
 * Imported first by every example: what a user can mend (a file that is not there, an option, a
 * package that is not installed, data that do not fit) ends it with one sentence instead of a
 * stack. Faults of the example itself keep theirs.
 */
import path from 'node:path'
import { HiddenstateError } from 'hiddenstate'

/** The sentence for an error that the user can mend; undefined for others. */
export function sentenceOf(error) {
  if (!(error instanceof Error)) return undefined
  const { code, message, syscall } = error
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
    const [, name] =
      /Cannot find (?:package|module) '((?:@[\w.-]+\/)?[\w-][\w.-]*)/.exec(message) ?? []
    return (
      name &&
      `needs the npm package ${name}: run \`npm install --no-save ${name}\`, then this again.`
    )
  }
  if (syscall !== undefined) return `${message}.`
  const isOurs =
    error instanceof HiddenstateError ||
    error.constructor === Error ||
    /^ERR_PARSE_ARGS_/.test(code ?? '')
  return isOurs ? message : undefined
}

process.on('uncaughtException', (error) => {
  const sentence = sentenceOf(error)
  const file = process.argv[1] ?? ''
  const name =
    path.basename(file) === 'main.mjs'
      ? path.basename(path.dirname(file))
      : path.basename(file, '.mjs')
  console.error(sentence === undefined ? error : `${name}: ${sentence}`)
  process.exit(1)
})
