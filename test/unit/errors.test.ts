import { describe, expect, it } from 'vitest'
import {
  ConfigError,
  fail,
  HiddenstateError,
  InternalError,
  nativeError,
  nearest,
  ShapeError,
} from '../../lib/errors.js'
import { camelToSnake, probableName, resolveOptions, snakeToCamel } from '../../lib/options.js'

const thrown = (f: () => unknown): HiddenstateError => {
  try {
    f()
  } catch (error) {
    return error as HiddenstateError
  }
  throw new Error('nothing was thrown')
}

describe('fail', () => {
  it('speaks the grammar: where: what must be expected, got actual. hint', () => {
    const error = thrown(() =>
      fail(ShapeError, 'ERR_SHAPE', {
        where: 'lstm_2 (LSTM)',
        layer: 'lstm_2',
        what: 'input',
        expected: '[B, T, D]',
        actual: '[B, 64]',
        hint: 'Does lstm_1 need returnSequences: true?',
      }),
    )
    expect(error.message).toMatchInlineSnapshot(
      `"lstm_2 (LSTM): input must be [B, T, D], got [B, 64]. Does lstm_1 need returnSequences: true?"`,
    )
    expect(error).toMatchObject({
      name: 'ShapeError',
      code: 'ERR_SHAPE',
      layer: 'lstm_2',
      expected: '[B, T, D]',
      actual: '[B, 64]',
    })
    expect(error).toBeInstanceOf(HiddenstateError)
    expect(error.stack).toContain('errors.test.ts')
  })

  it('leaves out what is not given', () => {
    const error = thrown(() =>
      fail(ConfigError, 'ERR_OPTION', { where: 'a', what: 'b', expected: 'c', actual: 'd' }),
    )
    expect(error.message).toBe('a: b must be c, got d.')
    expect('layer' in error).toBe(false)
  })
})

describe('nativeError', () => {
  it('makes the class that belongs to the code', () => {
    const error = nativeError('ERR_SHAPE', 'dense_1/W: no', 'dense_1/W', '[2]', '[3]')
    expect(error).toBeInstanceOf(ShapeError)
    expect(error).toMatchObject({
      code: 'ERR_SHAPE',
      layer: 'dense_1/W',
      expected: '[2]',
      actual: '[3]',
    })
  })

  it.each([
    ['lstm_1 (LSTM)', true],
    ['forward_g/U', true],
    ['plan', false],
    ['targets', false],
    ['sample weights', false],
    ['optimizer/iterations', false],
    ['random/seed', false],
    [':input', false],
  ])('%s: is a layer: %s', (where, is) => {
    expect('layer' in nativeError('ERR_SHAPE', 'm', where, '', '')).toBe(is)
  })

  it('takes an unknown code for an internal error', () => {
    expect(nativeError('ERR_WHAT', 'm', '', '', '')).toBeInstanceOf(InternalError)
    expect(nativeError('constructor', 'm', '', '', '')).toMatchObject({ code: 'ERR_INTERNAL' })
  })
})

describe('nearest', () => {
  it.each([
    ['returnSequence', ['returnSequences', 'stateful'], 'returnSequences'],
    ['return_sequences', ['returnSequences', 'stateful'], 'returnSequences'],
    ['simgoid', ['softmax', 'sigmoid', 'hard_sigmoid'], 'sigmoid'],
    ['ADAM', ['adagrad', 'adam'], 'adam'],
    ['xyz', ['returnSequences'], undefined],
    ['anything', [], undefined],
  ])('%s among %j is %s', (word, candidates, expected) => {
    expect(nearest(word, candidates)).toBe(expected)
  })

  it('does not stall on a huge word', () => {
    expect(nearest('x'.repeat(1e6), ['adam'])).toBe(undefined)
  })
})

describe('resolveOptions', () => {
  const defaults = { batchSize: 32, nbEpoch: 10 }

  it('merges, freezes, and takes undefined for not given', () => {
    const options = resolveOptions('fit', defaults, { nbEpoch: 3, batchSize: undefined })
    expect(options).toEqual({ batchSize: 32, nbEpoch: 3 })
    expect(Object.isFrozen(options)).toBe(true)
    expect(defaults.nbEpoch).toBe(10)
  })

  it('names the nearest option', () => {
    expect(
      thrown(() => resolveOptions('fit', defaults, { batchsize: 3 })).message,
    ).toMatchInlineSnapshot(`"fit: unknown option \`batchsize\`. Did you mean \`batchSize\`?"`)
  })

  it('knows what later versions of Keras call it', () => {
    expect(probableName('epochs', Object.keys(defaults))).toBe('nbEpoch')
    expect(probableName('units', Object.keys(defaults))).toBe(undefined) // no such option here
  })

  it('lists the options when none is near', () => {
    expect(
      thrown(() => resolveOptions('fit', defaults, { zzzzzzzzzzzzzzzzz: 3 })).message,
    ).toMatchInlineSnapshot(
      `"fit: unknown option \`zzzzzzzzzzzzzzzzz\`. It has \`batchSize\`, \`nbEpoch\`."`,
    )
  })

  it.each([[3], [null], [[1]], ['x'], [new Float32Array(2)]])('refuses %j', (given) => {
    expect(thrown(() => resolveOptions('fit', defaults, given))).toMatchObject({
      code: 'ERR_OPTION',
    })
  })

  it('is not fooled by names of Object.prototype', () => {
    expect(thrown(() => resolveOptions('fit', defaults, { constructor: 1 })).code).toBe(
      'ERR_OPTION',
    )
    expect(
      thrown(() => resolveOptions('fit', defaults, JSON.parse('{"__proto__": {"nbEpoch": 1}}')))
        .code,
    ).toBe('ERR_OPTION')
  })
})

it('keywords of Keras go both ways', () => {
  const pairs = {
    return_sequences: 'returnSequences',
    W_regularizer: 'WRegularizer',
    b_constraint: 'bConstraint',
    dropout_W: 'dropoutW',
    batch_input_shape: 'batchInputShape',
    max_q_size: 'maxQSize',
    beta_1: 'beta1',
    schedule_decay: 'scheduleDecay',
    l1: 'l1',
    p: 'p',
  }
  for (const [snake, camel] of Object.entries(pairs)) {
    expect(snakeToCamel(snake)).toBe(camel)
    expect(camelToSnake(camel)).toBe(snake)
  }
})
