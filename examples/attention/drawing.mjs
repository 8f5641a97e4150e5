/** Attention as an SVG: a row for each character written, a column for each that was read. */

const Plot = await import('@observablehq/plot')
const { parseHTML } = await import('linkedom')

/** @param shares [1, S, T] */
export function drawAttention(shares, read, written) {
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const cells = written.flatMap((_, s) =>
    read.map((_, t) => ({ t, s, share: shares.get(0, s, t) })),
  )
  const svg = Plot.plot({
    document,
    width: 60 + 26 * read.length,
    height: 90 + 26 * written.length,
    marginLeft: 60,
    marginTop: 60,
    marginBottom: 10,
    x: { axis: 'top', label: 'read →', tickFormat: (t) => read[t], tickSize: 0 },
    y: { label: '↓ written', tickFormat: (s) => written[s], tickSize: 0 },
    style: { fontSize: '14px' },
    color: { scheme: 'blues', domain: [0, 1] },
    marks: [Plot.cell(cells, { x: 't', y: 's', fill: 'share', inset: 0.5 })],
  })
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  return `${svg.outerHTML}\n`
}
