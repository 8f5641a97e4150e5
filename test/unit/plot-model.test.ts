/** Pictures of models. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseHTML } from 'linkedom'
import { afterAll, describe, expect, it, vi } from 'vitest'
import {
  Dense,
  Embedding,
  Input,
  LSTM,
  Merge,
  merge,
  Model,
  Sequential,
  TimeDistributed,
  utils,
} from '../package.js'

const { modelToDot, plotModel, Progbar } = utils
const folder = mkdtempSync(path.join(tmpdir(), 'hs-plot-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const model = () =>
  new Sequential([
    new LSTM(4, { inputShape: [null, 3], name: 'a{b}"<c>|' }),
    new Dense(2, { name: 'out' }),
  ])

describe('modelToDot', () => {
  it('names, classes, shapes', () => {
    expect(modelToDot(model(), { showShapes: true })).toBe(`digraph {
  rankdir=TB
  node [shape=record fontname=Courier fontsize=12]
  0 [label="a\\{b\\}\\"\\<c\\>\\|_input (InputLayer)|{input:|output:}|{{(None, None, 3)}|{(None, None, 3)}}"]
  1 [label="a\\{b\\}\\"\\<c\\>\\| (LSTM)|{input:|output:}|{{(None, None, 3)}|{(None, 4)}}"]
  2 [label="out (Dense)|{input:|output:}|{{(None, 4)}|{(None, 2)}}"]
  0 -> 1
  1 -> 2
}
`)
    expect(modelToDot(model(), { showLayerNames: false })).toContain('2 [label="Dense"]')
  })

  it('draws the branches of a Merge', () => {
    const branch = (name: string) => new Sequential([new Dense(2, { inputDim: 3, name })])
    const dot = modelToDot(
      new Sequential([new Merge([branch('p'), branch('q')], { name: 'both' }), new Dense(1)]),
    )
    expect(dot).toContain('4 [label="both (Merge)"]')
    expect(dot.match(/\d+ -> \d+/g)).toEqual(['0 -> 1', '2 -> 3', '1 -> 4', '3 -> 4', '4 -> 5'])
  })

  it('draws a graph: a box for each layer, an arrow for each input of its places', () => {
    const [q, a] = [Input({ shape: [7], name: 'q' }), Input({ shape: [5], name: 'a' })]
    const words = new Embedding(20, 6, { name: 'words' })
    const read = new LSTM(4, { name: 'read' })
    const both = merge([read.call(words.call(q)), read.call(words.call(a))], {
      mode: 'concat',
      name: 'both',
    })
    const kind = new Dense(2, { name: 'kind' }).call(both)
    const inside = new TimeDistributed(new Dense(3, { name: 'tag' }), { name: 'tags' })
    const graph = new Model({ input: [q, a], output: [kind, inside.call(words.call(q))] })
    const boxes = [
      ['q', 'InputLayer', '(None, 7)', '(None, 7)'],
      ['a', 'InputLayer', '(None, 5)', '(None, 5)'],
      ['words', 'Embedding', 'multiple', 'multiple'],
      ['read', 'LSTM', 'multiple', '(None, 4)'],
      ['both', 'Merge', '[(None, 4), (None, 4)]', '(None, 8)'],
      ['kind', 'Dense', '(None, 8)', '(None, 2)'],
      ['tags(tag)', 'TimeDistributed(Dense)', '(None, 7, 6)', '(None, 7, 3)'],
    ] as const
    const dot = modelToDot(graph, { showShapes: true })
    for (const [i, [name, className, from, to]] of boxes.entries())
      expect(dot).toContain(
        `  ${i} [label="${name} (${className})|{input:|output:}|{{${from}}|{${to}}}"]\n`,
      )
    const arrows = '0 -> 2,0 -> 2,1 -> 2,2 -> 3,2 -> 3,2 -> 6,3 -> 4,3 -> 4,4 -> 5'
    expect(dot.match(/\d+ -> \d+/g)?.sort()).toEqual(arrows.split(','))
    // a model inside a model is one box
    const x = Input({ shape: [7], name: 'x' })
    const outer = new Model({ input: [x, a], output: graph.call([x, a]) })
    expect(modelToDot(outer, { showLayerNames: false }).match(/\d+ -> \d+/g)).toEqual([
      '0 -> 2',
      '1 -> 2',
    ])
  })

  it('refuses a model without layers, and unknown options', () => {
    expect(() => modelToDot(new Sequential())).toThrow(/model must be layers, got none/)
    expect(() => modelToDot(model(), { show_shapes: true } as never)).toThrow(
      /Did you mean `showShapes`/,
    )
  })
})

describe('plotModel', () => {
  it('writes an SVG with every layer and arrow', async () => {
    const toFile = path.join(folder, 'model.svg')
    const svg = await plotModel(model(), { toFile, showShapes: true })
    expect(readFileSync(toFile, 'utf8')).toBe(svg)
    const { document } = parseHTML(svg.slice(svg.indexOf('<svg')))
    const texts = [...document.querySelectorAll('text')].map((t) => t.textContent)
    expect(texts).toContain('a{b}"<c>| (LSTM)')
    expect(texts).toContain('(None, 2)')
    expect(document.querySelectorAll('g.node')).toHaveLength(3)
    expect(document.querySelectorAll('g.edge')).toHaveLength(2)
  })

  it('writes DOT, or nothing', async () => {
    const toFile = path.join(folder, 'model.dot')
    expect(await plotModel(model(), { toFile })).toBe(readFileSync(toFile, 'utf8'))
    expect(await plotModel(model(), { toFile: null })).toContain('<svg')
    await expect(plotModel(model(), { toFile: 'model.png' })).rejects.toThrow(
      /toFile must be a name that ends in \.svg/,
    )
  })

  it('says which package to install when it is not there', async () => {
    vi.doMock('@viz-js/viz', () => {
      throw new Error('Cannot find package')
    })
    await expect(plotModel(model(), { toFile: null })).rejects.toMatchObject({
      code: 'ERR_MISSING_PACKAGE',
      message: expect.stringMatching(/npm install @viz-js\/viz$/),
    })
    vi.doUnmock('@viz-js/viz')
  })
})

describe('Progbar', () => {
  const draw = (verbose: 0 | 1 | 2): string => {
    let [text, now] = ['', 0]
    const output = { write: (part: string) => (text += part) }
    const bar = new Progbar(10, { verbose, width: 10, output, now: () => (now += 1000) })
    for (let i = 0; i < 5; i++) bar.add(2, [['loss', i]])
    return text
  }

  it('adds', () => expect(draw(1)).toMatch(/^10\/10 \[==========\] - \d+s - loss: 2\.0000 *\n$/))
  it('one line with verbose 2', () => expect(draw(2)).toMatch(/^\d+s - loss: 2\.0000 *\n$/))
  it('nothing with verbose 0', () => expect(draw(0)).toBe(''))
})
