/** What a model is below its calls: its runner, its Spec, how it is compiled, its optimizer. */
import {
  chosenByCompile,
  type Compiled,
  type CompileOptions,
  type Metrics,
  type MetricsByName,
  resolveCompile,
} from './compile.js'
import { device, type DeviceName } from '../backend.js'
import type { History } from '../callbacks/index.js'
import { setConsoleText } from '../console-text.js'
import { chooseDevice, type DeviceChoice } from '../device-choice.js'
import { checkModelNames, lowerModel, RAGGED_PADDING, type Training } from '../engine/lowering.js'
import * as state from '../engine/optimizer-state.js'
import { Runner } from '../engine/runner.js'
import { lowerSteps, type StepInput, type SteppedModel } from '../engine/stepping.js'
import { ConfigError, fail, StateError } from '../errors.js'
import { Container } from '../layers/base/container.js'
import type { Layer } from '../layers/base/layer.js'
import { withChildren } from '../layers/base/members.js'
import { renames } from '../layers/base/names.js'
import { type KerasArray, type Variable, writeKerasArrays } from '../layers/base/variable.js'
import type { LayerNames } from '../layers/base/weights.js'
import { loadNative, type NativeArray, type NativeArrays } from '../native.js'
import { type NDArray, shapeText, type TensorLike } from '../ndarray.js'
import type { Optimizer } from '../optimizers/optimizer.js'
import type { Shape, Spec } from '../spec.js'
import type { InputSlot, TargetSlot } from '../training/data.js'
import type { World } from '../world/distribute.js'
import { checkShareable } from '../world/shareable.js'
import { modelText, printSummary } from './summary.js'

/** @throws ConfigError ERR_OPTION for an input whose padding only the user's own layer can mask */
function checkMaskable({ where, shape, indexLimit }: InputSlot): void {
  if (indexLimit === null && shape.length === 3) return
  fail(ConfigError, 'ERR_OPTION', {
    where,
    layer: where,
    what: 'input for sequences of different lengths',
    expected: 'one whose padding is masked',
    actual: 'one without a mask',
    hint:
      indexLimit !== null
        ? 'An Embedding with maskZero: true masks it; index 0 is no word then.'
        : `Only steps of one axis of features, [B, T, D], are masked; the input is ${shapeText(shape)}.`,
  })
}

const TRAINING_CALLS: ReadonlySet<string> = new Set([
  'fit',
  'fitGenerator',
  'trainOnBatch',
  'gradients',
])

/** Steps of a sequence, or other extents, that nothing says: for {@link CompiledModel.choice}. */
const USUAL_EXTENT = 50
/** The same of a batch: Keras' default. */
const USUAL_ROWS = 32

/** The part of {@link Model} below its calls. */
export abstract class CompiledModel extends Container {
  static {
    setConsoleText(CompiledModel, modelText)
    chosenByCompile(CompiledModel)
  }
  /** Set to true (by a callback) to end a fit after the epoch. */
  stopTraining = false
  /** Of the last fit. */
  history: History | undefined
  /** @internal */
  readonly runner: Runner
  #compiled: Compiled | null = null
  /** Why it is not compiled though its file says how; null: no file has failed. */
  #whyUncompiled: string | null = null
  /** What the optimizer has state for: what was trainable when `compile` was called. */
  #trained: ReadonlySet<Variable> = new Set()
  /** The Spec of the model as it is now; null: to be made anew. */
  #spec: Spec | null = null
  /** What 'auto' chose; null: the device was named, or nothing is chosen yet. */
  #deviceChoice: DeviceChoice | null = null
  /** Whether training has begun since 'auto' chose. */
  #hasSettled = false
  /** What the layers were called when #spec was made. */
  #names: LayerNames = new Map()
  /** As sessions run it, by what its inputs are to them and the count of {@link renames}. */
  readonly #stepped = new Map<string, SteppedModel>()
  /** The inputs that got sequences of different lengths, and that no layer masks. */
  #maskedInputs: ReadonlySet<number> = new Set()
  /** The count of {@link renames} at which the names were checked last. */
  #namesAt = -1

  protected constructor(options?: { name?: string | null }) {
    super(options)
    this.runner = new Runner({
      layers: () => this.layers,
      spec: () => this.#lowered('predict'),
      names: () => this.#names,
      hyper: () => this.#compiled?.optimizer.hyper(this.floatx) ?? null,
    })
  }

  /** To be called when layers have changed: the model must be compiled again. */
  protected changed(): void {
    this.#compiled = null
    this.#whyUncompiled = null
    this.#spec = null
    this.#deviceChoice = null
    this.#maskedInputs = new Set()
    this.#forgetSteps()
  }

  #forgetSteps(): void {
    for (const stepped of this.#stepped.values()) {
      stepped.isCurrent = false
      stepped.once?.dispose()
      stepped.step.dispose()
    }
    this.#stepped.clear()
  }

  /**
   * @internal The model as sessions run it; they share what it gives.
   * @throws ConfigError ERR_OPTION for a layer that cannot go step by step
   */
  stepped(inputs: readonly StepInput[]): SteppedModel {
    const key = `${inputs.join()} ${renames()}`
    const stepped = this.#stepped.get(key) ?? lowerSteps(this, inputs)
    this.#stepped.set(key, stepped)
    return stepped
  }

  /** @throws StateError ERR_DISPOSED, ERR_NOT_BUILT */
  protected requireAlive(call: string): readonly Layer[] {
    this.runner.checkAlive(call)
    return this.requireLayers(call)
  }

  /**
   * Prints the layers with their output shapes and parameter counts, as Keras does; and, where the
   * device `'auto'` has chosen one, which and why.
   *
   * @param options.print takes the text; default `console.log`
   */
  summary(options?: { print?: (text: string) => void }): void {
    this.requireAlive('summary')
    printSummary(this, this.#deviceChoice, options)
  }

  // ---- weights and states ----

  protected override checkReady(call: string, writes: boolean): void {
    if (writes) this.runner.checkIdle(call, true)
    else this.runner.checkAlive(call)
    this.runner.checkStill(`model.${call}`)
  }

  /**
   * Sets all parameters, all or none.
   * @param weights as {@link Model.getWeights} gives them
   * @throws ShapeError ERR_SHAPE when number or shapes differ; StateError ERR_BUSY during a fit
   *   (callbacks may call it)
   */
  override setWeights(weights: readonly TensorLike[]): void {
    this.checkReady('setWeights', true)
    writeKerasArrays('model', this.kerasArrays(), weights)
  }

  /**
   * Sets the states of all stateful layers to zero, those inside models inside it too; nothing for
   * a model without them. In a model that is part of another,
   * the states that the layers have there as well.
   * @throws StateError ERR_BUSY during a fit (callbacks may call it)
   */
  override resetStates(): void {
    this.checkReady('resetStates', true)
    this.runner.resetStates()
    super.resetStates()
  }

  // ---- compile ----

  /** As {@link Model.compile}. */
  protected compileWith(options: CompileOptions<Metrics | MetricsByName>): void {
    this.runner.checkUnused('compile')
    this.requireAlive('compile')
    const { floatx, outputNames } = this
    const outputShapes = this.arrayShapesAt(this.inputShapes)
    const compiled = resolveCompile({ floatx, outputNames, outputShapes }, options)
    this.#deviceChoice = this.#lower(compiled.training(), compiled, compiled)
    this.#hasSettled = false
    this.#compiled = compiled
    compiled.optimizer.countsWith(this.runner)
    this.#whyUncompiled = null
    this.#trained = new Set(
      state.optimizerOrder(this.kerasArrays()).map(({ variable }) => variable),
    )
  }

  /**
   * The optimizer of `compile`; its properties may be changed at any time
   * and count from the next batch.
   *
   * @throws StateError ERR_NOT_COMPILED before; ConfigError ERR_OPTION when another is assigned:
   *   `compile` chooses it
   */
  get optimizer(): Optimizer {
    return this.requireCompiled('optimizer').optimizer
  }

  /**
   * Names of what `evaluate` and `trainOnBatch` return:
   * 'loss', then the metrics. Empty before compile.
   */
  get metricsNames(): readonly string[] {
    return this.#compiled?.metricsNames ?? []
  }

  /** @internal The ranks that train it together; null: this process alone. */
  get world(): World | null {
    return this.#compiled?.world ?? null
  }

  /** @internal What `compile` was told; null before. */
  get compiled(): Compiled | null {
    return this.#compiled
  }

  /** @internal Says why the file of the model could not compile it, for later errors. */
  leaveUncompiled(why: string): void {
    this.#whyUncompiled = why
  }

  /**
   * @internal
   * @throws StateError ERR_NOT_COMPILED, ERR_DISPOSED; ConfigError ERR_OPTION for a call that
   *   trains a model of integers
   */
  requireCompiled(call: string): Compiled {
    this.runner.checkAlive(call)
    if (TRAINING_CALLS.has(call) && this.floatx === 'mixed_int8')
      fail(ConfigError, 'ERR_OPTION', {
        where: `model.${call}`,
        what: 'model',
        expected: 'one whose weights have gradients',
        actual: "one that quantize('int8') made",
        hint: 'Train the model that it was made of, then quantize that again.',
      })
    if (this.#compiled) return this.#compiled
    fail(StateError, 'ERR_NOT_COMPILED', {
      where: `model.${call}`,
      what: 'model',
      expected: 'compiled',
      actual: this.#whyUncompiled
        ? `one that its file could not compile (${this.#whyUncompiled.replace(/\.$/, '')})`
        : 'one that is not (or whose layers have changed since)',
      hint: 'Call model.compile({ optimizer, loss }) first.',
    })
  }

  /** The Spec for the next run. @throws as {@link lowerModel} */
  #lowered(call: string): Spec {
    this.requireAlive(call)
    if (this.#spec && this.#namesAt !== renames()) checkModelNames(this)
    this.#namesAt = renames()
    if (!this.#spec)
      this.#deviceChoice = this.#lower(null, { device: device(), precision: null }, null)
    return this.#spec!
  }

  /** @returns what 'auto' chose */
  #lower(
    training: Training | null,
    on: { readonly device: DeviceName; readonly precision: 'tf32' | null },
    compiled: Compiled | null,
    rows: number | null = null,
  ): DeviceChoice | null {
    const { precision } = on
    const target = { device: 'cpu', precision } as const
    const { spec: lowered, shapes } = lowerModel(this, training, target, this.#maskedInputs)
    const choice =
      on.device === 'auto' ? chooseDevice(lowered, () => this.#zeros(compiled, rows)) : null
    const spec = { ...lowered, device: choice?.device ?? (on.device as Spec['device']) }
    if (compiled?.world) checkShareable(spec, shapes)
    // A card may be missing, or lack an operation: it says so now, not in the first batch.
    if (!choice && spec.device !== 'cpu') loadNative().compile(spec).dispose()
    this.#spec = spec
    this.#names = new Map(withChildren(this.layers).map((layer) => [layer, layer.name]))
    return choice
  }

  /** Zeros as a batch, with targets where the model is compiled. */
  #zeros(compiled: Compiled | null, rows: number | null): NativeArrays {
    const shapes = this.inputShapes.map(([own, ...dims]) => [
      own ?? rows ?? USUAL_ROWS,
      ...dims.map((extent) => extent ?? USUAL_EXTENT),
    ])
    const zeros = (shape: Shape): NativeArray => ({
      data: new Float32Array((shape as number[]).reduce((a, b) => a * b, 1)),
      shape: shape as number[],
    })
    const outputs = compiled ? this.arrayShapesAt(shapes) : []
    const targets = outputs.map((shape, i) => {
      const { targetDim } = compiled!.outputs[i]!
      return targetDim === null ? shape : [...shape.slice(0, -1), targetDim]
    })
    return { x: shapes.map(zeros), ...(compiled ? { y: targets.map(zeros) } : {}) }
  }

  /**
   * @internal Training begins with batches of `rows`: 'auto' chooses again where it did not count
   *   on as many. Later batches, of whatever size, stay where the first are.
   */
  settle(rows: number): void {
    const compiled = this.#compiled
    if (compiled?.device !== 'auto' || this.#hasSettled) return
    this.#hasSettled = true
    if (this.#deviceChoice?.estimate?.rows === rows) return
    const before = this.#lowered('fit')
    this.#deviceChoice = this.#lower(compiled.training(), compiled, compiled, rows)
    const { device } = this.#spec!
    // the same optimizer: the runner has it go on in a plan of the other device
    this.#spec = device === before.device ? before : { ...this.#spec!, optimizer: before.optimizer }
  }

  /**
   * @internal From now on the padding of these inputs is masked, also where no layer does it. The
   *   optimizer goes on as it was.
   * @returns with what to pad each of them
   * @throws ConfigError ERR_OPTION for an input that cannot be masked, and for a layer that
   *   supports no mask
   */
  maskInputs(inputs: readonly number[], call: string): readonly number[] {
    const slots = this.inputSlots()
    const missing = inputs.filter((i) => slots[i]!.padding === null && !this.#maskedInputs.has(i))
    if (missing.length > 0) this.#mask(missing, call)
    return inputs.map((i) => slots[i]!.padding ?? RAGGED_PADDING)
  }

  #mask(missing: readonly number[], call: string): void {
    const slots = this.inputSlots()
    for (const i of missing) checkMaskable(slots[i]!)
    const before = { spec: this.#lowered(call), masked: this.#maskedInputs }
    this.#maskedInputs = new Set([...before.masked, ...missing])
    try {
      this.#lower(
        this.#compiled?.training() ?? null,
        { device: before.spec.device, precision: before.spec.precision ?? null },
        this.#compiled,
      )
    } catch (error) {
      this.#maskedInputs = before.masked
      this.#spec = before.spec
      throw error
    }
    // the same optimizer: the runner has it go on in the plan of the new Spec
    this.#spec = { ...this.#spec!, optimizer: before.spec.optimizer }
  }

  /** @internal The outputs that targets are for; shapes with the batch. */
  targetPlaces(): readonly { name: string; shape: Shape; blank: number | null }[] {
    return this.outputNames.map((name, i) => {
      const blank = this.#compiled?.outputs[i]?.blank ?? null
      return { name, shape: this.outputShapes[i]!, blank }
    })
  }

  /** @internal The same of weights per step. */
  weightPlaces(): readonly { name: string; shape: Shape }[] {
    return this.targetPlaces().map(({ name, shape }) => ({ name, shape: shape.slice(0, 2) }))
  }

  /** @internal What targets must be for these inputs, whose extents are known. */
  targetSlots(inputs: readonly NativeArray[], call: string): TargetSlot[] {
    const shapes = this.arrayShapesAt(inputs.map((input) => input.shape))
    const { outputs } = this.requireCompiled(call)
    return this.network.outputs.map(({ node: { layer } }, i) => {
      const { targetDim, classes, blank, temporal } = outputs[i]!
      const shape = targetDim === null ? shapes[i]! : [...shapes[i]!.slice(0, -1), targetDim]
      return { name: layer.name, where: layer.where, shape, classes, blank, temporal }
    })
  }

  /**
   * @internal Runs `use` while no batch of this model runs, and, if it `writes`, no fit but that
   *   whose callback asks for it.
   */
  async whenIdle<T>(call: string, use: () => T, writes = false): Promise<T> {
    this.runner.checkAlive(call)
    const turn = await this.runner.take()
    try {
      if (writes) this.runner.checkIdle(call, true)
      else await this.runner.fill(call)
      return use()
    } finally {
      turn.release()
    }
  }

  /** @internal The optimizer's state in the order of Keras; null when no training has begun. */
  optimizerWeights(): NDArray[] | null {
    return this.#compiled && this.runner.hasTrained
      ? state.optimizerWeights(this.#trainedState('save'))
      : null
  }

  /** @internal The shapes of {@link optimizerWeights}, also before training has begun. */
  optimizerShapes(): (readonly number[])[] {
    return state.optimizerShapes(this.#trainedState('save'))
  }

  /** @internal Sets the optimizer's state, all or none, in steps. */
  *setOptimizerWeights(weights: readonly NDArray[]) {
    yield* state.setOptimizerWeights(this.#trainedState('loadModel'), weights)
    this.runner.hasTrained = true
  }

  /** @internal What has trained since `compile`, in the order of `getWeights`. */
  trainedArrays(): KerasArray[] {
    return this.kerasArrays().filter(({ variable }) => this.#trained.has(variable))
  }

  #trainedState(call: string): state.Trained {
    const { optimizer } = this.requireCompiled(call)
    const plan = this.runner.plan()
    // in the order of the names that the layers have now, as in a file
    const arrays = state.inNameOrder(this.trainedArrays())
    return { arrays, floatx: this.floatx, optimizer, plan }
  }

  /**
   * Frees the native memory at once instead of at the next garbage collection. A fit under way
   * stops and rejects; every later call throws ERR_DISPOSED. Twice does no harm.
   */
  dispose(): void {
    this.#forgetSteps()
    this.runner.dispose()
  }

  /** For `using model = …`. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}
