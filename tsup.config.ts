import { copyFile } from 'node:fs/promises'
import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    index: 'lib/index.ts',
    preprocessing: 'lib/preprocessing/index.ts',
    utils: 'lib/utils.ts',
    datasets: 'lib/datasets/index.ts',
    backend: 'lib/functions/index.ts',
    cli: 'lib/cli/main.ts',
  },
  format: ['esm', 'cjs'],
  target: 'node20',
  platform: 'node',
  tsconfig: 'tsconfig.build.json',
  dts: { banner: '/// <reference lib="esnext.disposable" />' }, // Symbol.dispose, for users with an older `lib`
  shims: true, // import.meta.url in the CommonJS build
  splitting: true, // one copy of the error and NDArray classes for all entries
  clean: true,
  // Loaded by its name by a Worker, not imported: it lies beside the code as it does in lib/hdf5/.
  onSuccess: () => copyFile('lib/hdf5/hdf5-worker.mjs', 'dist/hdf5-worker.mjs'),
})
