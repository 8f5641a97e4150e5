import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    index: 'lib/index.ts',
    preprocessing: 'lib/preprocessing/index.ts',
    utils: 'lib/utils.ts',
    datasets: 'lib/datasets/index.ts',
    backend: 'lib/functions/index.ts',
    audio: 'lib/audio/index.ts',
    'audio-worker': 'lib/audio/audio-worker.ts', // a thread, started by its file
    tune: 'lib/tune/index.ts',
    'tune-trial': 'lib/tune/trial-process.ts', // a process, started by its file
    serve: 'lib/serve/index.ts',
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
  onSuccess: async () => {
    await copyFile('lib/hdf5/hdf5-worker.mjs', 'dist/hdf5-worker.mjs')
    await mendCommonJs()
  },
})

/**
 * The CommonJS build takes `this.#name = …` for an assignment to an export `name` of the same chunk,
 * writes `this.#name = exports.name = …`, and so overwrites the export.
 */
async function mendCommonJs() {
  const files = (await readdir('dist')).filter((file) => file.endsWith('.cjs'))
  for (const file of files) {
    const text = await readFile(`dist/${file}`, 'utf8')
    await writeFile(`dist/${file}`, text.replace(/#(\w+) = exports\.\1 =/g, '#$1 ='))
  }
}
