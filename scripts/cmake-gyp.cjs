#!/usr/bin/env node
// prebuildify --node-gyp scripts/cmake-gyp.cjs: stands in for node-gyp and builds with cmake-js. prebuildify calls it in its
// own working folder (build-prebuild/) and takes build/Release/*.node from there.
const { execFileSync } = require('node:child_process')
const os = require('node:os')
const path = require('node:path')

const root = path.join(__dirname, '..')
const option = (name) => (process.argv.find((arg) => arg.startsWith(`--${name}=`)) || '').split('=')[1]
const arch = option('arch')
execFileSync(
  process.execPath,
  [
    require.resolve('cmake-js/bin/cmake-js', { paths: [root] }),
    'build',
    ...['--directory', root, '--out', path.join(process.cwd(), 'build'), '--log-level', 'warn'],
    ...['--parallel', String(os.availableParallelism()), '--CDHS_BUNDLE_GOMP=ON', '--CDHS_STATIC_RUNTIME=ON'],
    ...(arch ? ['--arch', arch] : []),
    ...(process.env.HS_CMAKE_ARGS || '').split(' ').filter(Boolean),
  ],
  { stdio: 'inherit', cwd: root },
)
