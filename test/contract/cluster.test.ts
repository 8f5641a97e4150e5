/**
 * The job files of examples/cluster, which no cluster has run: shells and YAML can read them, and
 * they ask for what the programs that they start understand.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { ROOT } from '../child.js'

const folder = path.join(ROOT, 'examples/cluster')
const read = (file: string) => readFileSync(path.join(folder, file), 'utf8')
const files = readdirSync(folder).filter((file) => file !== 'README.md')
const scripts = files.filter((file) => file.endsWith('.sbatch'))

/** Options of sbatch by name: `--nodes=4`. */
const optionsOf = (script: string) =>
  new Map([...read(script).matchAll(/^#SBATCH --([\w-]+)(?:=(\S+))?$/gm)].map((m) => [m[1]!, m[2]]))

describe('job files', () => {
  it('say that they were not run', () => {
    expect(scripts.length).toBe(3)
    for (const file of [...scripts, 'mpijob.yaml']) expect(read(file), file).toContain('Not run.')
    expect(read('Dockerfile')).toContain('Not built.')
    expect(read('README.md')).toContain('None of them was run on a cluster')
    for (const file of files) expect(read('README.md'), file).toContain(file)
  })

  it.skipIf(process.platform === 'win32').each(scripts)('%s: a shell can read it', (file) => {
    execFileSync('bash', ['-n', path.join(folder, file)])
    expect(() =>
      execFileSync('bash', ['-n'], { input: `${read(file)}\nif`, stdio: 'pipe' }),
    ).toThrow()
  })

  it.each(scripts)('%s: options of sbatch stand before the first command', (file) => {
    const lines = read(file).split('\n')
    expect(lines[0]).toBe('#!/bin/bash')
    const command = lines.findIndex((line) => line !== '' && !line.startsWith('#'))
    expect(lines.slice(command).filter((line) => line.startsWith('#SBATCH'))).toEqual([])
    const options = optionsOf(file)
    expect(options.size).toBe(lines.filter((line) => line.startsWith('#SBATCH')).length)
    expect(options.get('cpus-per-task')).toMatch(/^\d+$/)
    expect(options.get('time')).toMatch(/^\d\d:\d\d:\d\d$/)
  })

  it('starts ranks with as many threads as they have processors', () => {
    for (const file of ['train.sbatch', 'train-mpirun.sbatch'])
      expect(read(file), file).toContain('HIDDENSTATE_THREADS="$SLURM_CPUS_PER_TASK"')
    expect(read('train-mpirun.sbatch')).toContain('slot:PE=$SLURM_CPUS_PER_TASK')
  })

  it('gives `hiddenstate tune` options that it has', () => {
    const help = readFileSync(path.join(ROOT, 'lib/cli/tune.ts'), 'utf8')
    const main = readFileSync(path.join(ROOT, 'lib/cli/main.ts'), 'utf8')
    const command = read('tune.sbatch').split('npx hiddenstate tune')[1]!
    const options = [...command.matchAll(/--([\w-]+)/g)].map(([option]) => option)
    expect(options).toEqual(['--workers', '--journal'])
    for (const option of options) expect(help + main).toContain(option)
  })
})

/** Fields of the MPI Operator's MPIJob, v2beta1 (its CRD of 2026-07): those that it may have. */
const SPEC = [
  ...['launcherCreationPolicy', 'mpiImplementation', 'mpiReplicaSpecs', 'runLauncherAsWorker'],
  ...['runPolicy', 'slotsPerWorker', 'sshAuthMountPath'],
]
const RUN_POLICY = [
  ...['activeDeadlineSeconds', 'backoffLimit', 'cleanPodPolicy', 'managedBy', 'schedulingPolicy'],
  ...['suspend', 'ttlSecondsAfterFinished'],
]

interface Container {
  image: unknown
  command: unknown[]
  args: unknown[]
  volumeMounts?: { name: string }[]
  resources: { limits: { cpu: string } }
}
interface Replica {
  replicas: number
  restartPolicy: string
  template: { spec: { containers: [Container]; volumes?: { name: string }[] } }
}
interface MpiJob {
  apiVersion: string
  kind: string
  spec: {
    slotsPerWorker: number
    mpiImplementation: string
    sshAuthMountPath: string
    runPolicy: { cleanPodPolicy: string }
    mpiReplicaSpecs: Record<'Launcher' | 'Worker', Replica>
  }
}

/** What of a job the operator would refuse, or leave out. */
function complaints(job: MpiJob): string[] {
  const found: string[] = []
  const must = (isRight: boolean, what: string) => isRight || found.push(what)
  const known = (object: object, names: string[]) => {
    for (const name of Object.keys(object)) must(names.includes(name), `unknown ${name}`)
  }
  must(job.apiVersion === 'kubeflow.org/v2beta1' && job.kind === 'MPIJob', 'another kind')
  const { spec } = job
  known(spec, SPEC)
  known(spec.runPolicy, RUN_POLICY)
  must(['OpenMPI', 'Intel', 'MPICH'].includes(spec.mpiImplementation), 'mpiImplementation')
  must(['None', 'Running', 'All'].includes(spec.runPolicy.cleanPodPolicy), 'cleanPodPolicy')
  known(spec.mpiReplicaSpecs, ['Launcher', 'Worker'])
  for (const [name, replica] of Object.entries(spec.mpiReplicaSpecs)) {
    known(replica, ['replicas', 'restartPolicy', 'template'])
    must(Number.isInteger(replica.replicas), `${name}: replicas`)
    must(['Never', 'OnFailure', 'Always'].includes(replica.restartPolicy), `${name}: restartPolicy`)
    const { containers, volumes = [] } = replica.template.spec
    for (const { command, args, image, volumeMounts = [] } of containers) {
      must(typeof image === 'string', `${name}: image`)
      for (const text of [...command, ...args])
        must(typeof text === 'string', `${name}: ${text} must be a string`)
      for (const mount of volumeMounts)
        must(
          volumes.some((volume) => volume.name === mount.name),
          `${name}: no volume ${mount.name}`,
        )
    }
  }
  return found
}

describe('mpijob.yaml', () => {
  const job: MpiJob = parse(read('mpijob.yaml'))

  it('has the fields of an MPIJob', () => {
    expect(complaints(job)).toEqual([])
    const wrong = structuredClone(job)
    Object.assign(wrong.spec, { slotPerWorker: 1 })
    wrong.spec.mpiReplicaSpecs.Launcher.template.spec.containers[0].args[1] = 8
    expect(complaints(wrong)).toEqual(['unknown slotPerWorker', 'Launcher: 8 must be a string'])
  })

  it('starts as many ranks as there are slots, with as many threads as they have processors', () => {
    const { slotsPerWorker, mpiReplicaSpecs, sshAuthMountPath } = job.spec
    const { Launcher, Worker } = mpiReplicaSpecs
    const { args } = Launcher.template.spec.containers[0]
    expect(args[args.indexOf('-n') + 1]).toBe(String(slotsPerWorker * Worker.replicas))
    const { cpu } = Worker.template.spec.containers[0].resources.limits
    const threads = Number(cpu) / slotsPerWorker
    expect(args).toContain(`HIDDENSTATE_THREADS=${threads}`)
    expect(args).toContain(`slot:PE=${threads}`)
    // the image's user, its keys and its sshd
    expect(read('Dockerfile')).toContain(`HostKey ${sshAuthMountPath}/id_rsa`)
    expect(read('Dockerfile')).toContain('/home/node/.sshd_config')
  })
})
