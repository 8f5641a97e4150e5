/**
 * What the golden data need and this package has not yet: export -> the issue that brings it. A
 * case that needs one of these is skipped and counted. As soon as the export is there the test
 * `not-yet.ts names nothing that exists` fails, so that the line goes and the cases run.
 */
// biome-ignore format: a list of names
const issue4: readonly string[] = [
]

export const NOT_YET: ReadonlyMap<string, number> = new Map(issue4.map((name) => [name, 4]))
