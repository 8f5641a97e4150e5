/**
 * What the golden data need and this package has not yet: export -> the issue that brings it. A case that needs one of
 * these is skipped and counted. As soon as the export is there the test `not-yet.ts names nothing that exists` fails,
 * so that the line goes and the cases run.
 */
// biome-ignore format: a list of names
const issue4 = [
  'Convolution1D', 'AtrousConvolution1D', 'LocallyConnected1D', 'MaxPooling1D', 'AveragePooling1D',
  'GlobalMaxPooling1D', 'GlobalAveragePooling1D', 'UpSampling1D', 'ZeroPadding1D', 'Cropping1D',
]

export const NOT_YET: ReadonlyMap<string, number> = new Map(issue4.map((name) => [name, 4]))
