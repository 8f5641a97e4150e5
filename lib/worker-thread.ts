/** Starting the threads of this package. */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import { packageRoot } from './package-root.js'
import { occupyStandardDescriptors } from './standard-descriptors.js'

/**
 * The file of a thread: beside the one that starts it, or in dist/, where the build puts it; a
 * bundle finds it where the package is installed. Not by `new URL`: webpack would copy the file
 * beside the bundle, where what it imports need not be.
 */
function workerFile(url: string, name: string): string {
  const beside = path.join(path.dirname(fileURLToPath(url)), name)
  return fs.existsSync(beside) ? beside : path.join(packageRoot(), 'dist', name)
}

/**
 * Nothing of the user's flags and environment reaches the thread, but for Yarn's Plug'n'Play: its
 * hooks, without which no package is found, come by flags or by NODE_OPTIONS.
 */
function inherited(): Pick<WorkerOptions, 'execArgv' | 'env'> {
  if (process.versions.pnp === undefined) return { execArgv: [], env: {} }
  const { NODE_OPTIONS } = process.env
  return { env: NODE_OPTIONS === undefined ? {} : { NODE_OPTIONS } }
}

/**
 * Starts a thread. Its output is left unread: a stream that is read would keep the process alive.
 *
 * @param url `import.meta.url` of the caller
 * @param name of its file
 * @throws Error where none can be started
 */
export function startThread(url: string, name: string, options: WorkerOptions): Worker {
  occupyStandardDescriptors()
  return new Worker(workerFile(url, name), {
    ...inherited(),
    stdout: true,
    stderr: true,
    ...options,
  })
}
