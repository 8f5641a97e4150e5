/** `POST /predict`: a sample or a few, as JSON or as NumPy's `.npy`. */
import type { IncomingMessage } from 'node:http'
import { formatNpy, parseNpy } from '../files/npy.js'
import type { NDArray } from '../ndarray.js'
import type { Inputs } from '../training/results.js'
import { readBody } from './body.js'
import type { Deployment } from './deployment.js'
import type { ResolvedServeOptions } from './options.js'
import { asInputs, parseJson } from './plain-json.js'
import { Problem } from './problem.js'

/** What is sent back. */
export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

export const json = (value: unknown, status = 200): Answer => ({
  status,
  type: 'application/json',
  body: JSON.stringify(value),
})

/** Media types of a `.npy` file; it has none that is registered. */
const NPY: ReadonlySet<string> = new Set(['application/x-npy', 'application/octet-stream'])

/** Outputs of a model as JSON has them: an array, or, of several outputs, one for each name. */
export function outputsAsJson({ model }: Deployment, outputs: NDArray | NDArray[]): unknown {
  if (!Array.isArray(outputs)) return outputs.toArray()
  return Object.fromEntries(model.outputNames.map((name, i) => [name, outputs[i]!.toArray()]))
}

/** @throws Problem; what `batcher.predict` throws */
export async function answerPrediction(
  request: IncomingMessage,
  deployment: Deployment,
  { maxBodyBytes, timeoutMs }: ResolvedServeOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  const isNpy = NPY.has(type)
  if (!isNpy && type !== 'application/json')
    throw new Problem(
      'ERR_CONTENT_TYPE',
      'The content-type must be application/json or application/x-npy.',
    )
  const { model, batcher } = deployment
  if (isNpy && model.outputNames.length > 1)
    throw new Problem('ERR_CONTENT_TYPE', 'A model with several outputs answers JSON alone.')
  const body = await readBody(request, maxBodyBytes)
  const x = isNpy ? parseNpy(body, 'body') : inputsOf(body.toString('utf8'), model.inputNames)
  const y = await batcher.predict(x as Inputs, { timeoutMs, signal })
  if (isNpy) return { status: 200, type: 'application/x-npy', body: formatNpy(y as NDArray) }
  return json({ y: outputsAsJson(deployment, y) })
}

function inputsOf(text: string, names: readonly string[]): unknown {
  const { x, ...rest } = parseJson(text)
  const [other] = Object.keys(rest)
  if (x === undefined || other !== undefined)
    throw new Problem(
      'ERR_BODY',
      `The body must be {"x": …}${other ? `, without ${JSON.stringify(other.slice(0, 60))}` : ''}.`,
    )
  return asInputs(x, 'x', names)
}
