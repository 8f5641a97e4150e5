/** What must and must not compile of `hiddenstate/tune`. Never run. */
import { expectTypeOf } from 'vitest'
import { choice, int, logUniform, type Params, tune, uniform } from '../../lib/tune/index.js'

const space = {
  lr: logUniform(1e-4, 1),
  cell: choice(['lstm', 'gru']),
  flag: choice([true, false, null]),
  units: int(8, 64, { log: true }),
  zoneout: uniform(0, 0.5, { when: { cell: 'lstm' } }),
  clip: choice([1, 5], { when: { cell: ['lstm', 'gru'] } }),
}
expectTypeOf<Params<typeof space>>().toEqualTypeOf<{
  readonly lr: number
  readonly cell: 'lstm' | 'gru'
  readonly flag: boolean | null
  readonly units: number
  readonly zoneout: number | undefined
  readonly clip: 1 | 5 | undefined
}>()

export async function results(): Promise<void> {
  const sweep = await tune({
    space,
    objective: async ({ lr, cell }, trial) => {
      expectTypeOf(lr).toEqualTypeOf<number>()
      expectTypeOf(cell).toEqualTypeOf<'lstm' | 'gru'>()
      expectTypeOf(trial.signal).toEqualTypeOf<AbortSignal>()
      await trial.report(1, 1)
      return lr
    },
    pruner: 'asha',
  })
  expectTypeOf(sweep.best!.params.cell).toEqualTypeOf<'lstm' | 'gru'>()
  expectTypeOf(sweep.best!.value).toEqualTypeOf<number>()
  expectTypeOf(sweep.importances()).toHaveProperty('units')
  await tune({ space, objective: new URL('file:///objective.mjs'), workers: 8 })
}

export async function wrong(): Promise<void> {
  // @ts-expect-error no space
  await tune({ objective: 'objective.mjs' })
  // @ts-expect-error a sampler that there is not
  await tune({ space, objective: 'objective.mjs', sampler: 'grid' })
  // @ts-expect-error a parameter that the space has not
  await tune({ space, objective: ({ rate }) => rate })
  // @ts-expect-error one that may be undefined
  await tune({ space, objective: ({ zoneout }) => 1 - zoneout })
  // @ts-expect-error not a value
  choice([{}, {}])
  // @ts-expect-error an option of int
  uniform(0, 1, { log: true })
}
