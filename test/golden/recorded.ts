/** Model files of other programs in a zip, with inputs, recorded outputs and a manifest. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { unzipSync } from 'fflate'
import { expect } from 'vitest'
import { readNpy } from '../../lib/utils.js'
import { HiddenstateError, type Model, type NDArray } from '../package.js'
import { dataFile } from './loader.js'

/** One `predict`; inputs and outputs are names of .npy files. */
interface Call {
  input: string | string[] | null
  output: string | string[] | null
  /** Whether states are reset before it. */
  reset?: boolean
}

/** A file, and what there is to know of it. */
export interface Entry extends Call {
  file: string
  format: string
  what: string
  tolerance: number
  /** 'loads', or 'refused: why'. */
  expected: string
  /** What the message of a refusal matches. */
  refusal?: string
  /** Further calls. */
  then?: Call[]
  /** The file of the architecture, of weights alone. */
  architecture?: string
}

/** The files of a zip of test/golden/data, in a folder of their own. */
export class Recorded {
  readonly #dir = mkdtempSync(path.join(tmpdir(), 'recorded-'))
  readonly files: readonly Entry[]

  constructor(zip: string) {
    for (const [name, bytes] of Object.entries(unzipSync(readFileSync(dataFile(zip))))) {
      mkdirSync(path.dirname(this.at(name)), { recursive: true })
      writeFileSync(this.at(name), bytes)
    }
    const manifest = JSON.parse(readFileSync(this.at('manifest.json'), 'utf8'))
    this.files = manifest.files as Entry[]
  }

  at(name: string): string {
    return path.join(this.#dir, name)
  }

  entry(file: string): Entry {
    return this.files.find((each) => each.file === file)!
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true })
  }

  /** That the model gives the recorded outputs. */
  async checkOutputs(model: Model, entry: Entry): Promise<void> {
    const list = (names: string | string[] | null): string[] => [names ?? []].flat()
    for (const { input, output, reset } of [entry, ...(entry.then ?? [])]) {
      if (reset) await model.resetStates()
      const x = await Promise.all(list(input).map((name) => readNpy(this.at(name))))
      const got = [await model.predict((x.length === 1 ? x[0] : x) as never)].flat() as NDArray[]
      for (const [i, name] of list(output).entries()) {
        const wanted = await readNpy(this.at(name))
        expect(got[i]!.shape).toEqual(wanted.shape)
        for (const [k, value] of wanted.data.entries()) {
          const difference = Math.abs(Number(got[i]!.data[k]) - Number(value))
          expect(difference, `[${k}]`).toBeLessThan(entry.tolerance * (1 + Math.abs(Number(value))))
        }
      }
    }
  }

  /** That loading fails with a code, and with the words that the manifest wants. */
  async checkRefusal(loading: Promise<unknown>, { file, refusal }: Entry): Promise<void> {
    const error = await loading.then(
      () => null,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(HiddenstateError)
    const { code, message } = error as HiddenstateError
    expect(code).toMatch(/^ERR_FILE_/)
    if (refusal) expect(message.replaceAll(this.at(file), '')).toMatch(new RegExp(refusal, 'i'))
  }
}
