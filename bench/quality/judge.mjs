/** The rule by which a result is held against Keras'. */

export const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length
/** Sample standard deviation; 0 for a single value. */
export function deviation(values) {
  if (values.length < 2) return 0
  const m = mean(values)
  return Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0) / (values.length - 1))
}

/**
 * Accepted when our mean is not worse than Keras' by more than 3 sd sqrt(1/n + 1/nKeras). sd is
 * Keras'; where ours is larger, the pooled one. One-sided: better is fine, though *much* better (as
 * far off on the good side) points to another set-up.
 */
export function judge(ours, keras, better) {
  const n = ours.length
  const m = keras.length
  const [sd, sdKeras] = [deviation(ours), deviation(keras)]
  const used =
    sd > sdKeras ? Math.sqrt(((n - 1) * sd ** 2 + (m - 1) * sdKeras ** 2) / (n + m - 2)) : sdKeras
  const margin = 3 * used * Math.sqrt(1 / n + 1 / m)
  const worse = better === 'higher' ? mean(keras) - mean(ours) : mean(ours) - mean(keras)
  return {
    ours: { mean: mean(ours), sd, n, values: ours },
    keras: { mean: mean(keras), sd: sdKeras, n: m },
    better,
    margin,
    accepted: Number.isFinite(worse) && worse <= margin,
    muchBetter: -worse > margin,
  }
}
