/**
 * The rules of the house as data. A rule looks at `files` (path → text) and returns complaints.
 * `bad` is a tree that it must complain about, or a list of them,
 * for the self-test of check-house.mjs.
 */
import path from 'node:path'

const lines = (text) => text.split('\n')
const entries = (files, pattern) => [...files].filter(([file]) => pattern.test(file))
const nativeCode = /^native\/.*\.(cc|h)$/
const code = /^(native|lib|scripts|examples|bench|test)\/.*\.(cc|h|ts|mjs|cjs)$/

/** `[line number, header]` of every #include. */
const includes = (text) =>
  lines(text).flatMap((line, i) => {
    const match = /^\s*#\s*include\s*([<"][^>"]+)[>"]/.exec(line)
    return match ? [[i + 1, match[1]]] : []
  })

/**
 * What files of each folder of native/ may include: the arrows of the map in docs/design.md. For a
 * file the longest key counts that is a folder of it. What a folder is for stands in its README.md.
 */
const mayInclude = {
  base: ['base/'],
  formulas: ['formulas/', 'device/cpu/kernels/', 'device/cuda/kernels/'],
  program: ['program/', 'formulas/activation.h', 'base/'],
  ops: [
    'ops/',
    'program/',
    'formulas/activation.h',
    'formulas/parametric.h',
    'formulas/window.h',
    'formulas/cells/cell.h',
    'base/',
  ],
  device: [
    ...['device/device.h', 'device/param.h', 'device/cpu/cpu.h', 'device/cuda/cuda.h'],
    ...['ops/', 'formulas/', 'base/'],
  ],
  'device/cpu': ['device/', 'ops/', 'program/', 'formulas/', 'base/', 'registry.inc'],
  'device/cpu/kernels': ['device/cpu/kernels/', 'formulas/', 'base/', 'registry.inc'],
  'device/cpu/threads': ['device/cpu/threads/', 'base/'],
  'device/cuda': [
    ...['device/cuda/', 'device/device.h', 'device/param.h', 'device/program_objective.h'],
    'device/cpu/rows.h',
    ...['ops/', 'program/', 'formulas/', 'base/', 'registry.inc', 'formulas.inc'],
  ],
  'device/cuda/kernels': ['device/cuda/', 'formulas/', 'test/stand_in/'],
  graph: ['graph/', 'device/device.h', 'ops/op.h', 'base/'],
  world: ['world/', 'base/'],
  plan: ['plan/', 'graph/', 'device/device.h', 'ops/op.h', 'world/team.h', 'base/'],
  engine: ['engine/', 'plan/plan.h', 'device/cpu/threads/parallel.h', 'base/'],
  addon: [
    ...['addon/', 'engine/', 'plan/plan.h', 'device/cpu/', 'device/cuda/card.h', 'world/'],
    'base/',
  ],
  test: [''],
}

function nativeDirection(files) {
  return entries(files, nativeCode).flatMap(([file, text]) => {
    const place = file.slice('native/'.length)
    const folder = Object.keys(mayInclude)
      .filter((key) => place === key || place.startsWith(`${key}/`))
      .sort((a, b) => b.length - a.length)[0]
    if (!folder)
      return [`${file}: its folder is not on the map (mayInclude in scripts/house-rules.mjs)`]
    const allowed = mayInclude[folder]
    const fits = (header) => allowed.some((prefix) => header.startsWith(prefix))
    return includes(text)
      .filter(([, header]) => header.startsWith('"') && !fits(header.slice(1)))
      .map(([line, header]) => `${file}:${line}: native/${folder} must not include ${header}"`)
  })
}

/**
 * The rooms of lib/: its folders, and folders inside them. A file may import values from its own
 * room, files of lib/ itself, the rooms named here, and rooms inside all of these. Types are free.
 */
const rooms = {
  files: [],
  yaml: [],
  preprocessing: [],
  datasets: ['files'],
  audio: ['files'],
  hdf5: ['files'],
  tensorboard: ['files'],
  optimizers: [],
  layers: ['expressions', 'expressions/lowering'],
  expressions: ['layers/base'],
  'expressions/lowering': ['expressions'],
  'layers/base': ['expressions', 'expressions/lowering'],
  engine: ['expressions', 'expressions/lowering', 'layers'],
  functions: ['engine', 'expressions', 'expressions/lowering', 'layers', 'model', 'training'],
  saving: ['engine', 'files', 'hdf5', 'layers', 'optimizers'],
  'saving/keras2': ['hdf5', 'saving'],
  'saving/torch': ['files', 'hdf5', 'saving'],
  'saving/compact': ['files', 'hdf5', 'layers', 'saving'],
  'saving/tfjs': ['files', 'hdf5', 'saving'],
  'saving/onnx': ['expressions', 'files', 'layers', 'saving'],
  'saving/keras3': ['expressions', 'files', 'hdf5', 'layers', 'saving'],
  callbacks: ['files', 'layers', 'saving', 'tensorboard'],
  world: [],
  training: ['callbacks', 'engine', 'files', 'hdf5', 'layers', 'saving', 'world'],
  model: [
    'engine',
    'expressions',
    'files',
    'layers',
    'optimizers',
    'saving',
    'training',
    'world',
    'yaml',
  ],
  tune: ['callbacks', 'files'],
  serve: ['files', 'model', 'saving', 'training'],
  cli: ['files', 'model', 'saving', 'serve', 'tune'],
}
/** Files in lib/ itself that users import; they alone open rooms, and no file imports them. */
const entrances = ['lib/index.ts', 'lib/utils.ts']
const roomOf = (file) => /^lib\/(.+)\//.exec(file)?.[1]
const isIn = (room, folder) => room === folder || room.startsWith(`${folder}/`)

/** `[line number, file]` of every import or re-export of values from a file of lib/. */
const valueImports = (file, text) =>
  [...text.matchAll(/^(?:import|export)\s+(?!type\b)([^'"]*?)\s*from\s+['"](\.[^'"]+)['"]/gms)]
    .filter(([, names]) => !/^\{\s*(type\s+[\w\s]+,?\s*)+\}$/s.test(names))
    .map((match) => {
      const target = path.posix
        .normalize(path.posix.join(path.posix.dirname(file), match[2]))
        .replace(/\.js$/, '.ts')
      return [lines(text.slice(0, match.index)).length, target]
    })

function libDirection(files) {
  return entries(files, /^lib\/.*\.ts$/).flatMap(([file, text]) => {
    const room = roomOf(file)
    if (room && !rooms[room])
      return [`${file}: room lib/${room} is not in \`rooms\` (scripts/house-rules.mjs)`]
    if (entrances.includes(file)) return []
    const isOpen = (target) => {
      const other = roomOf(target)
      if (other === undefined) return !entrances.includes(target)
      return room !== undefined && [room, ...rooms[room]].some((folder) => isIn(other, folder))
    }
    return valueImports(file, text)
      .filter(([, target]) => target.startsWith('lib/') && !isOpen(target))
      .map(([line, target]) => `${file}:${line}: must not import values from ${target} (\`rooms\`)`)
  })
}

function roomsSayWhatTheyAreFor(files) {
  const found = new Set()
  for (const file of files.keys()) {
    const room = /^(lib|native)\/.+(?=\/)/.exec(file)?.[0]
    if (room) found.add(room)
  }
  return [...found]
    .filter((room) => !files.has(`${room}/README.md`))
    .map((room) => `${room}: README.md must say what the room is for`)
}

/** lib/README.md names the files beside it, and every README.md below names files that exist. */
function readmesNameFiles(files) {
  const problems = []
  for (const [readme, text] of entries(files, /^lib\/(.+\/)?README\.md$/)) {
    const folder = path.posix.dirname(readme)
    const named = new Set([...text.matchAll(/`([\w-]+\.(?:ts|mjs))`/g)].map((match) => match[1]))
    for (const file of named)
      if (!files.has(`${folder}/${file}`)) problems.push(`${readme}: ${file} is not there`)
    if (folder !== 'lib') continue
    for (const [file] of entries(files, /^lib\/[^/]+\.ts$/))
      if (!named.has(path.posix.basename(file)))
        problems.push(`${readme}: must say what ${file} is for`)
  }
  return problems
}

function importCycles(files) {
  const graph = new Map(
    entries(files, /^lib\/.*\.ts$/).map(([file, text]) => [
      file,
      valueImports(file, text).map(([, t]) => t),
    ]),
  )
  const state = new Map()
  const problems = []
  const visit = (file, trail) => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') {
      problems.push(
        `${file}: imports values in a circle: ${[...trail.slice(trail.indexOf(file)), file].join(' → ')}`,
      )
      return
    }
    state.set(file, 'open')
    for (const target of graph.get(file) ?? []) visit(target, [...trail, file])
    state.set(file, 'done')
  }
  for (const file of graph.keys()) visit(file, [])
  return problems
}

/** `[line number, name]` of every private field of a class that is assigned to. */
const assignedFields = (text) =>
  lines(text).flatMap((line, i) =>
    [...line.matchAll(/\bthis\.#(\w+)\s*(?:\?\?|\|\||&&)?=(?!=)/g)].map((match) => [
      i + 1,
      match[1],
    ]),
  )

/** Names of values that a file exports. */
const exportedNames = (text) => [
  ...[
    ...text.matchAll(
      /^export (?:async |abstract )*(?:const|let|function\*?|class) (?:\* )?(\w+)/gm,
    ),
  ].map((match) => match[1]),
  ...[...text.matchAll(/^export \{([^}]*)\}/gm)].flatMap((match) =>
    match[1]
      .split(',')
      .map((entry) => entry.trim().split(' as ').at(-1))
      .filter((name) => name !== '' && !name.startsWith('type ')),
  ),
]

/**
 * The CommonJS build takes `this.#name = …` for an assignment to an export `name` of the same
 * chunk, and overwrites that. What lies in one chunk changes with every import, so names count in
 * all of lib/.
 */
function fieldsAreNoExports(files) {
  const sources = entries(files, /^lib\/.*\.ts$/)
  const exported = new Map(
    sources.flatMap(([file, text]) => exportedNames(text).map((name) => [name, file])),
  )
  return sources.flatMap(([file, text]) =>
    assignedFields(text)
      .filter(([, name]) => exported.has(name))
      .map(([line, name]) => `${file}:${line}: rename #${name}: ${exported.get(name)} exports it`),
  )
}

/** Files that match `where` and are not in `except` must not have a line that matches `pattern`. */
const banned = (where, except, pattern, sentence) => (files) =>
  entries(files, where)
    .filter(([file]) => !except.test(file))
    .flatMap(([file, text]) =>
      lines(text).flatMap((line, i) =>
        pattern.test(line) ? [`${file}:${i + 1}: ${sentence}`] : [],
      ),
    )

/**
 * Sources compiled once per instruction set: a std template in them may end up, built for AVX-512,
 * in the whole program.
 */
const perIsa = /^native\/formulas\/.*\.(cc|h)$|^native\/device\/cpu\/kernels\/(?!isa\.).*\.(cc|h)$/
const plainHeader =
  /^<(cassert|cstddef|cstdint|cstring|cfloat|climits|cmath|math\.h|string\.h|stdint\.h|stddef\.h|float\.h|limits\.h|\w+intrin\.h|arm_neon\.h)$/

const outside = new RegExp(['(\\.\\./|/work/)', 'shared\\b|\\.', 'library\\b'].join(''))

/** A line that is a comment, or ends in one. */
const comment = /^\s*(\/\/|\/?\*)|[;,{}()]\s+\/\/ /

export const rules = [
  {
    name: 'native includes follow the map',
    find: nativeDirection,
    bad: { 'native/plan/x.cc': '#include "device/cpu/threads/parallel.h"\n' },
  },
  {
    name: 'rooms of lib/ import what they may',
    find: libDirection,
    bad: [
      { 'lib/saving/x.ts': "import { x } from '../model/sequential.js'\n" },
      { 'lib/layers/base/x.ts': "import { x } from '../dense.js'\n" },
    ],
  },
  {
    name: 'rooms of lib/ and native/ say what they are for',
    find: roomsSayWhatTheyAreFor,
    bad: [{ 'lib/attic/x.ts': '' }, { 'native/device/attic/x.cc': '' }],
  },
  {
    name: 'READMEs of lib/ name the files that there are',
    find: readmesNameFiles,
    bad: [
      { 'lib/README.md': '`a.ts`\n', 'lib/a.ts': '', 'lib/b.ts': '' },
      { 'lib/layers/README.md': '`gone.ts`\n' },
    ],
  },
  {
    name: 'lib has no import cycles',
    find: importCycles,
    bad: {
      'lib/random.ts': "import { a } from './ndarray.js'\n",
      'lib/ndarray.ts': "import { b } from './random.js'\n",
    },
  },
  {
    name: 'only native.ts loads the addon',
    find: banned(
      /^lib\/.*\.ts$/,
      /^lib\/native\.ts$/,
      /node-gyp-build['"]|\.node['"]/,
      'only lib/native.ts may load the addon',
    ),
    bad: { 'lib/training/fit.ts': "require('node-gyp-build')\n" },
  },
  {
    name: 'lib takes createRequire from the default export of node:module',
    find: banned(
      /^lib\/.*\.(ts|mjs)$/,
      /^$/,
      /import\s*\{[^}]*\bcreateRequire\b/,
      'webpack makes undefined(…) of createRequire imported by its name: use the default export of node:module',
    ),
    bad: { 'lib/native.ts': "import { createRequire } from 'node:module'\n" },
  },
  {
    name: 'lib names no file by new URL',
    find: banned(
      /^lib\/.*\.(ts|mjs)$/,
      /^$/,
      /new URL\(\s*['"`]\./,
      'webpack copies a file that new URL names beside the bundle, where its imports are not found: use node:path',
    ),
    bad: { 'lib/training/fit.ts': "new Worker(new URL('./worker.mjs', import.meta.url))\n" },
  },
  {
    name: 'no private field has the name of an export',
    find: fieldsAreNoExports,
    bad: [
      { 'lib/a.ts': 'export const x = 1\n', 'lib/b.ts': '    this.#x = 2\n' },
      { 'lib/a.ts': 'export { f as x }\n', 'lib/b.ts': '    return (this.#x ??= 2)\n' },
    ],
  },
  {
    name: 'layers never reach native code',
    find: (files) =>
      entries(files, /^lib\/(layers|preprocessing)\/.*\.ts$/).flatMap(([file, text]) =>
        valueImports(file, text)
          .filter(([, target]) => target === 'lib/native.ts')
          .map(
            ([line]) =>
              `${file}:${line}: layers describe; they must not import values from native.ts`,
          ),
      ),
    bad: { 'lib/layers/lstm.ts': "import { loadNative } from '../native.js'\n" },
  },
  {
    name: 'napi.h only in native/addon',
    find: banned(
      nativeCode,
      /^native\/addon\//,
      /#\s*include\s*[<"](napi\.h|node_api\.h|js_native_api)/,
      'only native/addon may know Node',
    ),
    bad: { 'native/plan/x.cc': '#include <napi.h>\n' },
  },
  {
    name: 'omp.h only in parallel',
    find: banned(
      nativeCode,
      /^native\/device\/cpu\/threads\/parallel\.(h|cc)$/,
      /#\s*include\s*<omp\.h>|#\s*pragma\s+omp/,
      'only native/device/cpu/threads/parallel.* may use OpenMP',
    ),
    bad: { 'native/device/cpu/ops/x.cc': '#pragma omp parallel\n' },
  },
  {
    // float_mode sets the control register and wait.cc pauses a spinning core:
    // neither touches vectors.
    name: 'intrinsics only in vec_*.h',
    find: banned(
      nativeCode,
      /^native\/device\/cpu\/kernels\/vec_\w+\.h$|^native\/test\/bench_|^native\/base\/(float_mode\.(h|cc)|wait\.cc)$/,
      /#\s*include\s*<(\w+intrin|arm_neon)\.h>|\b_mm(256|512)?_\w+\(/,
      'intrinsics belong into native/device/cpu/kernels/vec_*.h',
    ),
    bad: { 'native/formulas/cells/x.cc': '#include <immintrin.h>\n' },
  },
  {
    name: 'per-ISA sources include no std templates',
    find: (files) =>
      entries(files, perIsa).flatMap(([file, text]) =>
        includes(text)
          .filter(([, header]) => header.startsWith('<') && !plainHeader.test(header))
          .map(
            ([line, header]) =>
              `${file}:${line}: ${header}> must not be included by code compiled once per instruction set`,
          ),
      ),
    bad: { 'native/device/cpu/kernels/x.cc': '#include <vector>\n' },
  },
  {
    name: 'no fast-math',
    find: banned(
      /^(CMakeLists\.txt|binding\.gyp)$|^native\//,
      /^$/,
      /-ff?ast-math\b|-Ofast\b|fp:fast/,
      'fast-math switches the JS thread to flush-to-zero',
    ),
    bad: { 'CMakeLists.txt': 'add_compile_options(-ffast-math)\n' },
  },
  {
    name: 'the addon keeps its safety flags',
    find: (files) =>
      entries(files, /^CMakeLists\.txt$/).flatMap(([file, text]) =>
        ['NODE_ADDON_API_CPP_EXCEPTIONS_ALL', '-z,nodelete']
          .filter((flag) => !lines(text).some((line) => line.replace(/#.*/, '').includes(flag)))
          .map(
            (flag) =>
              `${file}: ${flag} must be set (a failed allocation or an ending worker crashes Node without it)`,
          ),
      ),
    bad: {
      'CMakeLists.txt':
        'add_library(hiddenstate MODULE x.cc) # NODE_ADDON_API_CPP_EXCEPTIONS_ALL\n',
    },
  },
  {
    // The formatters keep code within 100 columns, but leave comments,
    // and what cannot be broken, alone.
    name: 'comments within 100 columns',
    find: (files) =>
      entries(files, code).flatMap(([file, text]) =>
        lines(text).flatMap((line, i) =>
          line.length > 100 && comment.test(line) && !/biome-ignore|https?:/.test(line)
            ? [`${file}:${i + 1}: comments must end at column 100, got ${line.length}`]
            : [],
        ),
      ),
    bad: { 'lib/layers/x.ts': `// ${'word '.repeat(20)}\n` },
  },
  {
    name: 'at most 500 lines a file',
    find: (files) =>
      entries(files, code)
        .map(([file, text]) => [file, lines(text.trimEnd()).length])
        .filter(([, count]) => count > 500)
        .map(([file, count]) => `${file}: must have at most 500 lines, got ${count}`),
    bad: { 'lib/layers/x.ts': 'x\n'.repeat(501) },
  },
  {
    name: 'files have the name of their noun',
    find: (files) =>
      [...files.keys()]
        // lib/utils.ts is a public entry point; test/golden/make/ keeps the programs that made the
        // data just as they ran.
        .filter((file) => file !== 'lib/utils.ts' && !file.startsWith('test/golden/make/'))
        .filter((file) => /(^|\/)(utils?|helpers?|common|misc)(\.\w+)*(\/|$)/.test(file))
        .map((file) => `${file}: no file or folder is called utils, helpers, common or misc`),
    bad: { 'lib/layers/helpers.ts': '\n' },
  },
  {
    name: 'nothing reads the workshop',
    find: banned(/./, /^$/, outside, 'names a folder outside of the repository'),
    bad: { 'docs/x.md': `see ${['..', 'shared', 'x'].join('/')}\n` },
  },
  {
    // A registry mirror without the packages of other platforms makes npm leave them out of the
    // lock; then `npm ci` fails elsewhere.
    name: 'the lock lists every optional dependency',
    find: (files) =>
      entries(files, /^package-lock\.json$/).flatMap(([file, text]) => {
        const { packages } = JSON.parse(text)
        return Object.entries(packages).flatMap(([where, { optionalDependencies = {} }]) =>
          Object.keys(optionalDependencies)
            .filter(
              (name) =>
                !packages[`node_modules/${name}`] && !packages[`${where}/node_modules/${name}`],
            )
            .map(
              (name) =>
                `${file}: must have an entry for ${name}, an optional dependency of ${where}`,
            ),
        )
      }),
    bad: {
      'package-lock.json':
        '{ "packages": { "node_modules/a": { "optionalDependencies": { "a-win32": "1" } } } }',
    },
  },
  {
    name: 'no TODO without an issue',
    find: banned(
      code,
      /^scripts\/house-rules\.mjs$/,
      /\b(TODO|FIXME|XXX)\b(?!\s*\(#\d+\))/,
      'a TODO names its issue: TODO(#12)',
    ),
    bad: { 'lib/layers/x.ts': '// TODO later\n' },
  },
]
