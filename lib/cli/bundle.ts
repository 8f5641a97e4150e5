/** `hiddenstate bundle model folder`: a model and what runs it, needing nothing else. */
import fs from 'node:fs'
import path from 'node:path'
import { ConfigError, fail, HiddenstateError, StateError } from '../errors.js'
import { fileError } from '../files/atomic.js'
import { addonFile, BUNDLED_ADDON } from '../native.js'
import { packageRoot, packageVersion } from '../package-root.js'
import { copyFor } from '../saving/formats.js'
import type { QuantizedTo } from '../model/quantize.js'
import { withModel } from './models.js'

const MODEL_FILE = 'model.safetensors'

const INDEX = [
  '/** Made by `npx hiddenstate bundle`: the model, for model.predict(x) and model.session(). */',
  "import path from 'node:path'",
  "import { fileURLToPath } from 'node:url'",
  "import { loadModel } from './hiddenstate/dist/index.js'",
  '',
  "export { Batcher, info, NDArray, setThreads } from './hiddenstate/dist/index.js'",
  'const here = path.dirname(fileURLToPath(import.meta.url))',
  `export const model = await loadModel(path.join(here, '${MODEL_FILE}'))`,
  '',
].join('\n')

const MANIFEST = {
  name: 'bundled-model',
  version: '1.0.0',
  private: true,
  type: 'module',
  exports: './index.js',
}

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`

/** The files of dist/ that `index.js` needs: what it imports, and what those import. */
function modules(dist: string): Set<string> {
  const found = new Set(['index.js'])
  for (const file of found) {
    const text = fs.readFileSync(path.join(dist, file), 'utf8')
    for (const [, next] of text.matchAll(/(?:from|import) ?\(? ?"\.\/([\w.-]+\.js)"/g))
      found.add(next!)
  }
  return found
}

/** Copies this package, as far as a model in a file of its own format needs it. */
function copyPackage(to: string): void {
  const root = packageRoot()
  const dist = path.join(root, 'dist')
  if (!fs.existsSync(path.join(dist, 'index.js')))
    throw new StateError('ERR_NOT_BUILT', `bundle: ${dist} must hold index.js, got none. Build it.`)
  fs.mkdirSync(path.join(to, 'dist'), { recursive: true })
  for (const file of modules(dist))
    fs.copyFileSync(path.join(dist, file), path.join(to, 'dist', file))
  const addon = addonFile().file
  fs.copyFileSync(addon, path.join(to, BUNDLED_ADDON))
  for (const [file, from] of [
    ['libgomp.so.1', path.dirname(addon)],
    ['LICENSE', root],
    ['NOTICE', root],
  ] as const)
    if (fs.existsSync(path.join(from, file)))
      fs.copyFileSync(path.join(from, file), path.join(to, file))
  const manifest = { name: 'hiddenstate', version: packageVersion(), private: true, type: 'module' }
  fs.writeFileSync(path.join(to, 'package.json'), json(manifest))
}

/**
 * Writes the folder beside its place, then renames it.
 *
 * @throws ConfigError ERR_OPTION for a folder that is there already; FormatError ERR_FILE_SYSTEM
 *   where it cannot be made; what loadModel and quantize throw
 */
export async function bundle(
  from: string,
  to: string,
  { quantize }: { quantize?: QuantizedTo },
): Promise<void> {
  const target = path.resolve(to)
  const refuse = (): never =>
    fail(ConfigError, 'ERR_OPTION', {
      where: 'bundle',
      what: to,
      expected: 'a folder that is to be made',
      actual: 'one that exists',
    })
  if (fs.existsSync(target)) refuse()
  const copy = copyFor('bundle', path.join(target, MODEL_FILE), { format: 'compact' })
  let folder: string | undefined
  try {
    folder = fs.mkdtempSync(`${target}-`)
    const file = path.join(folder, MODEL_FILE)
    await withModel(from, async (model) => copy(model)(file, { overwrite: false }), quantize)
    copyPackage(path.join(folder, 'hiddenstate'))
    fs.writeFileSync(path.join(folder, 'index.js'), INDEX)
    fs.writeFileSync(path.join(folder, 'package.json'), json(MANIFEST))
    fs.chmodSync(folder, 0o755)
    fs.renameSync(folder, target)
  } catch (error) {
    if (folder !== undefined) fs.rmSync(folder, { recursive: true, force: true })
    if (error instanceof HiddenstateError) throw error
    if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY') refuse()
    throw fileError(target, 'writable', error)
  }
}
