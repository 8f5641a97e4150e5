/** Dates as people write them, and as ISO 8601 has them. */

const MONTHS =
  'January February March April May June July August September October November December'.split(' ')
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')

/** A number drawn from `from` to `to`. */
const between = (random, from, to) => from + Math.floor(random() * (to - from + 1))

const ordinal = (day) => {
  const ending =
    day % 10 < 4 && Math.floor(day / 10) !== 1 ? ['th', 'st', 'nd', 'rd'][day % 10] : 'th'
  return `${day}${ending}`
}
const two = (number) => String(number).padStart(2, '0')

/** Ways to write a date. */
const WAYS = [
  ({ day, month, year }) => `${MONTHS[month - 1]} ${day}, ${year}`,
  ({ day, month, year }) => `${day} ${MONTHS[month - 1].slice(0, 3)} ${year}`,
  ({ day, month, year }) => `${two(day)}.${two(month)}.${year}`,
  ({ day, month, year }) => `${month}/${day}/${String(year).slice(2)}`,
  ({ day, month, year }) => `${ordinal(day)} of ${MONTHS[month - 1]} ${year}`,
  ({ day, month, year, weekday }) =>
    `${DAYS[weekday]}, ${MONTHS[month - 1].toLowerCase()} ${ordinal(day)} ${year}`,
]

/** `{ written, iso }`, of the years 1970 to 2069, as two digits count. */
export function drawDate(random) {
  const date = new Date(Date.UTC(between(random, 1970, 2069), 0, between(random, 1, 365)))
  const parts = {
    day: date.getUTCDate(),
    month: date.getUTCMonth() + 1,
    year: date.getUTCFullYear(),
    weekday: date.getUTCDay(),
  }
  const way = WAYS[between(random, 0, WAYS.length - 1)]
  return { written: way(parts), iso: date.toISOString().slice(0, 10) }
}
