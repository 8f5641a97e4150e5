/** Ranks are killed, and the next job goes on. scripts/kill-ranks.mjs is the long form. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { requireBuild, ROOT } from '../child.js'
import { isInstalled, LAUNCHERS, where } from './ranks.js'

for (const launcher of LAUNCHERS)
  describe.skipIf(process.platform !== 'linux' || !isInstalled(launcher))(where(launcher), () => {
    test('ranks killed at random instants lose nothing but what came after a checkpoint', () => {
      requireBuild()
      const family = launcher.command.split('.')[1]!
      const args = ['--instants', '5', '--launchers', family, '--stops', '0', '--epochs', '30']
      const script = path.join(ROOT, 'scripts/kill-ranks.mjs')
      const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
        ...{ cwd: ROOT, encoding: 'utf8', timeout: 170_000 },
      })
      expect(status, stderr).toBe(0)
      expect(stdout).toMatch(/: \d+ ranks killed, 0 stopped; every job ended/)
    }, 180_000)
  })
