/** The public module `hiddenstate/serve`: a model behind HTTP and WebSocket. */
import type { Model } from '../model/model.js'
import { checkedServeOptions, type ServeOptions } from './options.js'
import { ModelServer } from './server.js'

export { ModelServer } from './server.js'
export type { ServeOptions } from './options.js'

/**
 * Serves a model: `POST /predict` (JSON, or NumPy's `.npy`), sessions over WebSocket at
 * `/sessions`, `GET /health`, `/metrics` (Prometheus) and `/model`. Calls that come at the same
 * time are computed in one batch, each with the bits that it has alone (`Batcher`).
 *
 * @param from a model, which stays yours, or a file that `loadModel` reads
 * @returns when it listens
 * @throws ConfigError `ERR_OPTION`, also for a model whose samples meet in a batch, and for a
 *   port that is taken; what `loadModel` throws
 * @example
 * import { LSTM, Sequential } from 'hiddenstate'
 * import { serve } from 'hiddenstate/serve'
 * const model = new Sequential([new LSTM(4, { inputShape: [null, 3] })])
 * const server = await serve(model, { port: 0 })
 * const response = await fetch(`${server.url}/predict`, {
 *   method: 'POST',
 *   headers: { 'content-type': 'application/json' },
 *   body: JSON.stringify({ x: [[[1, 2, 3], [4, 5, 6]]] }),
 * })
 * console.log((await response.json()).y[0].length) // 4
 * await server.close()
 */
export async function serve(from: Model | string, options?: ServeOptions): Promise<ModelServer> {
  return ModelServer.start(from, checkedServeOptions(options), null)
}
