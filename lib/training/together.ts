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
import { packageVersion } from '../package-root.js'
import { randomState, setRandomState } from '../random.js'
import type { World } from '../world/distribute.js'
import type { Hooks } from './hooks.js'
import { decode, encode, type Plain } from './plain-data.js'
import type { BatchSource, Validation } from './source.js'
import { difference, type Identity, type Position, type TrainingState } from './state.js'

/** What all of them must have alike, beside what a call adds. */
const ownTopics = (model: Model, world: World): Identity => {
  const { loss, lossWeights, metrics, sampleWeightMode, floatx, optimizer } =
    model.requireCompiled('fit')
  return {
    'version of hiddenstate': packageVersion(),
    'instruction set': info().isa,
    virtualShards: String(world.virtualShards),
    distribute: world.data,
    compression: world.compression,
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

/** What a training has in common beside its model. */
interface OfFit extends Pick<TrainingState, 'source'> {
  readonly validation: Plain
  readonly callbacks: readonly Plain[]
  readonly stopTraining: boolean
  readonly batches: number
  readonly position: Position | null
}

/**
 * Brings every rank to the state of rank 0: its model, and where a training that goes on from a
 * checkpoint stands.
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
  const ofFit = async (): Promise<OfFit> => ({
    source: await source.state(),
    validation: (await validation?.state()) ?? null,
    callbacks: kept ? await hooks.states(true) : [],
    stopTraining: model.stopTraining,
    batches: resumption.batches,
    position: kept,
  })
  const state = await shareModel(world, call, model, ofFit as unknown as () => Promise<Plain>)
  if (state === null) return kept
  const { position, callbacks, batches, stopTraining, ...data } = state as unknown as OfFit
  if (position || world.data === 'full') {
    await source.restore(data.source)
    await validation?.restore(data.validation)
  }
  if (position) await hooks.restore(callbacks)
  resumption.batches = batches
  model.stopTraining = stopTraining
  return position
}

interface OfModel extends Pick<TrainingState, 'hyper' | 'native' | 'random'> {
  readonly hasTrained: boolean
  readonly weights: readonly Plain[]
  readonly moments: readonly { variable: number; moment: number; data: Plain; shape: Plain }[]
  /** What comes with it. */
  readonly more: Plain
}

/**
 * Brings the model to the state that rank 0's has: weights, moments, counts, hyper-parameters, and
 * the streams of random numbers. The caller holds the turn.
 *
 * @param more what comes with it from rank 0
 * @returns that, on the other ranks; null on rank 0
 * @throws StateError ERR_RANK
 */
async function shareModel(
  world: World,
  call: string,
  model: Model,
  more: () => Promise<Plain>,
): Promise<Plain> {
  if (world.size === 1) return null
  const { runner } = model
  await runner.fill(call)
  let bytes: Uint8Array<ArrayBufferLike> = new Uint8Array()
  if (world.isMain) {
    const plan = runner.plan()
    const { variables } = runner
    const { moments } = readMoments(plan, variables)
    const state: OfModel = {
      hyper: { ...model.optimizer } as unknown as TrainingState['hyper'],
      native: runner.nativeState,
      random: randomState(),
      hasTrained: runner.hasTrained,
      weights: variables.map(({ planPath }) => plan.read(planPath).data as Plain),
      moments: moments.map(({ variable, moment, value: { data, shape } }) => ({
        variable: variables.indexOf(variable),
        moment,
        data: data as Plain,
        shape,
      })),
      more: await more(),
    }
    bytes = encode(state as unknown as Plain, 'training state')
  }
  const [length] = await world.gather(`${call}: state`, String(bytes.length))
  if (!world.isMain) bytes = new Uint8Array(Number(length))
  const all = await world.spread(`${call}: state`, bytes)
  let others: Plain = null
  if (!world.isMain) {
    const state = decode(all, 'rank 0') as unknown as OfModel
    await runner.callback(() => takeModel(runner, model, state), null)
    setRandomState(state.random)
    others = state.more
  }
  inStep.set(runner, runner.changes)
  return others
}

function takeModel(runner: Runner, model: Model, state: OfModel): void {
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

/** How often a runner had changes of its own when ranks last had all alike. */
const inStep = new WeakMap<Runner, number>()

/**
 * Before a batch of its own that ranks train or test on: unless all of them still have what they
 * had in common after the last one, they compare what they are about to do, and take rank 0's
 * state to train, or compare weights to test. The caller holds the turn.
 *
 * @throws as {@link agree}
 */
export async function comeTogether(
  world: World,
  call: string,
  model: Model,
  mode: 'train' | 'test',
): Promise<void> {
  if (world.size === 1) return
  const { runner } = model
  await runner.whole(call)
  const news = await world.gather(call, inStep.get(runner) === runner.changes ? '' : 'new')
  if (news.every((each) => each === '')) return
  await agree(world, call, model, () => (mode === 'test' ? { weights: weightsOf(model) } : {}))
  if (mode === 'train') await shareModel(world, call, model, async () => null)
}

interface Sources {
  source: BatchSource
  validation: Validation | null
  resumption: { batches: number }
}
