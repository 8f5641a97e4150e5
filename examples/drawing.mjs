/** Line charts as SVG files, drawn by Observable Plot on a DOM without a browser. */

// Awaited, not imported: where one is missing, the program runs far enough to say so in a sentence.
const Plot = await import('@observablehq/plot')
const { parseHTML } = await import('linkedom')

/**
 * SVG text of `points`, `{ t, value, series }`, one line per series;
 * `from` marks where predictions begin.
 */
export function drawLines(points, { title, x, y, from }) {
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const svg = Plot.plot({
    document,
    width: 800,
    height: 300,
    x: { label: x },
    y: { label: y, grid: true },
    color: { domain: ['true', 'predicted'], range: ['#888888', '#d62728'] },
    marks: [
      Plot.ruleX([from], { stroke: '#bbbbbb', strokeDasharray: '4 4' }),
      Plot.line(points, { x: 't', y: 'value', stroke: 'series' }),
      Plot.text([`${title} (grey: true, red: predicted)`], {
        frameAnchor: 'top',
        dy: -14,
        fontSize: 12,
      }),
    ],
    marginTop: 30,
  })
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  return `${svg.outerHTML}\n`
}
