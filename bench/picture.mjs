/**
 * The picture: ms of each competitor on a logarithmic axis, a dot at the least time, a bar from the
 * first to the third quartile.
 */
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * SVG text; null where the plotting library is not installed (it is a development dependency
 * of the package).
 */
export async function picture(rows, dirs) {
  const from = (name) => {
    for (const dir of dirs)
      try {
        return import(
          pathToFileURL(createRequire(path.join(dir, 'package.json')).resolve(name)).href
        )
      } catch (error) {
        if (error.code !== 'MODULE_NOT_FOUND') throw error
      }
    return null
  }
  const [Plot, dom] = await Promise.all([from('@observablehq/plot'), from('linkedom')])
  if (Plot === null || dom === null) return null
  const { document } = dom.parseHTML('<!doctype html><html><body></body></html>')
  const points = rows.map((row) => ({
    ...row,
    what: `${row.workload} ${row.cell}, ${row.mode}, ${row.threads} thr.`,
  }))
  const groups = new Set(points.map(({ what }) => what))
  const place = { x: 'least', y: 'competitor', fy: 'what', fill: 'competitor' }
  const svg = Plot.plot({
    document,
    width: 900,
    height: 60 + 14 * points.length + 12 * groups.size,
    marginLeft: 150,
    marginRight: 190,
    x: { type: 'log', label: 'ms a step (log)', grid: true },
    y: { label: null },
    fy: { label: null, domain: [...groups] },
    color: { scheme: 'Observable10' },
    marks: [
      Plot.link(points, {
        x1: 'q1',
        x2: 'q3',
        y: 'competitor',
        fy: 'what',
        stroke: 'competitor',
        strokeWidth: 3,
        strokeOpacity: 0.4,
      }),
      Plot.dot(points, { ...place, r: 3.5 }),
    ],
  })
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  return `${svg.outerHTML}\n`
}
