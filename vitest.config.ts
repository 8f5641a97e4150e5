import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** HS_TEST_DIST=1: the suites that come in through test/package.ts test the built files instead of the sources. */
const built = (entry: string) => fileURLToPath(new URL(`./dist/${entry}.js`, import.meta.url))
const toBuilt = [
  { find: /^\.\.\/lib\/index\.js$/, replacement: built('index') },
  { find: /^\.\.\/lib\/preprocessing\/index\.js$/, replacement: built('preprocessing') },
  { find: /^\.\.\/lib\/utils\.js$/, replacement: built('utils') },
  { find: /^\.\.\/lib\/datasets\/index\.js$/, replacement: built('datasets') },
  { find: /^\.\.\/lib\/functions\/index\.js$/, replacement: built('backend') },
  { find: /^\.\.\/lib\/audio\/index\.js$/, replacement: built('audio') },
  { find: /^\.\.\/lib\/tune\/index\.js$/, replacement: built('tune') },
  { find: /^\.\.\/lib\/serve\/index\.js$/, replacement: built('serve') },
]

/** HS_TEST_NODE: the workers run in that Node (scripts/platform-tests.mjs), which may be slow. */
if (process.env.HS_TEST_NODE) process.execPath = process.env.HS_TEST_NODE
const timeout = Number(process.env.HS_TEST_TIMEOUT ?? 30_000)

export default defineConfig({
  resolve: { alias: process.env.HS_TEST_DIST ? toBuilt : [] },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/consumer/**', '**/node_modules/**'],
    pool: 'forks',
    testTimeout: timeout,
    hookTimeout: timeout,
  },
})
