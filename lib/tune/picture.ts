/**
 * A sweep as SVG: parallel coordinates, and below each axis how much its parameter matters. Written
 * here, as the chart libraries of Node bring a DOM.
 */
import { importancesOf } from './importance.js'
import { byValue, type Direction, type TrialRecord } from './records.js'
import { axisOf, type Dimension, type Space, type Value } from './space.js'
import { valueText } from './table.js'

/** `'auto'`: as the reader's system has it. */
export type Theme = 'auto' | 'light' | 'dark'

interface Source {
  readonly space: Space
  readonly direction: Direction
  readonly trials: readonly TrialRecord[]
}

/** Pixels. */
const STEP = 130 // between two axes
const MARGIN = 65 // left, for half of what stands above and below an axis
const RIGHT = 110 // for what stands beside the last one
const TOP = 96
const LENGTH = 260 // of an axis
const BOTTOM = 100
/** Where lines run at an axis whose parameter does not count, below its end. */
const UNUSED = 34
/** Characters of a name or value that have room. */
const ROOM = 17
/** Classes of the complete trials by rank, the best last. */
const SHADES = 5
/** Values of a choice that are written at its axis, at most. */
const MOST_TICKS = 12

/** Colours by class; each `s` is a class of {@link SHADES}. */
const COLOURS = {
  light: {
    back: '#ffffff',
    text: '#24292f',
    soft: '#57606a',
    axis: '#8c959f',
    bar: '#8250df',
    track: '#e7e9ec',
    pruned: '#c8ccd1',
    s: ['#b6d4ee', '#8dbbe3', '#5c9dd4', '#2f7cc0', '#0b5394'],
    best: '#c2410c',
  },
  dark: {
    back: '#0d1117',
    text: '#e6edf3',
    soft: '#9198a1',
    axis: '#6e7681',
    bar: '#a371f7',
    track: '#21262d',
    pruned: '#3a4149',
    s: ['#1d3a57', '#28557f', '#3877ac', '#58a0dc', '#9fd0ff'],
    best: '#ff9d5c',
  },
} as const

function rulesOf(theme: 'light' | 'dark'): string {
  const { back, text, soft, axis, bar, track, pruned, s, best } = COLOURS[theme]
  const lines = s.map((colour, i) => `.s${i}{stroke:${colour}}`).join('')
  return `.back{fill:${back}}.tick{stroke:${back}}.text{fill:${text}}.soft{fill:${soft}}.axis{stroke:${axis}}.bar{fill:${bar}}.track{fill:${track}}.pruned{stroke:${pruned}}${lines}.best{stroke:${best}}`
}

const styleOf = (theme: Theme): string =>
  theme === 'auto'
    ? `${rulesOf('light')}@media (prefers-color-scheme:dark){${rulesOf('dark')}}`
    : rulesOf(theme)

const escaped = (text: string): string =>
  text
    .replace(/[\p{Cc}\ufffe\uffff]/gu, '\ufffd') // XML 1.0 cannot hold them
    .replace(/[<>&"]/g, (mark) => `&#${mark.charCodeAt(0)};`)

const short = (text: string): string => (text.length > ROOM ? `${text.slice(0, ROOM - 1)}…` : text)

const px = (x: number): string => String(Math.round(x * 10) / 10)

function textAt(x: number, y: number, kind: string, content: string, extra = ''): string {
  return `<text x="${px(x)}" y="${px(y)}" class="${kind}" text-anchor="middle"${extra}>${escaped(content)}</text>`
}

/** A place on an axis: 0 its lower end, 1 its upper; null: the parameter does not count. */
type Place = number | null

interface Axis {
  readonly name: string
  /** Null for the axis of the values. */
  readonly importance: number | null
  readonly ticks: readonly (readonly [place: number, text: string])[]
  readonly note: string
  readonly place: (trial: TrialRecord) => Place
}

/** Values to write beside the two ends: powers of ten where there are some, else quarters. */
function between(
  { kind, low, high, log }: Exclude<Dimension, { kind: 'choice' }>,
  at: (value: number) => number,
): number[] {
  const powers: number[] = []
  for (let e = Math.ceil(Math.log10(low)); log && 10 ** e < high; e++) powers.push(10 ** e)
  const shares = [0.25, 0.5, 0.75]
  const quarters = shares.map((share) =>
    log ? low * (high / low) ** share : low + share * (high - low),
  )
  const values = high / low >= 100 && powers.length > 1 ? powers : quarters
  const whole = kind === 'int' ? values.map(Math.round) : values
  return whole.filter((value) => at(value) > 0.06 && at(value) < 0.94)
}

function parameterAxis(name: string, dimension: Dimension, importance: number): Axis {
  const has = ({ params }: TrialRecord) => Object.hasOwn(params, name)
  if (dimension.kind === 'choice') {
    const { values } = dimension
    const at = (value: Value) => values.indexOf(value) / (values.length - 1)
    const every = Math.ceil(values.length / MOST_TICKS)
    const ticks = values
      .filter((_, i) => i % every === 0)
      .map((v) => [at(v), valueText(v)] as const)
    const place = (trial: TrialRecord) => (has(trial) ? at(trial.params[name]!) : null)
    return { name, importance, ticks, note: '', place }
  }
  const { point } = axisOf(dimension)
  const [low, high] = [point(dimension.low), point(dimension.high)]
  const at = (value: number) => (point(value) - low) / (high - low)
  const shown = new Set([dimension.low, ...between(dimension, at), dimension.high])
  return {
    ...{ name, importance, note: dimension.log ? 'log' : '' },
    ticks: [...shown].map((value) => [at(value), valueText(value)]),
    place: (trial) => (has(trial) ? at(trial.params[name] as number) : null),
  }
}

/** Better is higher. Values far beyond the others lie at the end. */
function valueAxis(direction: Direction, trials: readonly TrialRecord[]): Axis {
  const sorted = trials.map(({ value }) => value!).sort(byValue(direction))
  const best = sorted[0] ?? 0
  const worst = sorted.at(-1) ?? 1
  const usual = sorted[Math.floor(0.75 * (sorted.length - 1))] ?? worst
  const fence = best + 3 * (usual - best)
  const isFar = Math.abs(worst - best) > Math.abs(fence - best) && fence !== best
  const end = isFar ? fence : worst === best ? best + 1 : worst
  const at = (value: number) => Math.min(1, Math.max(0, (value - end) / (best - end)))
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => end + share * (best - end))
  return {
    ...{ name: 'value', importance: null, note: direction },
    ticks: marks.map((value) => [
      at(value),
      `${isFar && value === end ? 'beyond ' : ''}${valueText(Number(value.toPrecision(4)))}`,
    ]),
    place: ({ value }) => at(value!),
  }
}

function drawnAxis({ name, importance, ticks, note }: Axis, x: number, isUnused: boolean): string {
  const bottom = TOP + LENGTH
  const parts = [
    `<line x1="${px(x)}" x2="${px(x)}" y1="${TOP}" y2="${bottom}" class="axis"/>`,
    textAt(x, TOP - 26, 'text', short(name), ' font-weight="600"'),
    ...(note === '' ? [] : [textAt(x, TOP - 11, 'soft', note, ' font-size="11"')]),
  ]
  for (const [at, text] of ticks) {
    const y = bottom - at * LENGTH
    parts.push(
      `<line x1="${px(x - 4)}" x2="${px(x + 4)}" y1="${px(y)}" y2="${px(y)}" class="axis"/>`,
    )
    parts.push(
      `<text x="${px(x + 8)}" y="${px(y + 4)}" class="text tick" font-size="11">${escaped(short(text))}</text>`,
    )
  }
  if (isUnused) parts.push(textAt(x, bottom + UNUSED + 4, 'soft', 'not used', ' font-size="11"'))
  if (importance !== null) {
    const [width, y] = [84, bottom + 62]
    parts.push(
      `<rect x="${px(x - width / 2)}" y="${y}" width="${width}" height="8" rx="2" class="track"/>`,
      `<rect x="${px(x - width / 2)}" y="${y}" width="${px(width * Math.min(1, importance))}" height="8" rx="2" class="bar"/>`,
      textAt(x, y + 24, 'text', `${Math.round(100 * importance)} %`, ' font-size="11"'),
    )
  }
  return parts.join('')
}

/** The line of a trial through all axes. */
function drawnTrial(trial: TrialRecord, axes: readonly Axis[], kind: string): string {
  const bottom = TOP + LENGTH
  const points = axes.map(({ place }, i) => {
    const at = place(trial)
    const y = at === null ? bottom + UNUSED - 8 : bottom - at * LENGTH
    return `${px(MARGIN + i * STEP)},${px(y)}`
  })
  const said = `trial ${trial.number}, ${trial.state}: ${valueText(trial.value)}`
  return `<polyline points="${points.join(' ')}" class="${kind}"><title>${escaped(said)}</title></polyline>`
}

/** The picture of the trials that are complete, and in grey of those that were pruned. */
export function pictureOf(
  { space, direction, trials }: Source,
  { theme, title }: { theme: Theme; title: string },
): string {
  const complete = trials.filter(({ state }) => state === 'complete')
  const pruned = trials.filter(({ state, value }) => state === 'pruned' && value !== undefined)
  const importances = importancesOf(space, direction, trials)
  const parameters = Object.entries(space).map(([name, dimension]) =>
    parameterAxis(name, dimension, importances[name]!),
  )
  const drawn = [...pruned, ...complete]
  const axes = [...parameters, valueAxis(direction, complete.length > 0 ? complete : pruned)]
  const better = byValue(direction)
  const ranked = [...complete].sort((a, b) => better(b.value!, a.value!) || b.number - a.number)
  const lines = ranked.map((trial, i) => {
    const isBest = i === ranked.length - 1
    const shade = Math.floor((i * SHADES) / ranked.length)
    return drawnTrial(trial, axes, isBest ? 'trial best' : `trial s${shade}`)
  })
  const width = MARGIN + (axes.length - 1) * STEP + RIGHT
  const height = TOP + LENGTH + BOTTOM
  const isUnused = ({ place }: Axis) => drawn.some((trial) => place(trial) === null)
  const last = MARGIN + (axes.length - 1) * STEP
  const legend = [
    `<text x="${px(last)}" y="${TOP + LENGTH + 70}" class="soft" text-anchor="middle" font-size="11">◂ importance</text>`,
    `<text x="${px(last)}" y="${TOP + LENGTH + 86}" class="soft" text-anchor="middle" font-size="11">of each alone</text>`,
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13" role="img">
<title>${escaped(title)}</title>
<style>${styleOf(theme)}.trial{fill:none;stroke-width:1.3;stroke-opacity:.75}.pruned{fill:none;stroke-width:1}.best{stroke-width:3;stroke-opacity:1}.axis{stroke-width:1}.tick{stroke-width:3;stroke-linejoin:round;paint-order:stroke}</style>
<rect width="${width}" height="${height}" class="back"/>
<text x="16" y="24" class="text" font-size="14">${escaped(title)}</text>
<text x="16" y="42" class="soft" font-size="11">a line a trial: the best one thick, the stronger the better, grey: pruned</text>
<g>${pruned.map((trial) => drawnTrial(trial, axes, 'pruned')).join('\n')}
${lines.join('\n')}</g>
<g>${axes.map((axis, i) => drawnAxis(axis, MARGIN + i * STEP, isUnused(axis))).join('\n')}</g>
${legend.join('\n')}
</svg>
`
}
