/**
 * The TypeScript blocks of the guides:
 * they are run (examples.test.ts) and type-checked (block-types.test.ts).
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface Block {
  /** File and line. */
  title: string
  code: string
}

/**
 * Every guide with how many blocks there must be, so that an empty list is no success. `data`: its
 * first block, which the others use.
 */
export const GUIDES = {
  'README.md': { blocks: 1, data: false },
  'docs/keras-1-to-hiddenstate.md': { blocks: 11, data: true },
  'docs/troubleshooting.md': { blocks: 1, data: false },
  'docs/audio.md': { blocks: 4, data: false },
  'docs/functional.md': { blocks: 3, data: false },
  'docs/gpu.md': { blocks: 1, data: false },
  'docs/interop.md': { blocks: 1, data: false },
  'docs/scaling.md': { blocks: 1, data: false },
  'docs/serving.md': { blocks: 1, data: false },
  'docs/sequences.md': { blocks: 1, data: false },
  'docs/tagging.md': { blocks: 1, data: false },
  'docs/tuning.md': { blocks: 3, data: false },
  'docs/sessions.md': { blocks: 4, data: false },
  'docs/speech.md': { blocks: 2, data: false },
  'docs/from-tfjs.md': { blocks: 3, data: true },
  'docs/from-theano.md': { blocks: 2, data: false },
  'docs/writing-your-own.md': { blocks: 6, data: false },
} as const
export type Guide = keyof typeof GUIDES

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The blocks of a file as they are printed. */
export function printedBlocks(file: string): Block[] {
  const source = readFileSync(root + file, 'utf8')
  return [...source.matchAll(/^```(?:ts|typescript)\n([\s\S]*?)^```$/gm)].map((match) => ({
    title: `${file}:${source.slice(0, match.index).split('\n').length}`,
    code: match[1] as string,
  }))
}

/** The blocks of a guide that do something, and the data that come before each of them. */
export function blocksOf(file: Guide): { data: string; blocks: Block[] } {
  const blocks = printedBlocks(file)
  if (!GUIDES[file].data) return { data: '', blocks }
  const [data, ...rest] = blocks
  return { data: data?.code ?? '', blocks: rest }
}
