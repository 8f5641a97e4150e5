/**
 * `node scripts/platform-packages.mjs DIR`: the packages of a release (docs/decisions/0022), from
 * dist/ and prebuilds/. DIR/platforms/ gets one for each binary, hiddenstate-linux-x64-glibc.tgz
 * and so on; DIR/hiddenstate.tgz is the main one, without binaries and with all of those as
 * optional dependencies of its own version. The repository's package.json names none: before a
 * release they do not exist. Fails when what a user installs, the main package and that of one
 * platform, unpacks to more than it may.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { installProblems } from './check-prebuilds.mjs'
import { capture, root } from './process.mjs'

const ADDON = 'hiddenstate.node'
const LICENCES = ['LICENSE', 'NOTICE']

/** hiddenstate-linux-x64-glibc, hiddenstate-win32-x64: lib/native.ts looks for the same. */
export const packageName = (...where) => ['hiddenstate', ...where].filter(Boolean).join('-')

/** `npm pack` in a folder; what it says. */
function npmPack(args, cwd) {
  const shell = process.platform === 'win32' // npm is a script there
  const { status, stdout, output } = capture(
    'npm',
    ['pack', '--json', '--ignore-scripts', ...args],
    { shell, cwd },
  )
  if (status !== 0)
    throw new Error(`platform-packages: npm pack in ${cwd} ended with status ${status}: ${output}`)
  return JSON.parse(stdout)[0]
}

/** The package of each binary below `prebuilds`: its manifest, and where its files come from. */
export function platformPackages(prebuilds, { version, license, engines, repository }) {
  return fs.readdirSync(prebuilds).flatMap((target) => {
    const [platform, cpu] = target.split('-')
    const folder = path.join(prebuilds, target)
    const addons = fs.readdirSync(folder).filter((file) => file.endsWith('.node'))
    return addons.map((addon) => {
      const libc = /\.(glibc|musl)\./.exec(addon)?.[1]
      const where = [platform, cpu, libc].filter(Boolean)
      const files = { [ADDON]: path.join(folder, addon) }
      if (fs.readFileSync(files[ADDON]).includes('libgomp.so.1\0'))
        files['libgomp.so.1'] = path.join(folder, 'libgomp.so.1')
      for (const file of LICENCES) files[file] = path.join(root, file)
      const manifest = {
        name: packageName(...where),
        version,
        description: `The native binary of hiddenstate for ${where.join(' ')}`,
        license,
        engines,
        ...(repository ? { repository } : {}),
        os: [platform],
        cpu: [cpu],
        ...(libc ? { libc: [libc] } : {}),
        files: Object.keys(files),
      }
      return { manifest, files }
    })
  })
}

/** package.json of the main package of a release. */
export const mainManifest = (manifest, platforms) => ({
  ...manifest,
  files: manifest.files.filter((entry) => entry !== 'prebuilds'),
  optionalDependencies: Object.fromEntries(
    platforms.map(({ manifest: { name, version } }) => [name, version]),
  ),
})

/** Packs a package made of these files into a tarball; the bytes that it unpacks to. */
function pack(tarball, manifest, files, readme) {
  const staged = fs.mkdtempSync(path.join(os.tmpdir(), 'hiddenstate-package-'))
  try {
    for (const [file, from] of Object.entries(files)) {
      fs.mkdirSync(path.join(staged, path.dirname(file)), { recursive: true })
      fs.copyFileSync(from, path.join(staged, file))
    }
    if (readme) fs.writeFileSync(path.join(staged, 'README.md'), readme)
    fs.writeFileSync(path.join(staged, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    const { filename, size, unpackedSize, files: packed } = npmPack([], staged)
    fs.copyFileSync(path.join(staged, filename), tarball)
    console.log(
      `${path.basename(tarball)}: ${size} bytes, ${unpackedSize} unpacked, ${packed.length} files`,
    )
    return unpackedSize
  } finally {
    fs.rmSync(staged, { recursive: true, force: true })
  }
}

/** Writes the tarballs into a folder; true when all is well. */
export function writePackages(out) {
  fs.mkdirSync(path.join(out, 'platforms'), { recursive: true })
  const manifest = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
  const platforms = platformPackages(path.join(root, 'prebuilds'), manifest)
  const listed = npmPack(['--dry-run'], root).files.map((file) => file.path)
  const own = listed
    .filter((file) => !file.startsWith('prebuilds/'))
    .map((file) => [file, path.join(root, file)])
  const main = pack(
    path.join(out, 'hiddenstate.tgz'),
    mainManifest(manifest, platforms),
    Object.fromEntries(own),
  )
  const sizes = platforms.map(({ manifest, files }) => {
    const { name, description } = manifest
    const readme = `# ${name}\n\n${description}: \`npm install hiddenstate\` brings it.\n`
    return [name, pack(path.join(out, 'platforms', `${name}.tgz`), manifest, files, readme)]
  })
  const most = Math.max(...sizes.map(([, size]) => size))
  console.log(
    `a user installs hiddenstate and one of ${sizes.length}: ${main + most} bytes at most`,
  )
  const problems = installProblems(main, sizes)
  for (const problem of problems) console.error(problem)
  return problems.length === 0
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [out] = process.argv.slice(2)
  if (out === undefined || fs.existsSync(out)) {
    console.error(
      `platform-packages: the argument must be a folder that is not there yet, got ${out ?? 'none'}`,
    )
    process.exit(1)
  }
  process.exit(writePackages(path.resolve(out)) ? 0 : 1)
}
