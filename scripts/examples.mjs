/**
 * The examples by name: `examples/NAME/main.mjs`, and the ports of Keras' scripts, whose file names
 * have its underscores.
 */
import { filesBelow } from './process.mjs'

/** name → file, relative to the root: 'sine', 'keras/imdb_lstm'. */
export const examples = new Map(
  filesBelow('examples', /^(main|[a-z]+(_[a-z]+)+)\.mjs$/).map((file) => [
    file.replace(/^examples\//, '').replace(/(\/main)?\.mjs$/, ''),
    file,
  ]),
)

/**
 * The path for `--smoke` of those that would fetch their data: a few of the golden images instead.
 */
export const smallDataOf = (name) =>
  name.startsWith('keras/mnist_') ? ['test/golden/data/datasets/mnist.pkl.gz'] : []
