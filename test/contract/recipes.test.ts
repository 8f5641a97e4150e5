/**
 * CONTRIBUTING.md says which files one more thing of each kind takes. Something that is there
 * stands for the next one: the files of lib/ and native/ that name it must be those of its recipe.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { describe, expect, it } from 'vitest'

const EXAMPLES: Record<string, { file: string; names: RegExp }> = {
  'recurrent cell': { file: 'simple_rnn', names: /\bsimple_rnn\b|\bSimpleRNN\b|\bsimple-rnn\b/ },
  layer: {
    file: 'maxout_dense',
    names: /\bmaxout_dense\b|\bMaxoutDense(Shape)?\b|\bmaxout-dense\b/,
  },
  optimizer: { file: 'adamax', names: /\badamax\b/i },
  objective: { file: '', names: /\bpoisson\b/ },
  metric: { file: '', names: /\bmatthews_correlation\b/ },
  activation: { file: '', names: /\bsoftsign_?\b|\bkSoftsign\b/ },
  initialization: { file: '', names: /\blecun_uniform\b/ },
  constraint: { file: '', names: /\bunitnorm\b|\bk?UnitNorm\b/ },
  'data set': { file: 'mnist', names: /\bmnist\b/ },
  command: { file: 'info', names: /\bprintInfo\b/ },
  callback: { file: 'terminate_on_nan', names: /\bTerminateOnNaN\b|\bterminate-on-nan\b/ },
}

/** The recipes: kind → files, `x` standing for the name of the new thing. */
function recipes(): Map<string, string[]> {
  const text = fs.readFileSync('CONTRIBUTING.md', 'utf8')
  const table = text.slice(text.indexOf('| new… |'), text.indexOf('`test/contract/recipes'))
  const rows = table
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| new…'))
  return new Map(
    rows.map((row) => {
      const [, kind = '', files = ''] = row.split('|')
      return [kind.trim(), [...files.matchAll(/`([^`]+\/[^`]+)`/g)].map((match) => match[1]!)]
    }),
  )
}

const withoutComments = (text: string) =>
  text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')

/**
 * Files of the sources whose code has one of these names.
 * What files of Keras 2, of PyTorch and of ONNX have lies in tables of their own, and so does what
 * ranks may share out, which is what has been proven.
 */
function naming(names: RegExp): string[] {
  return execFileSync('git', ['ls-files', 'lib', 'native'], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .filter((file) => /\.(ts|cc|h)$/.test(file) && fs.existsSync(file))
    .filter(
      (file) => !/^native\/test\/|^lib\/saving\/(keras2|onnx|torch)\/|^lib\/world\//.test(file),
    )
    .filter((file) => names.test(withoutComments(fs.readFileSync(file, 'utf8'))))
}

describe.each(Object.entries(EXAMPLES))('%s', (kind, { file, names }) => {
  const files = (recipes().get(kind) ?? []).map((one) =>
    one
      .replace(/\bx\.ts$/, `${file.replaceAll('_', '-')}.ts`)
      .replace(/\bx\.(cc|h)$/, `${file}.$1`),
  )

  it('takes the files that CONTRIBUTING.md says', () => {
    const sources = files.filter((one) => !/(^|\/)test\//.test(one))
    expect(naming(names).sort()).toEqual(sources.sort())
  })

  it('is tested where CONTRIBUTING.md says', () => {
    for (const one of files.filter((each) => /(^|\/)test\//.test(each)))
      expect(names.test(fs.readFileSync(one, 'utf8')), one).toBe(true)
  })
})
