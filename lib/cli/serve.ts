/** `hiddenstate serve model.h5`: one process, or several behind one port. */
import cluster, { type Worker } from 'node:cluster'
import { availableParallelism } from 'node:os'
import { StateError } from '../errors.js'
import { type Samples, summed } from '../serve/metrics.js'
import { checkedServeOptions, type ServeOptions } from '../serve/options.js'
import { type Fellows, ModelServer } from '../serve/server.js'

/** What the command line gives. */
export interface ServeArguments {
  port: number
  host: string
  workers: number
  maxBatch: number
  maxDelay: number
  maxRate?: number
  timeout: number
}

/** What processes tell each other. */
type Message =
  | { ask: 'samples' | 'reload'; number: number }
  | { answer: unknown; error?: string; number: number }

const optionsOf = (given: ServeArguments): ServeOptions => ({
  port: given.port,
  host: given.host,
  maxBatch: given.maxBatch,
  maxDelayMs: given.maxDelay,
  maxRate: given.maxRate ?? null,
  timeoutMs: given.timeout,
  adminToken: process.env.HIDDENSTATE_ADMIN_TOKEN ?? null,
})

/** Serves until SIGTERM or SIGINT; SIGHUP has it read the file again. */
export async function serveModel(file: string, given: ServeArguments): Promise<void> {
  // the channel to the primary process would keep one alive that cannot serve
  if (cluster.isWorker)
    return serveWith(file, given, fellows()).catch((error) => {
      cluster.worker!.disconnect()
      throw error
    })
  if (given.workers === 1) return serveWith(file, given, null)
  return new Primary(given.workers).run()
}

async function serveWith(
  file: string,
  given: ServeArguments,
  fellows: Fellows | null,
): Promise<void> {
  const server = await ModelServer.start(file, checkedServeOptions(optionsOf(given)), fellows)
  const stop = () => {
    void server.close().then(() => cluster.worker?.disconnect())
  }
  process.on('SIGTERM', stop).on('SIGINT', stop)
  const reload = () => server.reload()
  if (cluster.isWorker) {
    answering((ask) => (ask === 'reload' ? reload() : server.samples))
    process.on('SIGHUP', () => {}) // the primary process asks everybody
  } else {
    process.on('SIGHUP', () => void reload().then(tellReload, (error) => console.error(error)))
    console.log(`hiddenstate: ${file} at ${server.url}`)
  }
}

const tellReload = () => console.log('hiddenstate: the model was read again')

// ---- between processes ----

/** Answers what the primary process asks. */
function answering(answerTo: (ask: 'samples' | 'reload') => unknown): void {
  process.on('message', async (message: Message) => {
    if (!('ask' in message)) return
    const { number } = message
    try {
      // a message keeps no undefined
      process.send!({ number, answer: (await answerTo(message.ask)) ?? null })
    } catch (error) {
      process.send!({ number, answer: null, error: (error as Error).message })
    }
  })
}

/** Sends a question and waits for its answer; of a process that ends, undefined. */
function asker(send: (message: Message) => void) {
  const waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>()
  let last = 0
  return {
    ask: (ask: 'samples' | 'reload') =>
      new Promise<unknown>((resolve, reject) => {
        const number = ++last
        waiting.set(number, { resolve, reject })
        send({ ask, number })
      }),
    took: (message: Message) => {
      if (!('answer' in message)) return
      const { number, answer, error } = message
      const call = waiting.get(number)
      waiting.delete(number)
      if (error === undefined) call?.resolve(answer)
      else call?.reject(new StateError('ERR_BUSY', error))
    },
    gone: () => {
      for (const call of waiting.values()) call.resolve(undefined)
      waiting.clear()
    },
  }
}

/** The other processes, as a worker knows them. */
function fellows(): Fellows {
  const { ask, took } = asker((message) => process.send!(message))
  process.on('message', took)
  return {
    samples: async () => (await ask('samples')) as Samples,
    reload: async () => void (await ask('reload')),
  }
}

/** Sends a message to a worker, which may have died meanwhile. */
function tell(worker: Worker, message: Message): void {
  if (worker.isConnected()) worker.send(message)
}

/** Starts workers, and again those that die; passes on what one of them or a signal asks of all. */
class Primary {
  readonly #workers = new Map<Worker, ReturnType<typeof asker>>()
  readonly #count: number
  #isStopping = false

  constructor(count: number) {
    this.#count = count
  }

  run(): void {
    const stop = () => this.#stop()
    process.on('SIGTERM', stop).on('SIGINT', stop)
    process.on('SIGHUP', () => void this.#all('reload').then(tellReload, (e) => console.error(e)))
    for (let i = 0; i < this.#count; i++) this.#start()
  }

  #start(): void {
    const threads = String(Math.max(1, Math.floor(availableParallelism() / this.#count)))
    const worker = cluster.fork({ HIDDENSTATE_THREADS: process.env.HIDDENSTATE_THREADS ?? threads })
    let listens = false
    const asked = asker((message) => tell(worker, message))
    this.#workers.set(worker, asked)
    worker.on('message', (message: Message) => {
      if ('ask' in message) void this.#answer(worker, message)
      else asked.took(message)
    })
    worker.on('listening', ({ address, port }) => {
      listens = true
      console.log(`hiddenstate: process ${worker.process.pid} at http://${address}:${port}`)
    })
    worker.on('exit', (code, signal) => {
      this.#workers.delete(worker)
      asked.gone()
      if (this.#isStopping) return
      if (listens) {
        console.error(`hiddenstate: process ${worker.process.pid} ended with ${signal ?? code}`)
        this.#start()
      } else {
        // what keeps one from listening (a file, a port) keeps all
        process.exitCode = 1
        this.#stop()
      }
    })
  }

  async #all(ask: 'samples' | 'reload'): Promise<unknown[]> {
    return Promise.all([...this.#workers.values()].map((asked) => asked.ask(ask)))
  }

  async #answer(worker: Worker, { ask, number }: Message & { ask: 'samples' | 'reload' }) {
    const all = this.#all(ask)
    const answer: Message = await all.then(
      (answers) => ({
        number,
        answer: ask === 'samples' ? summed(answers.filter((each) => each) as Samples[]) : null,
      }),
      (error: Error) => ({ number, answer: null, error: error.message }),
    )
    tell(worker, answer)
  }

  #stop(): void {
    this.#isStopping = true
    for (const worker of this.#workers.keys()) worker.process.kill('SIGTERM')
  }
}
