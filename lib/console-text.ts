/** What `console.log`, `util.inspect` and `String` make of the objects of a class. */

type Inspect = (value: unknown, options: object) => string

/** Sets the name of a class: bundlers rename a class that refers to itself (`_Sequential`). */
export function setClassName(Class: abstract new (...args: never[]) => object, name: string): void {
  Object.defineProperty(Class, 'name', { value: name, configurable: true })
}

/**
 * Gives the objects of a class, and of those derived from it,
 * a short text instead of all they hold.
 * @param text for `String`, and for `console.log` without `log`
 * @param log for `console.log`, where that shows more; `inspect` is that of the console
 */
export function setConsoleText<T extends object>(
  Class: { readonly prototype: T },
  text: (object: T) => string,
  log: (object: T, inspect: (value: unknown) => string) => string = text,
): void {
  // a prototype has no fields that a text could be made of
  const isPrototype = (object: object) => Object.hasOwn(object, 'constructor')
  const define = (key: PropertyKey, value: unknown) =>
    Object.defineProperty(Class.prototype, key, { value, writable: true, configurable: true })
  define('toString', function (this: T) {
    return isPrototype(this) ? '[prototype]' : text(this)
  })
  define(
    Symbol.for('nodejs.util.inspect.custom'),
    function (this: T, _depth: number, options: object, inspect: Inspect) {
      return log(this, (value) => inspect(value, options)) // not called for a prototype
    },
  )
}

/** Sets a property that neither `console.log` nor `JSON.stringify` follows. */
export function setHidden<T extends object, K extends keyof T>(
  object: T,
  key: K,
  value: T[K],
): void {
  Object.defineProperty(object, key, {
    value,
    writable: true,
    configurable: true,
    enumerable: false,
  })
}
