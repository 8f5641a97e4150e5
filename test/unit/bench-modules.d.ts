/** The benchmark is plain JavaScript without types: it also runs from the installed package. */
declare module '*.mjs'
