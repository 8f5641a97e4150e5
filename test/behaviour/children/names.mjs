// The names that both module systems see.
import { createRequire } from 'node:module'
import * as esm from 'hiddenstate'
import { print } from './task.mjs'

const cjs = createRequire(import.meta.url)('hiddenstate')
const names = (m) =>
  Object.keys(m)
    .filter((k) => k !== 'default')
    .sort()
print([names(esm), names(cjs)])
