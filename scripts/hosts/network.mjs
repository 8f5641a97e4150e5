/**
 * Hosts on one machine: network namespaces with an address and a name each, and a network between
 * them that has a rate, a delay and losses. `mpirun` reaches them by agent.sh as it does others by
 * ssh. Linux, root.
 */
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = path.dirname(fileURLToPath(import.meta.url))
const SUBNET = '10.77.0'
const address = (host) => `${SUBNET}.${host}`

function attempt(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  return { ok: status === 0, stdout, reason: error?.message ?? stderr?.trim() }
}

function must(command, ...args) {
  const { ok, stdout, reason } = attempt(command, args)
  if (!ok) throw new Error(`\`${command} ${args.join(' ')}\` failed: ${reason}`)
  return stdout
}

const ip = (...args) => must('ip', ...args)

/**
 * Why hosts cannot be made here, in words; null: they can.
 *
 * @param user who makes them, by number
 */
export function obstacle(user = process.getuid?.()) {
  if (process.platform !== 'linux') return 'hosts are network namespaces, which only Linux has'
  if (user !== 0) return 'making network namespaces needs root: run it with sudo'
  for (const command of ['ip', 'tc'])
    if (!attempt(command, ['-V']).ok)
      return `there is no ${command}: \`apt-get install iproute2\` brings it`
  if (!attempt('unshare', ['--net', 'ip', 'link', 'add', 'type', 'veth']).ok)
    return 'root may make no network namespaces here (in a container without privileges?)'
  return null
}

export class Network {
  /** What makes rate, delay and losses: tbf and netem of the kernel, or relay.cc. */
  by
  /** Seconds until a message arrives, bytes of payload a second: for bench/cluster-model.mjs. */
  line
  #name = `hs-${process.pid}`
  #hosts
  #relay = null
  #temporary = null

  /**
   * @param hosts how many
   * @param mbit Mbit/s of the line of each host, in each direction
   * @param delayMs how long a packet travels
   * @param loss share of the packets that are lost
   */
  static async start({ hosts, mbit, delayMs = 0, loss = 0 }) {
    const network = new Network(hosts)
    try {
      await network.#make(mbit, delayMs, loss)
      return network
    } catch (error) {
      network.stop()
      throw error
    }
  }

  constructor(hosts) {
    this.#hosts = Array.from({ length: hosts }, (_, i) => i + 1)
  }

  #space(host) {
    return `${this.#name}-${host}`
  }

  async #make(mbit, delayMs, loss) {
    for (const host of this.#hosts) {
      ip('netns', 'add', this.#space(host))
      ip('-n', this.#space(host), 'link', 'set', 'lo', 'up')
    }
    const isPlain = delayMs === 0 && loss === 0
    this.by = isPlain ? 'tbf' : hasNetem(this.#space(1)) ? 'netem' : 'relay'
    const frame = this.by === 'relay' ? 9000 : 1514
    this.line = { latency: delayMs / 1000, rate: ((mbit * 1e6) / 8) * ((frame - 66) / frame) }
    if (this.by === 'relay') await this.#startRelay(mbit, delayMs, loss)
    else this.#plug(mbit, delayMs, loss)
    for (const host of this.#hosts) {
      ip('-n', this.#space(host), 'addr', 'add', `${address(host)}/24`, 'dev', 'eth0')
      ip('-n', this.#space(host), 'link', 'set', 'eth0', 'up')
    }
  }

  /** A cable from each host to a switch, which is a namespace, too. */
  #plug(mbit, delayMs, loss) {
    const hub = this.#space('switch')
    ip('netns', 'add', hub)
    ip('-n', hub, 'link', 'add', 'bridge', 'type', 'bridge')
    ip('-n', hub, 'link', 'set', 'bridge', 'up')
    const rate = ['tbf', 'rate', `${mbit}mbit`, 'burst', '64kb', 'latency', '50ms']
    const line = ['netem', 'rate', `${mbit}mbit`, 'delay', `${delayMs}ms`]
    if (loss > 0) line.push('loss', `${100 * loss}%`)
    for (const host of this.#hosts) {
      const [space, port] = [this.#space(host), `port${host}`]
      ip('-n', hub, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space)
      ip('-n', hub, 'link', 'set', port, 'master', 'bridge', 'up')
      const out = this.by === 'netem' ? line : rate
      must('tc', '-n', space, 'qdisc', 'add', 'dev', 'eth0', 'root', ...out)
      must('tc', '-n', hub, 'qdisc', 'add', 'dev', port, 'root', ...rate)
    }
  }

  async #startRelay(mbit, delayMs, loss) {
    this.#temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-relay-'))
    const program = path.join(this.#temporary, 'relay')
    must('c++', '-std=c++17', '-O2', '-o', program, path.join(folder, 'relay.cc'))
    const numbers = [mbit, 1000 * delayMs, loss, 1].map(String)
    this.#relay = spawn(program, [...numbers, ...this.#hosts.map((host) => this.#space(host))], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await new Promise((resolve, reject) => {
      this.#relay.stdout.once('data', resolve)
      this.#relay.once('exit', (code) => reject(new Error(`relay ended with ${code}`)))
    })
    // the relay works by packets: fewer of them leave the processors to the ranks
    for (const host of this.#hosts)
      ip('-n', this.#space(host), 'link', 'set', 'eth0', 'mtu', '9000')
  }

  /**
   * What starts ranks by `mpirun` of one family on the first host, `perHost` of them on each.
   *
   * @returns command, arguments and environment for `spawn`
   */
  job(launcher, perHost, command) {
    const list = this.#hosts.map((host) => `${address(host)}:${perHost}`).join(',')
    const agent = path.join(folder, 'agent.sh')
    const net = `${SUBNET}.0/24`
    const own =
      launcher.name === 'Open MPI'
        ? [
            ...['--mca', 'plm_rsh_agent', agent, '--host', list, '--bind-to', 'none'],
            ...['--mca', 'oob_tcp_if_include', net, '--mca', 'btl_tcp_if_include', net],
            ...['--mca', 'btl', 'self,vader,tcp', '--mca', 'pml', 'ob1', ...OPEN_MPI_KEEPALIVE],
          ]
        : ['-launcher', 'ssh', '-launcher-exec', agent, '-iface', 'eth0', '-hosts', list]
    const ranks = ['-n', String(perHost * this.#hosts.length)]
    const mpirun = [launcher.command, ...launcher.args, ...own, ...ranks, ...command]
    const inside = ['--uts', 'sh', '-c', 'hostname host-1; exec "$@"', 'sh', ...mpirun]
    return {
      command: 'ip',
      args: ['netns', 'exec', this.#space(1), 'unshare', ...inside],
      env: { HIDDENSTATE_HOSTS: this.#name, UCX_TLS: 'tcp,self', UCX_NET_DEVICES: 'eth0' },
    }
  }

  /** Pulls the cable of a host. */
  cut(host) {
    if (this.by === 'relay') ip('-n', this.#space(host), 'link', 'set', 'eth0', 'down')
    else ip('-n', this.#space('switch'), 'link', 'set', `port${host}`, 'down')
  }

  /** Bytes that a host has sent. */
  sentBy(host) {
    const [link] = JSON.parse(ip('-n', this.#space(host), '-s', '-j', 'link', 'show', 'eth0'))
    return link.stats64.tx.bytes
  }

  /** Processes on all hosts. */
  #processes() {
    return this.#hosts.flatMap((host) => {
      const { ok, stdout } = attempt('ip', ['netns', 'pids', this.#space(host)])
      return ok ? stdout.split('\n').filter(Boolean).map(Number) : []
    })
  }

  /** Processes of Node on all hosts: ranks, and not what has started them. */
  ranks() {
    return this.#processes().filter((pid) => {
      try {
        return fs.readlinkSync(`/proc/${pid}/exe`) === fs.realpathSync(process.execPath)
      } catch {
        return false // it has ended
      }
    })
  }

  /** Ends what runs on the hosts, and takes them away. */
  stop() {
    for (const pid of this.#processes()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {} // it has ended
    }
    this.#relay?.kill()
    for (const host of [...this.#hosts, 'switch'])
      attempt('ip', ['netns', 'del', this.#space(host)])
    if (this.#temporary) fs.rmSync(this.#temporary, { recursive: true, force: true })
  }
}

/**
 * Without it mpirun does not learn that a machine is gone, and stays when all ranks have ended.
 */
const OPEN_MPI_KEEPALIVE = Object.entries({ time: 1, intvl: 1, probes: 2 }).flatMap(
  ([name, seconds]) => ['--mca', `oob_tcp_keepalive_${name}`, String(seconds)],
)

/** Whether the kernel can delay and lose packets by itself. */
function hasNetem(space) {
  const lo = ['dev', 'lo', 'root']
  if (!attempt('tc', ['-n', space, 'qdisc', 'add', ...lo, 'netem', 'delay', '1ms']).ok) return false
  must('tc', '-n', space, 'qdisc', 'del', ...lo)
  return true
}
