/** YAML: what Keras 1.2.2 wrote is read, what is written reads like PyYAML's. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FormatError } from '../../lib/errors.js'
import { emitYaml } from '../../lib/yaml/emit.js'
import { parseYaml } from '../../lib/yaml/parse.js'
import { modelFromYaml } from '../../lib/model/models.js'
import { withoutRepetitions } from '../../lib/yaml/repetitions.js'
import { dataFile } from '../golden/loader.js'

const files = readdirSync(dataFile('h5')).filter((f) => f.endsWith('.yaml'))
const textOf = (file: string) => readFileSync(dataFile(`h5/${file}`), 'utf8')
const jsonOf = (file: string) => JSON.parse(textOf(file.replace('.yaml', '.json')))

test('there are seven recorded files', () => expect(files).toHaveLength(7))

test.each(files)('%s reads as the JSON of the same model', (file) => {
  expect(parseYaml(textOf(file))).toEqual(jsonOf(file))
})

test.each(files)('%s: what is written reads back', (file) => {
  expect(parseYaml(emitYaml(jsonOf(file)))).toEqual(jsonOf(file))
})

/**
 * One of the seven holds a numpy number, which plain data cannot; whole floats lose their '.0' in
 * JSON, and lines their length with it.
 */
test.each(files.filter((f) => f !== 'adadelta_merge.yaml'))(
  '%s: what is written is what PyYAML wrote',
  (file) => {
    const words = (text: string) => text.replace(/: (-?\d+)\.0\b/g, ': $1').split(/\s+/)
    expect(words(emitYaml(jsonOf(file)))).toEqual(words(textOf(file)))
  },
)

test('the layout of PyYAML: sorted keys, brackets for scalars, lines broken after column 80', () => {
  const config = {
    zero: 0,
    name: 'masking_1',
    batch_input_shape: [null, 8, 4],
    trainable: true,
    ...Object.fromEntries(
      Array.from({ length: 6 }, (_, i) => [`long_option_${i}`, 'glorot_uniform']),
    ),
  }
  expect(
    emitYaml({
      class_name: 'Sequential',
      config: [
        { class_name: 'Masking', config },
        { class_name: 'Flatten', config: { p: 1, a: [] } },
      ],
    }),
  ).toMatchInlineSnapshot(`
    "class_name: Sequential
    config:
    - class_name: Masking
      config:
        batch_input_shape: !!python/tuple [null, 8, 4]
        long_option_0: glorot_uniform
        long_option_1: glorot_uniform
        long_option_2: glorot_uniform
        long_option_3: glorot_uniform
        long_option_4: glorot_uniform
        long_option_5: glorot_uniform
        name: masking_1
        trainable: true
        zero: 0
    - class_name: Flatten
      config:
        a: []
        p: 1
    "
  `)
  const flow = {
    class_name: 'Dense',
    config: Object.fromEntries(
      Array.from({ length: 8 }, (_, i) => [`long_option_${i}`, 'glorot_uniform']),
    ),
  }
  expect(emitYaml([flow])).toMatchInlineSnapshot(`
    "- class_name: Dense
      config: {long_option_0: glorot_uniform, long_option_1: glorot_uniform, long_option_2: glorot_uniform,
        long_option_3: glorot_uniform, long_option_4: glorot_uniform, long_option_5: glorot_uniform,
        long_option_6: glorot_uniform, long_option_7: glorot_uniform}
    "
  `)
})

test.each([
  [1e-8, '1.0e-8'],
  [1.5e-7, '1.5e-7'],
  [-2e22, '-2.0e+22'],
  [0.001, '0.001'],
  [3, '3'],
  [Number.NaN, '.nan'],
  [Number.NEGATIVE_INFINITY, '-.inf'],
  [null, 'null'],
  [true, 'true'],
  ['1.2.2', '1.2.2'],
  ['12', '"12"'],
  ['yes', '"yes"'],
  ['Null', '"Null"'],
  ['', '""'],
  ['- a', '"- a"'],
  ['a: b', '"a: b"'],
  ['dénse 😀', '"d\\u00e9nse \\U0001f600"'],
  ['two words', 'two words'],
])('scalar %s is written as %s and reads back', (value, text) => {
  expect(emitYaml([value])).toBe(`[${text}]\n`)
  expect(parseYaml(emitYaml([value]))).toEqual([value])
})

test('names of Python types are data', () => {
  const text =
    "- !!python/tuple [1, !!python/unicode 'a', !!python/long 3L]\n- !!python/str b\n- !!python/bool True\n- !!python/none ''\n"
  expect(parseYaml(text)).toEqual([[1, 'a', 3], 'b', true, null])
})

const numpy = (
  dtype: string,
  order: string,
  bytes: number[],
) => `!!python/object/apply:numpy.core.multiarray.scalar
- !!python/object/apply:numpy.dtype
  args: [${dtype}, false, true]
  state: !!python/tuple [3, ${order}, null, null, null, -1, -1, 0]
- !!binary |
  ${Buffer.from(bytes).toString('base64')}
`
test('numpy numbers, little and big endian', () => {
  expect(parseYaml(numpy('i4', '<', [1, 2, 0, 0]))).toBe(513)
  expect(parseYaml(numpy('i4', "'>'", [0, 0, 2, 1]))).toBe(513)
  expect(parseYaml(numpy('f8', '<', [...new Uint8Array(Float64Array.of(0.1).buffer)]))).toBe(0.1)
})

test.each([
  ['a tag that runs code in Python', '!!python/object/apply:os.system ["true"]'],
  ['a name of Python code', 'f: !!python/name:os.system'],
  ['an object', '!!python/object:datetime.date {}'],
  ['an unknown tag', 'a: !foo 3'],
  ['an unclosed list', 'a: ['],
  ['a key that comes twice', 'a: 1\na: 2'],
  ['a list that holds itself', '&a [*a]'],
  [
    'aliases without measure',
    `a: &a [x, x, x, x, x, x, x, x, x]\n${['b a', 'c b', 'd c', 'e d', 'f e'].map((p) => `${p[0]}: &${p[0]} [${`*${p[2]}, `.repeat(9)}]`).join('\n')}`,
  ],
  ['a numpy number with too few bytes', numpy('i8', '<', [1, 2])],
  ['a numpy array of objects', numpy('O8', '<', [1, 2, 3, 4, 5, 6, 7, 8])],
])('%s is refused', (_, text) => {
  expect(() => parseYaml(text)).toThrow(FormatError)
  expect(() => parseYaml(text)).toThrow(/^YAML: /)
})

test.each([
  ['a fault that the parser finds', 'a: "\\q'],
  ['a fault that a tag finds', 'a: !!python/int x'],
  ['no fault', 'a: 1'],
])('stacks are as before after %s, and its error has one', (_, text) => {
  const before = Error.stackTraceLimit
  let error: unknown = new Error('none')
  try {
    parseYaml(text)
  } catch (thrown) {
    error = thrown
  }
  expect((error as Error).stack).toMatch(/\n\s+at .*saving-yaml\.test/)
  expect(Error.stackTraceLimit).toBe(before)
})

test('anything but a string is refused', () => {
  expect(() => parseYaml(3 as unknown as string)).toThrow(FormatError)
})

test.each(['', '\n', '---\n', '...\n---\n'])(
  'the same document again, after %j, is one document',
  (mark) => {
    const text = textOf('sine_gru.yaml')
    const json = modelFromYaml(text).toJson()
    for (const twice of [
      text + mark + text,
      `---\n${text}${mark}${text}${mark}${text}`,
      text.replaceAll('\n', '\r\n') + mark + text,
    ])
      expect(modelFromYaml(twice).toJson()).toBe(json)
  },
)

test('documents that differ are refused, and lists are left as they are', () => {
  const text = textOf('sine_gru.yaml')
  expect(() =>
    modelFromYaml(text + text.replace('sine', 'other').replace('1.2.2', '1.2.1')),
  ).toThrow(FormatError)
  for (const one of ['- x\n- x\n', 'a: 1\n', 'a: |\n  b: 1\n  b: 1\n', ''])
    expect(withoutRepetitions(one)).toBe(one)
})
