/**
 * Ranks on several hosts, which are network namespaces. scripts/hosts.mjs is the long form: more
 * hosts, a delay, losses, and how long a step takes.
 */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { requireBuild, ROOT } from '../child.js'
import { obstacle } from '../../scripts/hosts/network.mjs'
import { isInstalled, LAUNCHERS } from './ranks.js'

const hosts = (args: string[]) => {
  requireBuild()
  const script = path.join(ROOT, 'scripts/hosts.mjs')
  const options = { cwd: ROOT, encoding: 'utf8', timeout: 110_000 } as const
  return spawnSync(process.execPath, [script, ...args], options)
}

const reason: string | null = obstacle()
describe.skipIf(reason !== null)(reason ? `hosts (skipped: ${reason})` : 'hosts', () => {
  const launchers = LAUNCHERS.filter(isInstalled)
  const left = () =>
    spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout.match(/^hs-\d+-.*$/gm) ?? []

  test.each(launchers.map(({ name, command }) => [name, command.split('.')[1]!]))(
    'two of them, %s: the bits of one process, and an end when the cable is pulled',
    (_, launcher) => {
      const before = left()
      const args = ['--hosts', '2', '--launchers', launcher, '--parts', 'bits,cut']
      const { status, stdout, stderr } = hosts(args)
      expect(status, stderr).toBe(0)
      expect(stdout).toContain('the bits of one process')
      expect(stdout).toMatch(/cable pulled: all ranks had ended after \d\.\d s: /)
      expect(left()).toEqual(before)
    },
    120_000,
  )

  test('need root', () => {
    expect(obstacle(65534)).toBe('making network namespaces needs root: run it with sudo')
  })
})
