/** Golden data: what Keras 1.2.2 computes, case by case. README.md says where they come from. */
import { afterAll, describe, expect, it } from 'vitest'
import { Check } from './compare.js'
import { has } from './driver.js'
import * as fit from './fit.js'
import * as forward from './forward.js'
import * as functional from './functional.js'
import * as grads from './grads.js'
import * as h5 from './h5.js'
import * as losses from './losses.js'
import { NOT_YET } from './not-yet.js'
import * as preprocessing from './preprocessing.js'
import { summary, tally } from './suite.js'
import * as train from './train.js'

describe('golden', () => {
  for (const suite of [forward, grads, train, losses, h5, preprocessing, fit, functional])
    suite.register()

  describe('the books', () => {
    it('not-yet.ts names nothing that exists', () => {
      expect([...NOT_YET.keys()].filter(has)).toEqual([])
    })

    it('the comparison sees an error just above its tolerance, a NaN and a wrong shape', () => {
      const expected = { shape: [2], data: new Float32Array([1, 2]), dtype: 'float32' }
      const differs = (data: number[], shape = [2]): boolean => {
        const check = new Check()
        check.close('x', { shape, data }, expected, 1e-5, 0)
        return check.problems.length > 0
      }
      expect(differs([1, 2.000009])).toBe(false)
      expect(differs([1, 2.00002])).toBe(true)
      expect(differs([1, Number.NaN])).toBe(true)
      expect(differs([1, 2], [2, 1])).toBe(true)
      expect(() => new Check().finish()).toThrow('nothing was checked')
    })
  })
})

afterAll(() => {
  process.stdout.write(
    `${summary()}; largest share of a tolerance used: ${tally.worst.toFixed(3)}\n`,
  )
})
