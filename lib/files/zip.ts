/** Zips: what they hold, unpacked within limits. */
import { checkInflated, type ResolvedLimits } from '../limits.js'

/** No deflate makes more than 1,032 bytes of one. */
const MOST_INFLATED = 1032

/** A file in a zip, as the zip describes it. */
export interface Entry {
  name: string
  size: number
  originalSize: number
}

/** The files of a zip that `take` picks. @throws what the library throws for a damaged one */
export async function unzipped(
  bytes: Uint8Array,
  take: (entry: Entry) => boolean,
): Promise<Record<string, Uint8Array>> {
  const { unzip } = await import('fflate')
  return new Promise((resolve, reject) =>
    unzip(bytes, { filter: take }, (error, data) => (error ? reject(error) : resolve(data))),
  )
}

/**
 * Files of a zip that `isWanted` names; nothing is unpacked. What an entry claims to be is
 * allocated before it is unpacked: one that no zip can unpack to is refused.
 *
 * @throws FormatError ERR_LIMIT when they are larger in all than `limits` allow; RangeError for a
 *   claim that cannot be
 */
export async function entries(
  path: string,
  bytes: Uint8Array,
  isWanted: (name: string) => boolean,
  limits: ResolvedLimits,
): Promise<Entry[]> {
  const found: Entry[] = []
  let total = 0
  await unzipped(bytes, (entry) => {
    const { name, size, originalSize } = entry
    if (!isWanted(name)) return false
    if (originalSize > MOST_INFLATED * (size + 64))
      throw new RangeError(`${name} claims ${originalSize} bytes made of ${size}`)
    total += originalSize
    found.push(entry)
    return false
  })
  checkInflated(path, total, bytes.length, limits)
  return found
}

/**
 * A zip of files that are not deflated, in their order. The same files give the same bytes: each is
 * of 1980-01-01, the first day that a zip can name.
 */
export async function zipped(files: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> {
  const { zip } = await import('fflate')
  const options = { level: 0, mtime: new Date(1980, 0, 1) } as const
  return new Promise((resolve, reject) =>
    zip(files, options, (error, data) => (error ? reject(error) : resolve(data))),
  )
}
