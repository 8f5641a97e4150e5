/**
 * An LSTM learns to write like a text, and a page streams what it writes: a session over WebSocket,
 * a character a step. The default text is that of the example text-generation.
 *
 *   npm start serve [-- FILE --port 8080 --epochs 20 --units 96 --seed 1]
 */
import '../one-sentence.mjs'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Dense, Embedding, LSTM, RMSprop, Sequential, setSeed } from 'hiddenstate'
import { serve } from 'hiddenstate/serve'
import { alphabetOf, startsOf } from '../text-generation/characters.mjs'
import { write } from './writer.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '8080' },
    epochs: { type: 'string', default: '20' },
    units: { type: 'string', default: '96' },
    seed: { type: 'string', default: '1' },
    smoke: { type: 'boolean', default: false },
  },
})
setSeed(Number(values.seed))
const folder = path.dirname(fileURLToPath(import.meta.url))
const beside = (name) => path.join(folder, name)
const text = fs.readFileSync(positionals[0] ?? beside('../text-generation/carroll.txt'), 'utf8')
const { characters, number } = alphabetOf(text)

// Windows of 40 characters, and the one that follows.
const window = 40
const starts = startsOf(text, window, values.smoke ? 20 : 1)
const places = Float32Array.from(text, (character) => number.get(character))
// [N, T]
const x = { data: new Float32Array(starts.length * window), shape: [starts.length, window] }
const y = { data: new Float32Array(starts.length), shape: [starts.length, 1] } // [N, 1]
starts.forEach((start, n) => {
  x.data.set(places.subarray(start, start + window), n * window)
  y.data[n] = places[start + window]
})

const model = new Sequential()
model.add(new Embedding(characters.length, 24))
model.add(new LSTM(Number(values.units)))
model.add(new Dense(characters.length, { activation: 'softmax' }))
model.compile({ loss: 'sparse_categorical_crossentropy', optimizer: new RMSprop({ lr: 0.005 }) })
await model.fit(x, y, { batchSize: 64, nbEpoch: values.smoke ? 1 : Number(values.epochs) })

const TYPES = { '.html': 'text/html', '.mjs': 'text/javascript' }
const FILES = {
  '/': beside('page.html'),
  '/writer.mjs': beside('writer.mjs'),
  '/text-generation/characters.mjs': beside('../text-generation/characters.mjs'),
}
const server = await serve(model, {
  port: values.smoke ? 0 : Number(values.port),
  pages: ({ url }, response) => {
    const file = Object.hasOwn(FILES, url) ? FILES[url] : null
    if (url === '/characters') response.end(JSON.stringify(characters))
    else if (file === null) response.writeHead(404).end()
    else response.setHeader('content-type', TYPES[path.extname(file)]).end(fs.readFileSync(file))
  },
})
console.log(`The model writes at ${server.url}; Ctrl-C ends it.`)
process.once('SIGINT', () => server.close())

if (values.smoke) {
  const { WebSocket } = await import('ws')
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/sessions`)
  await new Promise((resolve) => socket.on('open', resolve))
  let written = ''
  const wish = { characters, opening: 'Alice ', length: 40, temperature: 0.5 }
  await write(socket, wish, (character) => {
    written += character
  })
  socket.close()
  console.log(`Alice |${written}`)
  await server.close()
}
