/** Which shared libraries a process has in its memory: MPI's only where ranks were started. */
import { describe, expect, test } from 'vitest'
import { jsonOf } from '../child.js'
import { isInstalled, LAUNCHERS, runRanks, where } from './ranks.js'

const CHILD = 'ranks-libraries.mjs'
interface Said {
  libraries: string[]
}

describe.skipIf(process.platform !== 'linux')('libraries of MPI', () => {
  test('plain node opens none, though it calls distribute', async () => {
    const { libraries } = await jsonOf<Said>(`behaviour/children/${CHILD}`)
    expect(libraries).toEqual([])
  })

  for (const launcher of LAUNCHERS)
    test.skipIf(!isInstalled(launcher))(
      `ranks open one: ${where(launcher)}`,
      async () => {
        const { code, said, stderr } = await runRanks(launcher, 2, CHILD)
        expect(code, stderr).toBe(0)
        expect(said.length).toBe(2)
        const name = launcher.name === 'MPICH' ? /^libmpich\.so/ : /^libmpi\.so/
        for (const { libraries } of said as unknown as Said[])
          expect(libraries.some((library) => name.test(library))).toBe(true)
      },
      60_000,
    )
})
