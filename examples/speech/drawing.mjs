/** What a recogniser heard, and what it made of it, as an SVG. */

import { FRAMES } from './recogniser.mjs'

// Awaited, not imported: where one is missing, the program runs far enough to say so in a sentence.
const Plot = await import('@observablehq/plot')
const { parseHTML } = await import('linkedom')

const FRAME = 0.01 // s
const STEP = FRAMES * FRAME // of the net
const WIDTH = 960
const MARGIN = 60

/**
 * Above, the energies of the bands; below, the share of each word, and of the blank, over time.
 *
 * @param {{ x: NDArray, shares: NDArray, words: string[], said: string }} what `x` [frames, bands],
 *   `shares` [steps, words + 1], the blank last
 */
export function drawSpeech({ x, shares, words, said }) {
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const [frames, bands] = x.shape
  const width = Math.max(WIDTH, MARGIN + 3 * frames)
  const common = {
    document,
    width,
    marginLeft: MARGIN,
    marginRight: 20,
    x: { domain: [0, frames * FRAME], label: 'seconds' },
    style: { fontSize: '12px' },
  }
  const energies = Array.from({ length: frames * bands }, (_, i) => ({
    from: Math.floor(i / bands) * FRAME,
    band: i % bands,
    energy: x.data[i],
  }))
  const heard = Plot.plot({
    ...common,
    height: 200,
    marginTop: 44,
    marginBottom: 8,
    x: { ...common.x, axis: null },
    y: { label: '↑ mel band', ticks: [0, 10, 20], tickSize: 0 },
    color: { scheme: 'magma', domain: [-2, 2.5], clamp: true },
    marks: [
      Plot.rect(energies, {
        x1: 'from',
        x2: ({ from }) => from + FRAME,
        y1: 'band',
        y2: ({ band }) => band + 1,
        fill: 'energy',
        shapeRendering: 'crispEdges',
      }),
      Plot.text([`said: ${said}`], { frameAnchor: 'top-left', dy: -32, fontSize: 14 }),
    ],
  })
  const K = words.length + 1
  const lines = Array.from({ length: shares.shape[0] * K }, (_, i) => ({
    time: (Math.floor(i / K) + 0.5) * STEP,
    word: words[i % K] ?? 'blank',
    share: shares.data[i],
  }))
  const written = Plot.plot({
    ...common,
    height: 200,
    marginTop: 30,
    marginBottom: 36,
    y: { label: '↑ share', domain: [0, 1], ticks: [0, 0.5, 1], grid: true },
    color: { domain: words, scheme: 'tableau10' },
    marks: [
      Plot.line(
        lines.filter(({ word }) => word === 'blank'),
        { x: 'time', y: 'share', stroke: '#cccccc' },
      ),
      Plot.line(
        lines.filter(({ word }) => word !== 'blank'),
        { x: 'time', y: 'share', stroke: 'word', strokeWidth: 2 },
      ),
      Plot.text(peaks(shares, words), {
        x: 'time',
        y: 'share',
        text: 'word',
        fill: 'word',
        dy: -8,
        fontSize: 13,
        fontWeight: 'bold',
      }),
    ],
  })
  return together([heard, written], width)
}

/** The highest step of each run in which one word is the likeliest class. */
function peaks(shares, words) {
  const [steps, K] = shares.shape
  const found = []
  let last = -1
  for (let t = 0; t < steps; t++) {
    let best = 0
    for (let k = 1; k < K; k++) if (shares.get(t, k) > shares.get(t, best)) best = k
    const share = shares.get(t, best)
    if (best < words.length) {
      const peak = { time: (t + 0.5) * STEP, share, word: words[best] }
      if (best !== last) found.push(peak)
      else if (share > found.at(-1).share) found[found.length - 1] = peak
    }
    last = best
  }
  return found
}

/** Drawings one below the other. */
function together(drawings, width) {
  let top = 0
  const placed = drawings.map((svg) => {
    svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
    svg.setAttribute('y', String(top))
    top += Number(svg.getAttribute('height'))
    return svg.outerHTML
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top}" viewBox="0 0 ${width} ${top}">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...placed,
    '</svg>\n',
  ].join('\n')
}
