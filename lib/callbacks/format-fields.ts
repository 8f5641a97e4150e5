/** Python's format fields for numbers, as file names of ModelCheckpoint use them. */
import { ConfigError, fail, nearest } from '../errors.js'

const field = /\{\{|\}\}|\{(\w+)(?::(0?)(\d*)(?:\.(\d+))?([dfeEgG%]?))?\}/g

/**
 * Fills `{name}`, `{name:02d}`, `{name:.2f}` (also e, g, %) and `{{`, `}}` with numbers.
 * @throws ConfigError `ERR_OPTION` for a name that is not there or a brace that belongs to no field
 */
export function formatFields(template: string, values: Readonly<Record<string, number>>): string {
  const rest = template.replace(field, '')
  if (/[{}]/.test(rest)) {
    fail(ConfigError, 'ERR_OPTION', {
      where: `file name '${template}'`,
      what: 'fields',
      expected: 'like {epoch:02d} or {val_loss:.2f}',
      actual: `'${rest.slice(rest.search(/[{}]/))}'`,
    })
  }
  return template.replace(
    field,
    (whole, name?: string, zero = '', width = '', precision?: string, type = '') => {
      if (name === undefined) return whole[0] as string
      const value = values[name]
      if (value === undefined) {
        const near = nearest(name, Object.keys(values))
        fail(ConfigError, 'ERR_OPTION', {
          where: `file name '${template}'`,
          what: 'field',
          expected: `one of ${Object.keys(values).join(', ')}`,
          actual: `'${name}'`,
          hint: near && `Did you mean '${near}'?`,
        })
      }
      const text = numberText(value, type, precision === undefined ? undefined : Number(precision))
      const sign = text.startsWith('-') ? '-' : ''
      if (zero) return sign + text.slice(sign.length).padStart(Number(width) - sign.length, '0')
      return text.padStart(Number(width))
    },
  )
}

/** Exponents have two digits at least, as in Python. */
const pythonExponent = (text: string): string => text.replace(/e([+-])(\d)$/, 'e$10$2')

function numberText(value: number, type: string, precision: number | undefined): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
  switch (type) {
    case 'd':
      return String(Math.trunc(value))
    case 'f':
      return value.toFixed(precision ?? 6)
    case '%':
      return `${(value * 100).toFixed(precision ?? 6)}%`
    case 'e':
    case 'E': {
      const text = pythonExponent(value.toExponential(precision ?? 6))
      return type === 'E' ? text.toUpperCase() : text
    }
    default: {
      if (type === '' && precision === undefined) return pythonExponent(String(value))
      const digits = Math.max(1, precision ?? 6)
      const exponent = value === 0 ? 0 : Number(value.toExponential(digits - 1).split('e')[1])
      const isPlain = exponent >= -4 && exponent < digits
      const text = isPlain
        ? String(Number(value.toPrecision(digits)))
        : trimmed(value.toExponential(digits - 1))
      return type === 'G' ? text.toUpperCase() : text
    }
  }
}

/** Without the zeros at the end of the digits. */
function trimmed(exponential: string): string {
  const [digits = '', exponent = ''] = exponential.split('e')
  return pythonExponent(
    `${digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits}e${exponent}`,
  )
}
