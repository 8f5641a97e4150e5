/** The folder of this package and files in it, also when a bundler has put this file elsewhere. */
import fs from 'node:fs'
// Not by its name: webpack resolves what `createRequire` loads while it bundles, and leaves
// `undefined(…)` of a name it cannot know.
import nodeModule from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { StateError } from './errors.js'

const NAME = 'hiddenstate'

/** What is read of a package.json. */
interface Manifest {
  name?: string
  version: string
  optionalDependencies?: Record<string, string>
}

export const readManifest = (file: string): Manifest =>
  JSON.parse(fs.readFileSync(file, 'utf8')) as Manifest

const isOurs = (folder: string): boolean => {
  const file = path.join(folder, 'package.json')
  return fs.existsSync(file) && readManifest(file).name === NAME
}

let root: string | undefined

/**
 * The folder that holds package.json, native binaries and the HDF5 worker: above this file, whether
 * it runs from lib/ or dist/; for a bundle, where the package is installed.
 *
 * @throws StateError ERR_NOT_BUILT for a bundle without the package beside it
 */
export function packageRoot(): string {
  if (root !== undefined) return root
  const here = fileURLToPath(import.meta.url)
  for (
    let folder = path.dirname(here);
    path.dirname(folder) !== folder;
    folder = path.dirname(folder)
  )
    if (isOurs(folder)) return (root = folder)
  try {
    return (root = path.dirname(
      nodeModule.createRequire(import.meta.url).resolve(`${NAME}/package.json`),
    ))
  } catch (cause) {
    throw new StateError(
      'ERR_NOT_BUILT',
      `hiddenstate: ${here}: the package must be installed where this bundle runs, got none. Its native binary cannot be bundled.`,
      { expected: 'the package in node_modules', actual: 'none', cause },
    )
  }
}

/** The version of this package. */
export const packageVersion = (): string =>
  readManifest(path.join(packageRoot(), 'package.json')).version

/** A dependency of this package, loaded when it is needed. */
export const requireDependency = (name: string): unknown =>
  nodeModule.createRequire(path.join(packageRoot(), 'package.json'))(name)
