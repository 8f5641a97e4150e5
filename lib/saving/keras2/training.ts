/** How Keras 2 says that a model was compiled, in the words of Keras 1.2.2. */
import { fail, FormatError } from '../../errors.js'
import { ANY, type Config, changesNothing, named } from './rule.js'

/** Settings of Keras 2's optimizers that Keras 1.2.2 has not, with the values at which they change nothing. */
const IGNORED: Readonly<Record<string, readonly unknown[]>> = {
  amsgrad: [false],
  centered: [false],
  weight_decay: [null],
  use_ema: [false],
  global_clipnorm: [null],
  initial_accumulator_value: ANY,
  ema_momentum: ANY,
  ema_overwrite_frequency: ANY,
  jit_compile: ANY,
  is_legacy_optimizer: ANY,
  name: ANY,
}
const IGNORED_OF: Readonly<Record<string, typeof IGNORED>> = { RMSprop: { ...IGNORED, momentum: [0] } }

/**
 * Keras 2's training configuration as Keras 1.2.2's.
 *
 * @throws FormatError ERR_FILE_FORMAT
 */
export function trainingFromKeras2(training: Config): Config {
  const [name, config] = named(training.optimizer_config)
  const ignored = Object.hasOwn(IGNORED_OF, name) ? (IGNORED_OF[name] as typeof IGNORED) : IGNORED
  const values: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(config)) {
    const own = key === 'learning_rate' ? 'lr' : key
    const accepted = Object.hasOwn(ignored, key) ? ignored[key] : undefined
    if ((accepted && !changesNothing(value, accepted)) || (own === 'lr' && typeof value !== 'number')) {
      fail(FormatError, 'ERR_FILE_FORMAT', {
        where: 'training_config',
        what: `${key} of ${name}`,
        expected: own === 'lr' ? 'a number' : (accepted ?? []).map((v) => JSON.stringify(v)).join(' or '),
        actual: JSON.stringify(value) ?? 'nothing',
      })
    }
    if (!accepted && value !== null) values[own] = value
  }
  const metrics = [training.metrics ?? []].flat(3).map((metric) => {
    const [kind, { name: title = kind }] = named(metric)
    return title
  })
  return {
    ...training,
    optimizer_config: { class_name: name, config: values },
    metrics,
    sample_weight_mode: training.sample_weight_mode ?? null,
  }
}
