#!/usr/bin/env node
/** `npx hiddenstate`: the commands, their arguments, and how errors end. */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { HiddenstateError } from '../errors.js'
import { packageRoot, readManifest } from '../package-root.js'
import { QUANTIZED_TO } from '../model/quantize.js'
import { FORMAT_NAMES, FORMATS } from '../saving/formats.js'
import { printInfo } from './info.js'
import { convert, predict, summary } from './models.js'
import { sweep } from './tune.js'

/**
 * Runs a program of this package in a process of its own, which the user's signals reach too; takes
 * over its exit status.
 */
function runScript(script: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [path.join(packageRoot(), script), ...args], {
    stdio: 'inherit',
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => {
      process.exitCode = code ?? 1
      resolve()
    })
  })
}

function positive(text: string): number {
  const n = Number(text)
  if (!Number.isSafeInteger(n) || n < 1)
    throw new InvalidArgumentError('must be a positive integer.')
  return n
}

/** `keras1  .h5, .hdf5  the whole model, …` */
const formats = Object.entries(FORMATS).map(
  ([name, { endings, what }]) => `  ${name.padEnd(12)}${endings.join(', ').padEnd(14)}${what}`,
)

function whole(text: string): number {
  const n = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(n) || n < 0)
    throw new InvalidArgumentError('must be an integer from 0.')
  return n
}

const { version } = readManifest(path.join(packageRoot(), 'package.json'))
const program = new Command('hiddenstate')
  .description(
    'Keras 1.x models with recurrent layers: what is installed, saved models, a server, sweeps, building from source.',
  )
  .version(version)
  .showHelpAfterError('(--help tells more)')

program
  .command('info')
  .description('version, binary, platform, instruction sets, threads: what a bug report needs')
  .option('--json', 'as JSON', false)
  .action(printInfo)
program
  .command('build')
  .description('build the native addon from the sources in the package; downloads nothing')
  .addHelpText(
    'after',
    '\nNeeds a C++17 compiler, cmake, make or ninja, and the npm package cmake-js (version 8). Further arguments go to `cmake-js compile`.',
  )
  .argument('[cmake-js arguments...]')
  .allowUnknownOption()
  .action((args: string[]) => runScript('scripts/build-package.mjs', args))
program
  .command('bench')
  .description('speed on this machine; `bench --help` lists its options')
  .helpOption(false)
  .argument('[arguments...]')
  .allowUnknownOption()
  .action((args: string[]) => runScript('bench/command.mjs', args))
program
  .command('summary')
  .description("the table of a model's layers")
  .argument('<model.h5>', 'a file of model.save, of this package or of Keras 1.x')
  .action(summary)
program
  .command('convert')
  .description('write a model in another format')
  .argument('<model>', 'a file that loadModel reads: Keras, TensorFlow.js, ONNX')
  .argument('<out>', 'what it ends with says the format, unless --to does')
  .addOption(
    new Option('--to <format>', 'what to write; default: by the ending').choices(FORMAT_NAMES),
  )
  .addOption(
    new Option(
      '--quantize <kind>',
      'round the weights to few bits; <out> ends with .safetensors then, unless --to says otherwise',
    ).choices(QUANTIZED_TO),
  )
  .option('--no-overwrite', 'fail, without any work, where <out> exists')
  .addHelpText('after', `\nFormats:\n${formats.join('\n')}`)
  .action(convert)
program
  .command('bundle')
  .description('a model and what runs it on this platform, in one folder that needs nothing else')
  .argument('<model>', 'a file that loadModel reads')
  .argument('<folder>', 'is made; its index.js exports `model`')
  .addOption(new Option('--quantize <kind>', 'round the weights to few bits').choices(QUANTIZED_TO))
  .action(async (file, folder, options) =>
    (await import('./bundle.js')).bundle(file, folder, options),
  )
program
  .command('predict')
  .description('the outputs of a model')
  .argument('<model.h5>', 'a file of model.save, of this package or of Keras 1.x')
  .argument('<input.npy>', 'the inputs, [samples, …], as numpy.save writes them')
  .option(
    '-o, --output <file.npy>',
    'write them there; without it they are printed, one line a sample',
  )
  .option('-b, --batch-size <n>', 'samples at a time', positive, 32)
  .option('--no-overwrite', 'fail, without any work, where the file of --output exists')
  .action(predict)
program
  .command('serve')
  .description('a model behind HTTP and WebSocket')
  .argument('<model>', 'a file that loadModel reads')
  .option('-p, --port <n>', 'to listen at; 0: any that is free', whole, 8080)
  .option('--host <address>', 'to listen at; 0.0.0.0: all addresses', '127.0.0.1')
  .option('-w, --workers <n>', 'processes behind the port', positive, 1)
  .option('-b, --max-batch <n>', 'samples of a batch', positive, 64)
  .option('--max-delay <ms>', 'how long the first call of a batch waits for others', whole, 0)
  .option('--max-rate <n>', 'calls of one address in a second', Number)
  .option('--timeout <ms>', 'how long a call may wait', positive, 10_000)
  .addHelpText(
    'after',
    '\nSIGTERM ends it when what is under way is answered, SIGHUP has it read the file again. With\nHIDDENSTATE_ADMIN_TOKEN, POST /reload does so too, for who has the token.',
  )
  .action(async (file, options) => (await import('./serve.js')).serveModel(file, options))
program
  .command('tune')
  .description('search for parameters: many trials of an objective, on all cores')
  .argument(
    '<objective.mjs>',
    'a module: the objective as its default export, `space`, and `options` of tune',
  )
  .option('-n, --trials <n>', 'trials in all, those of an existing journal included', positive)
  .option('-w, --workers <n>', 'processes at a time', positive)
  .option('-j, --journal <file.jsonl>', 'kept there, and gone on with; processes may share it')
  .option('--sampler <name>', 'tpe or random')
  .option('--pruner <name>', 'none or asha')
  .option('--direction <name>', 'minimize or maximize')
  .option('--seed <n>', 'for the parameters', Number)
  .option('--timeout <seconds>', 'after which a trial has failed', Number)
  .option('--max-failures <n>', 'failures in a row that end it', positive)
  .option('--picture <file.svg>', 'write parallel coordinates there')
  .action(sweep)

/**
 * Prints an error of this package, which the user can do something about, as one sentence; any
 * other is a bug of ours and is printed with its stack.
 */
function end(error: unknown): void {
  // The loader's errors name the package themselves.
  console.error(
    error instanceof HiddenstateError
      ? error.message.replace(/^(hiddenstate: )?/, 'hiddenstate: ')
      : error,
  )
  process.exitCode = 1
}
// `hiddenstate predict … | head`: the reader has closed the pipe, which is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  console.error(`hiddenstate: standard output must be writable, got ${error.message}.`)
  process.exit(1)
})
program.parseAsync().catch(end)
