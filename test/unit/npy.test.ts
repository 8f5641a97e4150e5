/**
 * NumPy's files against bytes that numpy 2.4.6 wrote (numpy.save;
 * a header of 128 bytes, then the data).
 */
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../lib/errors.js'
import { formatNpy, parseNpy } from '../../lib/files/npy.js'
import { array, NDArray } from '../package.js'

/** What numpy.save writes for a header dictionary and data in hexadecimal. */
const saved = (header: string, hex: string): Uint8Array =>
  Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00\x76\x00', 'latin1'),
    Buffer.from(`${header.padEnd(117)}\n`, 'latin1'),
    Buffer.from(hex, 'hex'),
  ])

const both: [name: string, array: NDArray, bytes: Uint8Array][] = [
  [
    'float32 [2, 3]',
    array([
      [0, 1.5, -2],
      [3, 4, 5],
    ]),
    saved(
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
      '000000000000c03f000000c000004040000080400000a040',
    ),
  ],
  [
    'float64 [2]',
    new NDArray(new Float64Array([0.1, -1e300])),
    saved(
      "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }",
      '9a9999999999b93f9c7500883ce437fe',
    ),
  ],
  [
    'int32 [2, 1]',
    new NDArray(new Int32Array([-7, 2147483647]), [2, 1]),
    saved("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1), }", 'f9ffffffffffff7f'),
  ],
  [
    'uint8 [3]',
    new NDArray(new Uint8Array([0, 7, 255])),
    saved("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", '0007ff'),
  ],
  [
    'bool [3]',
    new NDArray(new Uint8Array([1, 0, 1]), [3], 'bool'),
    saved("{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }", '010001'),
  ],
  [
    'a scalar',
    new NDArray(new Float32Array([2.5]), []),
    saved("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", '00002040'),
  ],
  [
    'an empty one',
    new NDArray(new Float32Array(0), [0, 4]),
    saved("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4), }", ''),
  ],
]

describe('.npy', () => {
  it.each(both)('%s is read and written as numpy does', (_, value, bytes) => {
    const read = parseNpy(bytes, 'x.npy')
    expect([read.dtype, read.shape, read.data]).toEqual([value.dtype, value.shape, value.data])
    expect(Buffer.from(formatNpy(value)).toString('hex')).toBe(Buffer.from(bytes).toString('hex'))
  })

  it('integers of other sizes become numbers that hold them', () => {
    const wide = parseNpy(
      saved(
        "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 2), }",
        '0100000000000000020000000000000003000000000000000000000000010000',
      ),
      'x',
    )
    expect([wide.dtype, wide.toArray()]).toEqual([
      'float64',
      [
        [1, 2],
        [3, 2 ** 40],
      ],
    ])
    const narrow = parseNpy(
      saved("{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }", 'ffff2c01'),
      'x',
    )
    expect([narrow.dtype, narrow.toArray()]).toEqual(['int32', [-1, 300]])
  })

  const good = saved(
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
    '0000803f00000040',
  )
  it.each<[string, Uint8Array, RegExp]>([
    ['text', Buffer.from('1,2,3'), /file must be a \.npy file, got one without its signature/],
    ['nothing', new Uint8Array(0), /got an empty one/],
    ['a header that is cut off', good.subarray(0, 60), /header must be at most|file must be/],
    [
      'a version 2 cut off in its length',
      Buffer.from('\x93NUMPY\x02\x00\x76\x00', 'latin1'),
      /header must be at most|file must be/,
    ],
    ['data that are cut off', good.subarray(0, 133), /data of shape \[2\] must be 8 bytes, got 5/],
    [
      'data that go on',
      Buffer.concat([good, Buffer.alloc(4)]),
      /data of shape \[2\] must be 8 bytes, got 12/,
    ],
    [
      'a shape beyond all memory',
      saved("{'descr': '<f4', 'fortran_order': False, 'shape': (9007199254740991, 9), }", ''),
      /data of shape .* must be .* got 0/,
    ],
    [
      'a header without shape',
      saved("{'descr': '<f4', 'fortran_order': False, }", ''),
      /header must be/,
    ],
  ])('%s is a FormatError', (_, bytes, message) => {
    expect(() => parseNpy(bytes, 'x.npy')).toThrow(FormatError)
    expect(() => parseNpy(bytes, 'x.npy')).toThrow(message)
  })
})
