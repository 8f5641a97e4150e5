/** Everything that the native addon offers, and how it is found. No other file of lib/ loads it. */
import fs from 'node:fs'
import nodeModule from 'node:module'
import path from 'node:path'
import { StateError, nativeError } from './errors.js'
import { packageRoot, readManifest, requireDependency } from './package-root.js'
import type { NativeTeam, NativeWorld } from './world/native-world.js'
import type { Spec } from './spec.js'

export type Floats = Float32Array | Float64Array

/** Batch-major, C order; `data` is copied. Native converts to the plan's floatx. */
export interface NativeArray {
  data: Float32Array | Float64Array | Int32Array | Uint8Array
  shape: readonly number[]
}

/** What a plan predicts: an array for each output, [samples, …]. */
export type NativeOutputs = { data: Floats; shape: number[] }[]

/** A data set in native memory, made by {@link NativePlan.load}; opaque. */
export interface NativeData {
  readonly samples: number
  /** Frees its memory when no run needs it any more; runs asked for later throw ERR_DISPOSED. */
  dispose(): void
}

export type Mode = 'train' | 'test' | 'predict' | 'gradient' | 'call'

export interface RunRequest {
  mode: Mode
  data: NativeData
  /** Sample indices; absent: 0, 1, 2, … */
  order?: Int32Array
  /** Position in `order` of the first sample. Default 0. */
  from?: number
  batchSize: number
  /** Default: to the end. */
  maxBatches?: number
  /** Stop after the batch in which this many milliseconds have passed. */
  maxMs?: number
  /**
   * Sums over the samples before this run, which it goes on from, so that cutting an epoch into
   * runs changes no bit. Default: zeros.
   */
  sums?: readonly number[]
  /** train and test only: the ranks that share out every batch. All make the same request. */
  team?: NativeTeam
  /** call only: whether it is one of training, as dropout and the node `phase` know it. */
  training?: boolean
}

/** One call of a function. */
export interface CallRequest {
  x: NativeArray[]
  training: boolean
}

/** What one call of a function gives. */
export interface CallResult {
  /** One for each of the Spec's `outputs`, each with a batch axis of 1. */
  outputs: NativeOutputs
  /** 0: a new value of a parameter was not finite, and no parameter was changed. Else -1. */
  badBatch: number
}

export interface RunResult {
  batches: number
  samples: number
  /**
   * Per log: each batch's value times its size, added to the request's `sums`. Logs: the total
   * loss; the loss of each output where there are several; the metrics of each.
   */
  sums: number[]
  /**
   * Per log: the samples of the batches that this run has added to `sums`. A batch whose loss is a
   * mean over nothing (`badNothing`) adds only the logs that are finite.
   */
  counted: number[]
  /** Values of the last batch. */
  last: number[]
  /** predict and call only. */
  outputs?: NativeOutputs
  /**
   * First batch of this run, from 0, whose loss or gradient was not finite;
   * -1: none. Such batches change nothing.
   */
  badBatch: number
  badLayer: string
  /**
   * Why that batch's loss is a mean over nothing: the mask of the output, or the weights, are all
   * 0. '': it is none.
   */
  badNothing: '' | 'mask' | 'weights'
  /**
   * The first number in that batch's data which is not finite; absent: there is none. Targets that
   * the loss leaves out do not count.
   */
  badNumber?: {
    /** 'x0', 'x1', …; 'y0', …; 'weights0', … */
    array: string
    /** Its index in the data set. */
    sample: number
    /** One index an axis of the sample. */
    at: number[]
    /** In the precision of the plan: infinite where that cannot hold it. */
    value: number
  }
  badBatches: number
}

/** Those of a data set. */
export interface NativeArrays {
  x: NativeArray[]
  /** One an output; absent: none of any. */
  y?: NativeArray[]
  /** One an output, null for ones; absent: ones for all. */
  weights?: (NativeArray | null)[]
}

/** What a batch asks of a card. */
export interface CardWork {
  /** Kernels and products. */
  launches: number
  /** Memory that is copied or made 0, on the card. */
  moves: number
  /** Of products. */
  flop: number
  /** Of the card's memory, read and written. */
  bytes: number
}

export interface NativePlan {
  load(arrays: NativeArrays): NativeData
  /** Runs on the engine thread, FIFO with the runs of all plans. */
  run(request: RunRequest): Promise<RunResult>
  /**
   * Predicts one batch inline, on this thread alone. ERR_BUSY while the engine works on this plan.
   */
  predict(arrays: { x: NativeArray[] }): NativeOutputs
  /** One call of a function, in the same way. */
  call(request: CallRequest): CallResult
  /**
   * How much the data as one batch would ask of the card that the plan is for: in training, where
   * it has an optimizer. Nothing of it is done but that memory is allocated.
   */
  work(data: NativeData): CardWork
  /** ERR_BUSY while a run of this plan is under way or queued (so are write, set, resetStates). */
  read(name: string): { data: Floats; shape: number[] }
  /** With `from`, a part: array, of shape [n], is for the numbers from there on, in C order. */
  write(name: string, array: NativeArray, from?: number): void
  set(key: string, value: number): void
  resetStates(): void
  names(): string[]
  /** The run under way stops at the next batch and resolves with what it has done. */
  cancel(): void
  dispose(): void
}

/** Work on the engine thread. */
export interface NativeWork<T> {
  done: Promise<T>
  /** It ends early; `done` resolves with whatever there is. */
  cancel(): void
}

/** Probabilities [B, T, K] for what comes after a softmax. */
export interface CtcOutputs {
  p: NativeArray
  /** [B] how many frames count. */
  lengths: NativeArray
  blank: number
}

export interface CtcDecoding extends CtcOutputs {
  /** 0: the best path. */
  beamWidth: number
  topPaths: number
  /** Whether prefixes are scored by the caller. */
  asks: boolean
  /** Or by n-grams. */
  arpa?: string
  ngram?: object
}

/** Prefixes to be scored, or what was found for each sample, the best first. */
export type CtcDecoded =
  | { asked: Int32Array[] }
  | { found: { label: Int32Array; logP: number }[][] }

export interface NativeInfo {
  version: string
  isa: string
  isas: string[]
  threads: number
  threading: 'openmp' | 'team'
}

/** NVIDIA cards, and what was found of their driver and of cuBLAS. */
export interface NativeCards {
  /** Empty: `why` says the reason. */
  cards: {
    name: string
    /** Bytes. */
    memory: number
    /** Of the compute capability. */
    major: number
    minor: number
    /** Multiprocessors; 0, as below: the driver does not say it. */
    processors: number
    /** kHz. */
    clock: number
    memoryClock: number
    /** Bits. */
    bus: number
  }[]
  /** 1000 · major + 10 · minor. */
  driver: number
  /** The file of cuBLAS; '': none, `whyNoBlas` says what was looked for. */
  blas: string
  why: string
  whyNoBlas: string
}

export interface Native {
  describe(): {
    layers: string[]
    cells: { name: string; gates: string; states: string[] }[]
    optimizers: { name: string; moments: number; savesIterations: boolean }[]
    objectives: string[]
    metrics: string[]
    activations: string[]
    constraints: string[]
  }
  /**
   * @param weightsOf a plan whose parameters the new one has instead of its own, each that it says
   *   it is `from`; while a run of either is under way, both are busy
   */
  compile(spec: Spec, weightsOf?: NativePlan): NativePlan
  /**
   * Gram-Schmidt on the rows of q [n, m], n <= m, in place, on this thread. Each call of what is
   * returned does a step of some milliseconds, and says whether there are more.
   */
  orthonormalization(n: number, m: number): (q: Float64Array) => boolean
  /** Costs [B]; labels [B, L], of which labelLengths count. */
  ctcCost(
    request: CtcOutputs & { labels: NativeArray; labelLengths: NativeArray },
  ): NativeWork<Float64Array>
  /** Each call goes on, until it asks or is done; scores [asked, K] after it has asked. */
  ctcDecoder(request: CtcDecoding): (scores?: NativeArray) => NativeWork<CtcDecoded>
  /** What has started this process beside others; size 0: it does not say. Null: nothing has. */
  launcher(): { name: string; size: number } | null
  /** Opens MPI where there is a launcher. ERR_OPTION where no library is found. */
  joinWorld(): NativeWork<NativeWorld>
  setThreads(n: number): void
  info(): NativeInfo
  /** Opens the driver and cuBLAS, if they are there. Absent: the binary has no code for cards. */
  cards?(): NativeCards
  /** Where the kernels of cards are; read when a plan is compiled for one. */
  setKernels?(file: string): void
  /**
   * Called once with the error classes of errors.ts, so that native errors are instances of them.
   */
  setErrorClasses(
    make: (code: string, message: string, where: string, expected: string, actual: string) => Error,
  ): void
}

/** 'glibc 2.36', 'musl', '' where there is no such choice. */
export function libc(): string {
  if (process.platform !== 'linux') return ''
  const { report } = process as { report?: { excludeNetwork?: boolean; getReport(): object } }
  if (report === undefined) return ''
  const { excludeNetwork } = report
  report.excludeNetwork = true // else it asks the name server for every open socket
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } }
  report.excludeNetwork = excludeNetwork ?? false
  return header?.glibcVersionRuntime ? `glibc ${header.glibcVersionRuntime}` : 'musl'
}

/** 'linux x64 glibc 2.36': what a binary must fit. */
const target = (): string => [process.platform, process.arch, libc()].filter(Boolean).join(' ')

const FROM_SOURCE =
  'it from source (needs a C++17 compiler, cmake and the npm package cmake-js): run `npx hiddenstate build` in your project, ' +
  'or `npm run build:native` in a checkout of the package.'
const HOW_TO_BUILD = `Build ${FROM_SOURCE}`

/** The binaries in a folder, in words for errors. */
function found(folder: string): string {
  try {
    const files = fs.readdirSync(folder).filter((file) => file.endsWith('.node'))
    return files.length > 0 ? `only ${files.join(', ')} there` : 'none there'
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? 'none there' : message
  }
}

/** A binary; and the package that it is from, where that is another one. */
interface Addon {
  file: string
  package?: string
}

const howToInstall = (name: string, version: string): string =>
  `Run \`npm install ${name}@${version}\`, or build ${FROM_SOURCE}`

/**
 * The binary in the package of this platform, which a release has as an optional dependency of its
 * own version; or why there is none.
 *
 * @throws StateError ERR_NOT_BUILT when the package has another version
 */
function inPackage(root: string, name: string, version: string): Addon | { none: string } {
  let manifest: string
  try {
    manifest = nodeModule
      .createRequire(path.join(root, 'package.json'))
      .resolve(`${name}/package.json`)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return { none: code === 'MODULE_NOT_FOUND' ? 'not installed' : message }
  }
  const { version: actual } = readManifest(manifest)
  if (actual === version)
    return { file: path.join(path.dirname(manifest), 'hiddenstate.node'), package: name }
  throw new StateError(
    'ERR_NOT_BUILT',
    `hiddenstate: ${manifest}: the version of ${name} must be ${version}, as that of hiddenstate, got ${actual}. ${howToInstall(name, version)}`,
    { expected: `${name}@${version}`, actual: `${name}@${actual}` },
  )
}

/** The binary in the folder of `hiddenstate bundle`, beside package.json. */
export const BUNDLED_ADDON = 'hiddenstate.node'

/**
 * The addon's binary: that of a bundle, a local build, then the prebuilt one (node-gyp-build's
 * rules), then that of the platform's package.
 */
function findAddon(root: string): Addon {
  const bundled = path.join(root, BUNDLED_ADDON)
  if (fs.existsSync(bundled)) return { file: bundled }
  const { resolve } = requireDependency('node-gyp-build') as { resolve(dir: string): string }
  try {
    return { file: path.resolve(resolve(root)) } // what HIDDENSTATE_PREBUILD names may be relative
  } catch (cause) {
    const [platform, arch, family] = [process.platform, process.arch, libc().split(' ')[0]]
    const named = process.env.HIDDENSTATE_PREBUILD
    const places: [folder: string, name: string][] = [
      [path.join(named || root, 'build', 'Release'), '*.node'],
      [
        path.join(named || root, 'prebuilds', `${platform}-${arch}`),
        family ? `*.${family}.node` : '*.node',
      ],
    ]
    const looked = places.map(([folder, name]) => `${folder}${path.sep}${name} (${found(folder)})`)
    let hint = named ? `HIDDENSTATE_PREBUILD names ${named}.` : HOW_TO_BUILD
    const name = ['hiddenstate', platform, arch, family].filter(Boolean).join('-')
    const version = named
      ? undefined
      : readManifest(path.join(root, 'package.json')).optionalDependencies?.[name]
    if (version !== undefined) {
      const addon = inPackage(root, name, version)
      if ('file' in addon) return addon
      looked.push(`the package ${name}@${version} (${addon.none})`)
      hint =
        'That package comes with this one, unless optional dependencies are left out (--omit=optional, --no-optional), or the lock file ' +
        `or node_modules is from another platform. ${howToInstall(name, version)}`
    }
    throw new StateError(
      'ERR_NOT_BUILT',
      `hiddenstate: no native binary for ${target()}. Looked for ${looked.join(' and ')}. ${hint}`,
      { expected: `a binary for ${target()}`, actual: 'none', cause },
    )
  }
}

/**
 * The newest glibc that the binary names: the system's loader speaks of the first that it misses.
 */
function newestGlibc(file: string): string | undefined {
  const named = fs.readFileSync(file, 'latin1').matchAll(/\bGLIBC_(\d[\d.]*)\0/g)
  const { compare } = new Intl.Collator('en', { numeric: true })
  return [...named]
    .map(([, version]) => version!)
    .sort(compare)
    .at(-1)
}

const AGAIN = `Install the package again, or build anew. ${HOW_TO_BUILD}`

/** What the system's loader would have needed to take the file, and what the user can do. */
function whyNotLoaded(file: string, message: string): { expected: string; hint: string } {
  if (message.startsWith('EACCES'))
    return { expected: 'a file that may be read', hint: 'Give this user the right to read it.' }
  if (/addons is disabled/.test(message)) {
    const hint = 'Start Node without `--no-addons`, or with `--allow-addons`.'
    return { expected: 'a process that may load addons', hint }
  }
  if (/failed to map segment/.test(message)) {
    const expected = 'a file system whose files may be run'
    return {
      expected,
      hint: `It needs ${expected}: this one is mounted with \`noexec\`. Install elsewhere.`,
    }
  }
  const older = /version `GLIBC_([\d.]+)' not found/.exec(message)
  if (older) {
    const expected = `glibc ${newestGlibc(file) ?? older[1]} or newer`
    return { expected, hint: `It needs ${expected}. ${HOW_TO_BUILD}` }
  }
  const missing =
    /^(?:.*?Error loading shared library )?(lib[\w+.-]+): (?:cannot open shared object|No such file)/.exec(
      message,
    )
  if (missing)
    return {
      expected: `the library ${missing[1]}`,
      hint: `The library ${missing[1]} is missing. ${AGAIN}`,
    }
  return {
    expected: `a whole binary for ${target()}`,
    hint: `It is damaged or was made for another platform. ${AGAIN}`,
  }
}

/**
 * The ELF header says where the file's last table ends. A file cut off before that may be mapped
 * without an error, and then end the process when the missing part is touched.
 */
function isCutOff(file: string): boolean {
  const header = Buffer.alloc(64)
  const fd = fs.openSync(file, 'r')
  try {
    if (fs.readSync(fd, header) < 64 || header.toString('latin1', 0, 5) !== '\x7fELF\x02')
      return false
    const end =
      Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60)
    return fs.fstatSync(fd).size < end
  } finally {
    fs.closeSync(fd)
  }
}

function loadAddon(file: string): Native {
  try {
    if (isCutOff(file)) throw new Error('the file is cut off')
    return nodeModule.createRequire(import.meta.url)(file) as Native
  } catch (cause) {
    const message = (cause as Error).message.replace(/\.$/, '')
    const { expected, hint } = whyNotLoaded(file, message)
    throw new StateError(
      'ERR_NOT_BUILT',
      `hiddenstate: ${file} cannot be loaded on ${target()}: ${message}. ${hint}`,
      {
        expected,
        actual: message,
        cause,
      },
    )
  }
}

/**
 * The binary that {@link loadNative} takes.
 *
 * @throws StateError ERR_NOT_BUILT when there is none
 * @internal
 */
export const addonFile = (): Addon => findAddon(packageRoot())

let loaded: Native | undefined

/**
 * The addon, loaded on first use and once per thread.
 *
 * @throws StateError ERR_NOT_BUILT when there is no binary for this platform, or the one there is
 *   cannot be loaded
 * @internal
 */
export function loadNative(): Native {
  if (loaded) return loaded
  // libgomp reads its environment once, when it is loaded:
  // without a bound, waiting threads spin for milliseconds.
  if (process.env.GOMP_SPINCOUNT === undefined && process.env.OMP_WAIT_POLICY === undefined)
    process.env.GOMP_SPINCOUNT = '2000'
  const native = loadAddon(addonFile().file)
  native.setErrorClasses(nativeError)
  native.setKernels?.(path.join(packageRoot(), 'native', 'device', 'cuda', 'kernels.ptx'))
  loaded = native
  return native
}
