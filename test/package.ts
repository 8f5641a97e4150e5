/**
 * The package under test: the sources, or, with HS_TEST_DIST=1, the built files (vitest.config.ts
 * redirects `lib/`). Every suite above native code imports from here and from nowhere else.
 */
export * from '../lib/index.js'
export * as preprocessing from '../lib/preprocessing/index.js'
export * as utils from '../lib/utils.js'
export * as datasets from '../lib/datasets/index.js'
export * as backend from '../lib/functions/index.js'
export * as audio from '../lib/audio/index.js'
export * as tune from '../lib/tune/index.js'
export * as serving from '../lib/serve/index.js'
