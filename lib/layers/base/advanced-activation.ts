/**
 * What activations with numbers of their own share: they are kinds of one op.
 * Keras 1.2.2 `keras.layers.advanced_activations`.
 */
import { ConfigError, fail, ShapeError } from '../../errors.js'
import type { Init } from '../../initializations.js'
import { describe } from '../../ndarray.js'
import type { Graph, Option, Shape, Value } from '../../spec.js'
import { Layer, type LayerOptions } from './layer.js'
import { showShape } from './names.js'

/** An elementwise activation: any shape → the same. Passes masks on. */
export abstract class AdvancedActivation<O extends LayerOptions = LayerOptions> extends Layer<O> {
  override readonly supportsMasking = true
  /** The name native code knows it by. */
  protected abstract readonly kind: string

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return inputShape
  }

  /** The constant of the kind, if it has one. */
  protected get constant(): number {
    return 0
  }

  /** Further constants of the kind. */
  protected constants(): { [key: string]: Option } {
    return {}
  }

  /** For each parameter, for each axis beside the batch: 1 where its elements share one number. */
  protected sharing(): number[] {
    return []
  }

  protected emit(graph: Graph, x: Value): Value {
    return graph.op('parametric_activation', [x], x.shape, {
      ...this.opName(),
      options: { kind: this.kind, a: this.constant, ...this.constants(), shared: this.sharing() },
      params: this.paramUses(),
      mask: 'pass',
    })
  }
}

/** Options of activations whose parameters are learned. */
export interface LearnedActivationOptions extends LayerOptions {
  /**
   * Axes whose elements share their parameters, counted from 1, as the batch is axis 0: `[1]` for
   * all steps. Default none.
   */
  sharedAxes?: number | readonly number[] | null
}

/** An activation whose parameters have the shape of one sample, or 1 along shared axes. */
export abstract class LearnedActivation<
  O extends LearnedActivationOptions = LearnedActivationOptions,
> extends AdvancedActivation<O> {
  static override readonly defaults: Readonly<Record<string, unknown>> = {
    ...Layer.defaults,
    sharedAxes: null,
  }

  protected constructor(options: object | undefined) {
    super([], options)
    const { sharedAxes } = this.options
    if (this.#axes().every((axis) => Number.isInteger(axis) && axis >= 1)) return
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      what: this.spelled('sharedAxes'),
      expected: 'null or axes from 1 on',
      actual: describe(sharedAxes),
    })
  }

  #axes(): readonly number[] {
    return [(this.options.sharedAxes as LearnedActivationOptions['sharedAxes']) ?? []].flat()
  }

  /** The parameters in Keras' order with their initial values. */
  protected abstract parameters(): readonly (readonly [name: string, init: Init])[]

  /** @internal Where all steps have the same parameters. */
  override stepsAt(stepped: readonly boolean[]): readonly boolean[] {
    const isShared = this.variables.every(({ dims }) => dims[0] === 1)
    return isShared ? stepped : super.stepsAt(stepped)
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    const wrong = this.#axes().find((axis) => axis >= inputShape.length)
    if (wrong === undefined) return
    fail(ShapeError, 'ERR_SHAPE', {
      where: this.where,
      layer: this.where,
      what: this.spelled('sharedAxes'),
      expected: `axes of ${showShape(inputShape)}`,
      actual: `${wrong}`,
    })
  }

  protected override createVariables(inputShape: Shape): void {
    const axes = this.#axes()
    const dims = inputShape
      .slice(1)
      .map((_, i) => (axes.includes(i + 1) ? 1 : this.known(inputShape, i + 1, 'extents')))
    for (const [name, init] of this.parameters())
      this.addVariable(name, dims, init, { sharable: true, scales: null })
  }

  protected override sharing(): number[] {
    const extents = this.inputShape?.slice(1) ?? []
    return this.variables.flatMap(({ dims }) =>
      dims.map((d, i) => (d === 1 && extents[i] !== 1 ? 1 : 0)),
    )
  }

  /**
   * Keras leaves `shared_axes` out, and then cannot read the weights;
   * it takes the key where it is written.
   */
  protected override savedOptions(): Record<string, unknown> {
    const { sharedAxes, ...options } = super.savedOptions()
    const [first] = this.variables
    const axes = first && this.sharing().slice(0, first.dims.length)
    const shared = axes ? axes.flatMap((is, i) => (is ? [i + 1] : [])) : this.#axes()
    return shared.length > 0 ? { ...options, sharedAxes: shared } : options
  }
}
