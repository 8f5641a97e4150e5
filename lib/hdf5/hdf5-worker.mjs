// @ts-check
/**
 * The worker that holds the HDF5 library (h5wasm). Plain JavaScript, because it is loaded by its
 * file name both from the sources and from dist/, where the build copies it as it is. Its messages
 * are in protocol.ts.
 *
 * h5wasm's own file system lives in memory: a file that links to other files reaches none of this
 * machine's. A file that is too large for memory appears in it as one whose reads go to the disk.
 * After an error HDF5's state is unknown, so the client ends this worker.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'

/** Lids on what a file may hold; a model of Keras stays far below. */
const MAX_OBJECTS = 100_000
const MAX_DEPTH = 16
/** Bytes of all attributes together: one object can stand in a file under many names. */
const MAX_ATTRIBUTE_BYTES = 256 * 2 ** 20
/** Data pass through the WebAssembly heap in pieces of this size. */
const SLICE_BYTES = 16 * 2 ** 20
/** A larger dataset is written chunked and in pieces, so that the heap never holds all of it. */
const CONTIGUOUS_BYTES = 256 * 2 ** 20
const INTEGER = 0
const FLOAT = 1
const STRING = 3

/** Bytes that the WebAssembly heap may grow to; set by every request. */
let memory = 0
const grow = WebAssembly.Memory.prototype.grow
/** @this {WebAssembly.Memory} @param {number} pages */
WebAssembly.Memory.prototype.grow = function (pages) {
  if (memory > 0 && this.buffer.byteLength + pages * 65_536 > memory) {
    throw new RangeError(`the HDF5 library wants more than ${memory} bytes of memory`)
  }
  return grow.call(this, pages)
}

// The library writes the time into every dataset; the same model must give the same bytes.
Date.now = () => 0

/** @typedef {import('./protocol.js').H5Attribute} H5Attribute */
/** @typedef {import('./protocol.js').H5Data} H5Data */

const { default: h5wasm } = await import('h5wasm')
const Module = /** @type {any} */ (await h5wasm.ready)
Module.activate_throwing_error_handler()

/** @type {import('h5wasm').File | null} */
let file = null
/** Of the file that is read where it lies. @type {number | null} */
let descriptor = null

/**
 * Puts a file of the disk into the library's file system in memory, as an empty one whose reads go
 * to the disk.
 * @param {string} path
 */
function mountFile(path) {
  const fd = (descriptor = openSync(path, 'r'))
  Module.FS.writeFile('/in.h5', new Uint8Array(0))
  const { node } = Module.FS.lookupPath('/in.h5')
  node.usedBytes = fstatSync(fd).size
  node.stream_ops = {
    ...node.stream_ops,
    /**
     * @param {unknown} _
     *
     * @param {Uint8Array} buffer
     * @param {number} offset
     * @param {number} length
     * @param {number} position
     */
    read: (_, buffer, offset, length, position) => readSync(fd, buffer, offset, length, position),
  }
}

/**
 * Runs `use` with a piece of the WebAssembly heap.
 * @template T @param {number} bytes @param {(pointer: number) => T} use @returns {T}
 */
function withHeap(bytes, use) {
  const pointer = Module._malloc(Math.max(bytes, 8))
  if (pointer === 0) throw new RangeError(`no memory for ${bytes} bytes in the HDF5 library`)
  try {
    return use(pointer)
  } finally {
    Module._free(pointer)
  }
}

/** @param {number} pointer @param {number} length */
const heapBytes = (pointer, length) => Module.HEAPU8.slice(pointer, pointer + length)

/** H5T_STR_SPACEPAD */
const SPACE_PADDED = 2

/**
 * A string of fixed length: up to the first NUL, or without the spaces at its end.
 *
 * @param {Uint8Array} bytes
 * @param {number} padding
 */
function text(bytes, padding) {
  const end = bytes.indexOf(0)
  const decoded = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
  return padding === SPACE_PADDED ? decoded.replace(/ +$/, '') : decoded
}

/** @param {{ type: number, size: number, signed: boolean, vlen: boolean }} type */
function dtypeOf({ type, size, signed, vlen }) {
  if (type === FLOAT) return `float${size * 8}`
  if (type === INTEGER) return `${signed ? 'int' : 'uint'}${size * 8}`
  if (type === STRING) return vlen ? 'strings' : `strings of ${size} bytes`
  return `HDF5 type class ${type}`
}

/** @type {ReadonlyMap<string, new (buffer: ArrayBuffer) => ArrayLike<number | bigint>>} */
const ARRAYS = new Map(
  /** @type {[string, new (buffer: ArrayBuffer) => ArrayLike<number | bigint>][]} */ ([
    ['float32', Float32Array],
    ['float64', Float64Array],
    ['int8', Int8Array],
    ['int16', Int16Array],
    ['int32', Int32Array],
    ['int64', BigInt64Array],
    ['uint8', Uint8Array],
    ['uint16', Uint16Array],
    ['uint32', Uint32Array],
    ['uint64', BigUint64Array],
  ]),
)

/**
 * float32 stays; every other number becomes a double.
 *
 * @param {string} dtype
 * @param {Uint8Array} bytes
 */
function numbers(dtype, bytes) {
  const Typed = ARRAYS.get(dtype)
  if (!Typed) throw new TypeError(`${dtype} holds no numbers`)
  const raw = new Typed(/** @type {ArrayBuffer} */ (bytes.buffer))
  return raw instanceof Float32Array || raw instanceof Float64Array ? raw : Float64Array.from(raw, Number)
}

/** Bytes of attributes that were read from this file so far. */
let attributeBytes = 0

/** @param {bigint} id @param {string} path @param {string} name @returns {H5Attribute | null} */
function readAttribute(id, path, name) {
  const meta = Module.get_attribute_metadata(id, path, name)
  // h5py.Empty: a list of no strings
  if (meta.shape === null) return meta.type === STRING ? [] : null
  const bytes = meta.size * meta.total_size
  attributeBytes += bytes
  if (!(attributeBytes <= MAX_ATTRIBUTE_BYTES))
    throw new RangeError(`more than ${MAX_ATTRIBUTE_BYTES} bytes of attributes: ${bytes} in ${name} of ${path}`)
  if (meta.type !== STRING && !ARRAYS.has(dtypeOf(meta))) return null
  const values = withHeap(bytes, (pointer) => {
    Module.get_attribute_data(id, path, name, BigInt(pointer))
    const raw = heapBytes(pointer, bytes)
    if (meta.type !== STRING) return numbers(dtypeOf(meta), raw)
    if (!meta.vlen) {
      return Array.from({ length: meta.total_size }, (_, i) =>
        text(raw.subarray(i * meta.size, (i + 1) * meta.size), meta.strpad),
      )
    }
    const strings = Array.from(new Uint32Array(raw.buffer), (p) => (p === 0 ? '' : Module.UTF8ToString(p)))
    Module.reclaim_vlen_memory(id, path, name, BigInt(pointer))
    return strings
  })
  return meta.type === STRING && meta.shape.length === 0 ? /** @type {string[]} */ (values)[0] ?? '' : values
}

/** @param {bigint} id @param {string} path */
function readAttributes(id, path) {
  /** @type {Map<string, H5Attribute>} */
  const attributes = new Map()
  for (const name of Module.get_attribute_names(id, path)) {
    const value = readAttribute(id, path, name)
    if (value !== null) attributes.set(name, value)
  }
  return attributes
}

/** @param {import('h5wasm').File} opened @returns {import('./protocol.js').H5Tree} */
function readTree(opened) {
  /** @type {import('./protocol.js').H5Tree} */
  const tree = { groups: new Map(), datasets: new Map() }
  const id = opened.file_id
  let objects = 0
  attributeBytes = 0
  /** @param {string} path @param {number} depth */
  const walk = (path, depth) => {
    if (depth > MAX_DEPTH) throw new RangeError(`groups deeper than ${MAX_DEPTH}`)
    tree.groups.set(path, readAttributes(id, `/${path}`))
    for (const name of Module.get_names(id, `/${path}`, false)) {
      if (++objects > MAX_OBJECTS) throw new RangeError(`more than ${MAX_OBJECTS} objects`)
      const child = path === '' ? name : `${path}/${name}`
      const type = Module.get_type(id, `/${child}`)
      if (type === Module.H5G_GROUP) walk(child, depth + 1)
      else if (type === Module.H5G_DATASET) {
        const meta = Module.get_dataset_metadata(id, `/${child}`)
        const dtype = dtypeOf(meta)
        const numeric = ARRAYS.has(dtype) && meta.shape !== null && meta.virtual_sources === undefined
        tree.datasets.set(child, { shape: meta.shape ?? [], dtype, numeric })
      }
    }
  }
  walk('', 0)
  return tree
}

/**
 * Rows of the first axis per piece.
 *
 * @param {readonly number[]} shape
 * @param {number} size bytes of an element
 */
function rowsPerSlice(shape, size) {
  const row = shape.slice(1).reduce((a, b) => a * b, size)
  return Math.max(1, Math.floor(SLICE_BYTES / Math.max(row, 1)))
}

/**
 * Rows `begin` to `end` of the first axis.
 *
 * @param {bigint} id
 * @param {string} path
 * @returns {H5Data}
 */
function readDataset(id, path, begin = 0, end = Number.POSITIVE_INFINITY) {
  const meta = Module.get_dataset_metadata(id, path)
  const whole = /** @type {number[]} */ (meta.shape)
  const shape = whole.map((n, axis) => (axis === 0 ? Math.max(0, Math.min(end, n) - begin) : n))
  const { size } = meta
  const count = shape.reduce((a, b) => a * b, 1)
  const bytes = new Uint8Array(count * size)
  if (shape.length === 0) {
    withHeap(size, (pointer) => {
      Module.get_dataset_data(id, path, null, null, null, BigInt(pointer))
      bytes.set(heapBytes(pointer, size))
    })
  } else if (count > 0) {
    const first = /** @type {number} */ (shape[0])
    const rowBytes = bytes.byteLength / first
    const step = rowsPerSlice(shape, size)
    withHeap(Math.min(step, first) * rowBytes, (pointer) => {
      for (let from = 0; from < first; from += step) {
        const rows = Math.min(step, first - from)
        const counts = [rows, ...shape.slice(1)].map(BigInt)
        const offset = shape.map((_, i) => (i === 0 ? BigInt(begin + from) : 0n))
        Module.get_dataset_data(id, path, counts, offset, shape.map(() => 1n), BigInt(pointer))
        bytes.set(Module.HEAPU8.subarray(pointer, pointer + rows * rowBytes), from * rowBytes)
      }
    })
  }
  return { shape, data: numbers(dtypeOf(meta), bytes) }
}

/** @param {import('h5wasm').Group} group @param {string} name @param {H5Attribute} value */
function writeAttribute(group, name, value) {
  if (typeof value === 'string') {
    group.create_attribute(name, value, null, 'A')
  } else if (Array.isArray(value)) {
    // Room for the longest and a NUL: a string that is too long would be cut without a word.
    const longest = Math.max(...value.map((s) => new TextEncoder().encode(s).length))
    group.create_attribute(name, value, [value.length], `A${longest + 1}`)
  } else {
    group.create_attribute(name, value, [value.length], value instanceof Float32Array ? '<f' : '<d')
  }
}

/** @param {import('h5wasm').File} out @param {string} path @param {H5Data} dataset */
function writeDataset(out, path, { shape, data }) {
  const dtype = data instanceof Float32Array ? '<f' : '<d'
  if (data.byteLength <= CONTIGUOUS_BYTES) {
    out.create_dataset({ name: path, data, shape: [...shape], dtype })
    return
  }
  const first = /** @type {number} */ (shape[0])
  const row = data.length / first
  const step = Math.min(rowsPerSlice(shape, data.BYTES_PER_ELEMENT), first)
  const dataset = out.create_dataset({
    name: path,
    data: data.subarray(0, step * row),
    shape: [step, ...shape.slice(1)],
    maxshape: [...shape],
    chunks: [step, ...shape.slice(1)],
    dtype,
  })
  dataset.resize([...shape])
  for (let from = step; from < first; from += step) {
    const to = Math.min(from + step, first)
    dataset.write_slice([[from, to], ...shape.slice(1).map(() => /** @type {[]} */ ([]))], data.subarray(from * row, to * row))
  }
}

/** @param {import('./protocol.js').H5Content} content */
function writeFile({ groups, datasets }) {
  // As h5py of Keras' time writes: the earliest format that can hold it, readable by every HDF5.
  const out = new h5wasm.File('/out.h5', 'w', { libver: ['earliest', 'latest'] })
  for (const [path, attributes] of groups) {
    const group = path === '' ? out : out.create_group(path)
    for (const [name, value] of attributes) writeAttribute(group, name, value)
  }
  for (const [path, dataset] of datasets) writeDataset(out, path, dataset)
  out.close()
  const bytes = Module.FS.readFile('/out.h5')
  Module.FS.unlink('/out.h5')
  return bytes
}

/**
 * @param {import('./protocol.js').H5Request} request
 *
 * @returns {[import('./protocol.js').H5Reply, ArrayBuffer[]]}
 */
function answer(request) {
  switch (request.kind) {
    case 'open': {
      memory = request.memory
      Module.FS.writeFile('/in.h5', request.bytes, { canOwn: true })
      file = new h5wasm.File('/in.h5', 'r')
      return [{ kind: 'tree', tree: readTree(file) }, []]
    }
    case 'openPath': {
      memory = request.memory
      mountFile(request.path)
      file = new h5wasm.File('/in.h5', 'r')
      return [{ kind: 'tree', tree: readTree(file) }, []]
    }
    case 'rows': {
      const id = /** @type {import('h5wasm').File} */ (file).file_id
      const rows = readDataset(id, `/${request.path}`, request.from, request.to)
      return [{ kind: 'data', data: [rows] }, [/** @type {ArrayBuffer} */ (rows.data.buffer)]]
    }
    case 'read': {
      const id = /** @type {import('h5wasm').File} */ (file).file_id
      const data = request.paths.map((path) => readDataset(id, `/${path}`))
      return [{ kind: 'data', data }, data.map((d) => /** @type {ArrayBuffer} */ (d.data.buffer))]
    }
    case 'close': {
      file?.close()
      file = null
      Module.FS.unlink('/in.h5')
      if (descriptor !== null) closeSync(descriptor)
      descriptor = null
      return [{ kind: 'closed' }, []]
    }
    case 'write': {
      memory = request.memory
      const bytes = writeFile(request.content)
      return [{ kind: 'bytes', bytes }, [bytes.buffer]]
    }
  }
}

/**
 * The first cause that HDF5 names: the last line of its stack with a text.
 *
 * @param {unknown} error
 */
function reason(error) {
  const message = error instanceof Error ? error.message : String(error)
  if (!message.startsWith('HDF5-DIAG')) return message
  const causes = [...message.matchAll(/in \w+\(\): (.+)/g)].map((match) => match[1])
  return causes.at(-1) ?? 'unknown error of the HDF5 library'
}

parentPort?.on('message', (request) => {
  try {
    const [reply, transfer] = answer(request)
    parentPort?.postMessage(reply, transfer)
  } catch (error) {
    parentPort?.postMessage({ kind: 'error', message: reason(error) })
  }
})
parentPort?.postMessage({ kind: 'ready' })
