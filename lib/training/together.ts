/**
 * What ranks that train a model together do before and after it: they compare what they are about
 * to do, and go on from the state that rank 0 has.
 */
import { createHash } from 'node:crypto'
import type { Callback } from '../callbacks/index.js'
import { readMoments, writeMoments } from '../engine/optimizer-state.js'
import type { Runner } from '../engine/runner.js'
import { ConfigError, fail } from '../errors.js'
import { info } from '../backend.js'
import type { Model } from '../model/model.js'
import type { NativeTeam } from '../world/native-world.js'
import { packageVersion } from '../package-root.js'
import { randomState, setRandomState } from '../random.js'
import type { World } from '../world/distribute.js'
import type { Hooks } from './hooks.js'
import { decode, encode, type Plain } from './plain-data.js'
import type { BatchSource, Validation } from './source.js'
import { difference, type Identity, type Position, type TrainingState } from './state.js'

/** How a call's batches are shared out; nothing where a model is trained by this process alone. */
export const teamOf = (model: Model, call: string): { team?: NativeTeam } => {
  const { world } = model
  return world ? { team: { world: world.native, shards: world.virtualShards, call } } : {}
}

/** What all of them must have alike, beside what a call adds. */
const ownTopics = (model: Model, world: World): Identity => {
  const { loss, lossWeights, metrics, sampleWeightMode, floatx, optimizer } =
    model.requireCompiled('fit')
  return {
    'version of hiddenstate': packageVersion(),
    'instruction set': info().isa,
    virtualShards: String(world.virtualShards),
    model: model.toJson(),
    compile: JSON.stringify({ loss, lossWeights, metrics, sampleWeightMode, floatx }),
    optimizer: `${optimizer.constructor.name} ${JSON.stringify(optimizer.hyper(floatx))}`,
  }
}

/** A hash of all weights, as a topic. */
export function weightsOf(model: Model): string {
  const hash = createHash('sha256')
  for (const { data } of model.getWeights())
    hash.update(new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength))
  return `some with hash ${hash.digest('hex').slice(0, 12)}`
}

/**
 * Compares what every rank is about to do with rank 0.
 *
 * @throws ConfigError ERR_OPTION, on all ranks, naming the first difference; StateError ERR_RANK
 */
export async function agree(
  world: World,
  call: string,
  model: Model,
  topics: () => Identity,
): Promise<void> {
  if (world.size === 1) return
  const own = { ...ownTopics(model, world), ...topics() }
  const [first, ...others] = (await world.gather(call, JSON.stringify(own))).map(
    (text) => JSON.parse(text) as Identity,
  )
  for (const [i, other] of others.entries()) {
    for (const topic of new Set([...Object.keys(first!), ...Object.keys(other)])) {
      const [expected, actual] = [first![topic] ?? 'none', other[topic] ?? 'none']
      if (expected === actual) continue
      const [from, to] = difference(expected, actual)
      fail(ConfigError, 'ERR_OPTION', {
        where: call,
        what: `${topic} of rank ${i + 1} of ${world.size}`,
        expected: `that of rank 0, ${from}`,
        actual: to,
      })
    }
  }
}

/** The callbacks of this rank: others than rank 0 have those alone that declare `everyRank`. */
export const callbacksOf = (world: World | null, callbacks: readonly Callback[]) =>
  world === null || world.isMain ? callbacks : callbacks.filter(({ everyRank }) => everyRank)

interface Shared extends Pick<TrainingState, 'hyper' | 'native' | 'random' | 'source'> {
  readonly validation: Plain
  readonly callbacks: readonly Plain[]
  readonly stopTraining: boolean
  readonly batches: number
  readonly position: Position | null
  readonly hasTrained: boolean
  readonly weights: readonly Plain[]
  readonly moments: readonly { variable: number; moment: number; data: Plain; shape: Plain }[]
}

/**
 * Brings every rank to the state of rank 0: weights, moments, counts, streams of random numbers,
 * hyper-parameters, and where a training that goes on from a checkpoint stands.
 *
 * @param kept of rank 0; the others' does not count
 * @returns that of rank 0
 * @throws StateError ERR_RANK
 */
export async function shareState(
  world: World,
  call: string,
  model: Model,
  { source, validation, resumption }: Sources,
  hooks: Hooks,
  kept: Position | null,
): Promise<Position | null> {
  if (world.size === 1) return kept
  const { runner } = model
  await runner.fill(call)
  let bytes: Uint8Array<ArrayBufferLike> = new Uint8Array()
  if (world.isMain) {
    const plan = runner.plan()
    const { variables } = runner
    const { moments } = readMoments(plan, variables)
    const state: Shared = {
      hyper: { ...model.optimizer } as unknown as TrainingState['hyper'],
      native: runner.nativeState,
      random: randomState(),
      source: await source.state(),
      validation: (await validation?.state()) ?? null,
      callbacks: kept ? await hooks.states(true) : [],
      stopTraining: model.stopTraining,
      batches: resumption.batches,
      position: kept,
      hasTrained: runner.hasTrained,
      weights: variables.map(({ planPath }) => plan.read(planPath).data as Plain),
      moments: moments.map(({ variable, moment, value: { data, shape } }) => ({
        variable: variables.indexOf(variable),
        moment,
        data: data as Plain,
        shape,
      })),
    }
    bytes = encode(state as unknown as Plain, 'training state')
  }
  const [length] = await world.gather(`${call}: state`, String(bytes.length))
  if (!world.isMain) bytes = new Uint8Array(Number(length))
  const all = await world.spread(`${call}: state`, bytes)
  if (world.isMain) return kept
  const state = decode(all, 'rank 0') as unknown as Shared
  await runner.callback(() => takeState(runner, model, state), null)
  setRandomState(state.random)
  await source.restore(state.source)
  await validation?.restore(state.validation)
  if (state.position) await hooks.restore(state.callbacks)
  resumption.batches = state.batches
  model.stopTraining = state.stopTraining
  return state.position
}

function takeState(runner: Runner, model: Model, state: Shared): void {
  const plan = runner.plan()
  const { variables } = runner
  for (const [i, { planPath }] of variables.entries()) {
    const { shape } = plan.read(planPath)
    plan.write(planPath, { data: state.weights[i] as Float32Array, shape })
  }
  Object.assign(model.optimizer, state.hyper)
  runner.nativeState = state.native
  writeMoments(plan, {
    moments: state.moments.map(({ variable, moment, data, shape }) => ({
      variable: variables[variable]!,
      moment,
      value: { data: data as Float32Array, shape: shape as number[] },
    })),
    counts: state.native.counts,
  })
  runner.hasTrained = state.hasTrained
}

interface Sources {
  source: BatchSource
  validation: Validation | null
  resumption: { batches: number }
}
