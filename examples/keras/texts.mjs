/** Labelled texts by their path. */
import fs from 'node:fs'
import path from 'node:path'

/**
 * Texts as `{ text, label }`, 1 for those that praise and 0 for those that complain.
 * `place` is one of
 * - a folder with one file `*.pos` and one `*.neg`, a text a line;
 * - a folder with the folders `pos` and `neg`, a text a file;
 * - a file of lines `label<TAB>text` with the labels 0 and 1.
 */
export function readTexts(place) {
  const lines = (file) =>
    fs
      .readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.trim())
  if (!fs.statSync(place).isDirectory())
    return lines(place).map((line, i) => {
      const [label, ...text] = line.split('\t')
      if (text.length === 0 || !['0', '1'].includes(label))
        throw new Error(
          `${place}, line ${i + 1}: must be 0 or 1, a tab and the text, got ${JSON.stringify(line)}.`,
        )
      return { text: text.join('\t'), label: Number(label) }
    })
  const names = fs.readdirSync(place).sort()
  return ['neg', 'pos'].flatMap((kind, label) => {
    const name = names.find((n) => n === kind || n.endsWith(`.${kind}`))
    if (!name)
      throw new Error(
        `${place}: must hold a folder ${kind} or a file *.${kind}, got ${names.join(', ')}.`,
      )
    const found = path.join(place, name)
    const texts = fs.statSync(found).isDirectory()
      ? fs.readdirSync(found).map((file) => fs.readFileSync(path.join(found, file), 'utf8'))
      : lines(found)
    return texts.map((text) => ({ text, label }))
  })
}

/**
 * `{ train, test }` of a folder with those two folders; of other texts, every fifth is held out.
 */
export function splitTexts(place) {
  if (fs.existsSync(path.join(place, 'train')))
    return {
      train: readTexts(path.join(place, 'train')),
      test: readTexts(path.join(place, 'test')),
    }
  const texts = readTexts(place)
  return { train: texts.filter((_, i) => i % 5 > 0), test: texts.filter((_, i) => i % 5 === 0) }
}
