/**
 * The curves of a task as one SVG: a row for each measure,
 * a column for each layer, a line for each seed.
 */
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

const HEIGHT = 240 // of a row

/**
 * `lines`: `{ layer, measure, from, seed, values }`, one value an epoch; `from` is 'hiddenstate' or
 * whatever it is held against, drawn grey.
 */
export function drawCurves(lines, title) {
  const layers = [...new Set(lines.map(({ layer }) => layer))]
  const measures = [...new Set(lines.map(({ measure }) => measure))]
  const width = 120 + 340 * Math.max(layers.length, 1.4)
  const rows = measures.map((measure) => {
    const shown = lines.filter((line) => line.measure === measure)
    const values = shown.flatMap((line) => line.values)
    const points = shown.flatMap(({ values, ...line }) =>
      values.map((value, i) => ({
        ...line,
        line: `${line.from} ${line.seed}`,
        epoch: i + 1,
        value,
      })),
    )
    const { document } = parseHTML('<!doctype html><html><body></body></html>')
    const wide = Math.min(...values) > 0 && Math.max(...values) > 10 * Math.min(...values)
    return Plot.plot({
      document,
      width,
      height: HEIGHT,
      marginLeft: 60,
      marginRight: 40,
      x: { label: 'epoch' },
      y: { label: measure, grid: true, type: wide ? 'log' : 'linear', tickFormat: '~g' },
      fx: { label: null, domain: layers },
      marks: [
        [({ from }) => from !== 'hiddenstate', '#b5b5b5', 2.5],
        [({ from }) => from === 'hiddenstate', '#d62728', 1],
      ].map(([filter, stroke, strokeWidth]) =>
        Plot.line(points.filter(filter), {
          x: 'epoch',
          y: 'value',
          z: 'line',
          fx: 'layer',
          stroke,
          strokeWidth,
        }),
      ),
    })
  })
  const height = HEIGHT * rows.length + 30
  const heading = `<text x="${width / 2}" y="16" font-size="12" text-anchor="middle" fill="#333333">${title}</text>`
  const body = rows.map(
    (row, i) =>
      `<g transform="translate(0,${30 + i * HEIGHT})" fill="#333333">${row.innerHTML}</g>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="10" color="#333333">
<rect width="${width}" height="${height}" fill="white"/>
${heading}
${body.join('\n')}
</svg>
`
}
