/** Ranks are killed, and the next job goes on. scripts/kill-ranks.mjs is the long form. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { requireBuild, ROOT } from '../child.js'
import { isInstalled, LAUNCHERS, runRanks, where } from './ranks.js'

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

    test('of a SIGTERM to all ranks comes a last checkpoint', async () => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-sigterm-'))
      const args = ['30', path.join(folder, 'checkpoints'), '1000000']
      const ended = await runRanks(launcher, 2, 'ranks-killed.mjs', [...args, '7'])
      expect(ended.code, ended.stderr).not.toBe(0)
      expect(ended.said).toEqual([])
      const { code, stderr } = await runRanks(launcher, 2, 'ranks-killed.mjs', args)
      expect(code, stderr).toBe(0)
      const said = fs.readFileSync(path.join(folder, 'batches'), 'utf8')
      const began = [...said.matchAll(/from (\d+)/g)].map(([, batches]) => Number(batches))
      expect(began).toEqual([0, expect.toSatisfy((batches: number) => batches >= 7)])
      fs.rmSync(folder, { recursive: true })
    }, 60_000)
  })
