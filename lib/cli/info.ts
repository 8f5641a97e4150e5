/** `hiddenstate info`: what a bug report needs. */
import os from 'node:os'
import path from 'node:path'
import { type DeviceInfo, info } from '../backend.js'
import { addonFile, libc } from '../native.js'
import { packageRoot, readManifest } from '../package-root.js'

/** Why this binary is the one in use: it is in the first of the places that are searched. */
function reason({ file, package: name }: ReturnType<typeof addonFile>): string {
  if (name !== undefined) return `from the package ${name}: hiddenstate itself holds none`
  if (process.env.HIDDENSTATE_PREBUILD) return 'HIDDENSTATE_PREBUILD names its folder'
  const local = path.join('build', 'Release')
  return path.dirname(file).endsWith(local) ? 'built on this machine' : 'prebuilt for this platform'
}

const SETTINGS = ['DEVICE', 'ISA', 'THREADS', 'THREADING', 'PREBUILD', 'CUBLAS'].map(
  (name) => `HIDDENSTATE_${name}`,
)

const isCard = (device: DeviceInfo): device is Exclude<DeviceInfo, { name: 'cpu' }> =>
  device.name !== 'cpu'

/**
 * 'NVIDIA H200, 139.8 GiB, compute capability 9.0, driver for CUDA 13.0, libcublas.so.12, code …'.
 */
function inWords(device: Exclude<DeviceInfo, { name: 'cpu' }>): string {
  if (!('card' in device)) return `none: ${device.problem}`
  const { card, memory, computeCapability, driver, cublas, problem, tried } = device
  const size = `${(memory / 2 ** 30).toFixed(1)} GiB`
  return [
    ...[card, size, `compute capability ${computeCapability}`, `driver for CUDA ${driver}`],
    cublas ?? `cannot be used: ${problem}`,
    `code for it has run on ${tried}`,
  ].join(', ')
}

/** The binary in use and what it can do; without one, why there is none. */
function binary(): Record<string, unknown> {
  const addon = addonFile()
  const { isa, isas, threads, threading, devices, version } = info()
  return {
    binary: `${addon.file} (${reason(addon)}, version ${version})`,
    'instruction set': `${isa} (there are ${isas.join(', ')})`,
    threads: `${threads} (${threading})`,
    ...Object.fromEntries(devices.filter(isCard).map((card) => [card.name, inWords(card)])),
  }
}

/** Facts about the system, known without a binary: a report about a missing one needs them most. */
function system(): Record<string, unknown> {
  const root = packageRoot()
  const { version } = readManifest(path.join(root, 'package.json'))
  return {
    hiddenstate: version,
    node: process.version,
    platform: [process.platform, process.arch, libc(), os.release()].filter(Boolean).join(' '),
    processor: `${os.cpus()[0]?.model ?? 'unknown'}, ${os.cpus().length} logical, ${os.availableParallelism()} for this process`,
    memory: `${(os.totalmem() / 2 ** 30).toFixed(1)} GiB`,
    environment:
      SETTINGS.filter((name) => process.env[name])
        .map((name) => `${name}=${process.env[name]}`)
        .join(' ') || 'nothing set',
  }
}

function print(table: Record<string, unknown>, json: boolean): void {
  const width = Math.max(...Object.keys(table).map((name) => name.length))
  const rows = Object.entries(table).map(
    ([name, value]) => `${name.padEnd(width)}  ${String(value)}`,
  )
  console.log(json ? JSON.stringify(table, null, 2) : rows.join('\n'))
}

/**
 * Prints all of this, as a table or as JSON.
 *
 * @throws what keeps the binary from being used, after the rest is printed
 */
export function printInfo({ json }: { json: boolean }): void {
  const known = system()
  try {
    print({ ...known, ...binary() }, json)
  } catch (error) {
    print({ ...known, binary: 'none that can be used' }, json)
    throw error
  }
}
