/** Writes text by a session over WebSocket, a character at a time: in a page, and in Node. */
import { draw } from '../text-generation/characters.mjs'

/**
 * @param socket a WebSocket that is open
 * @param characters the alphabet; the model takes and gives places in it
 * @param written gets each character as it comes
 */
export async function write(socket, { characters, opening, length, temperature }, written) {
  let asked // what waits for the next answer
  socket.addEventListener('message', ({ data }) => {
    const { error, ...answer } = JSON.parse(data)
    if (error) asked.reject(new Error(error.message))
    else asked.resolve(answer)
  })
  socket.addEventListener('close', () => asked?.reject(new Error('The server has gone.')))
  const ask = (message) =>
    new Promise((resolve, reject) => {
      asked = { resolve, reject }
      socket.send(JSON.stringify(message))
    })
  const places = Array.from(opening, (character) => characters.indexOf(character))
  await ask({ begin: {} })
  let { y } = await ask({ steps: places.filter((place) => place >= 0) })
  for (let n = 0; n < length; n++) {
    const next = draw(y, temperature, Math.random)
    written(characters[next])
    ;({ y } = await ask({ x: next }))
  }
}
