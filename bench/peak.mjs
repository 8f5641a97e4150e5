/** The yardstick: this machine's own fp32 FMA peak, measured by native/test/bench_peak.cc. */
import fs from 'node:fs'
import path from 'node:path'
import { packageDir } from './competitors.mjs'

/**
 * `threadCounts → { threads: GFLOP/s }`, ready to measure;
 * null where the sources are not there (an installed package).
 */
export async function peakMeter() {
  if (!fs.existsSync(path.join(packageDir, 'native', 'test', 'bench_peak.cc'))) return null
  const { buildWith } = await import('../scripts/build.mjs')
  const { executable } = await import('../scripts/native-tests.mjs')
  const { capture } = await import('../scripts/process.mjs')
  if (buildWith('build', { HS_TESTS: 'ON' }, 'bench_peak') !== 0)
    throw new Error('bench: bench_peak does not build')
  return (threadCounts) => {
    const { status, output, stdout } = capture(
      executable('build', 'bench_peak'),
      threadCounts.map(String),
    )
    if (status !== 0) throw new Error(`bench: bench_peak: ${output}`)
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    return Object.fromEntries(lines.map(({ threads, gflops }) => [threads, gflops]))
  }
}
