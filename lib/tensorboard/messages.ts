/**
 * The protobuf messages of an event file, as far as this package writes them (TensorFlow's
 * event.proto, summary.proto, graph.proto):
 *
 *   Event
 *     double wall_time = 1 · int64 step = 2 · string file_version = 3 | bytes graph_def = 4 |
 *     Summary summary = 5
 *   Summary         repeated Value value = 1
 *   Value           string tag = 1 · float simple_value = 2 | HistogramProto histo = 5
 *   HistogramProto
 *     double min = 1, max = 2, num = 3, sum = 4, sum_squares = 5 · packed double bucket_limit = 6,
 *     bucket = 7
 *   GraphDef        repeated NodeDef node = 1
 *   NodeDef         string name = 1, op = 2 · repeated string input = 3
 */
import type { BinaryWriter } from '@bufbuild/protobuf/wire'
import { message, newWriter, text, type Write, WireType } from '../files/protobuf.js'
import type { Histogram } from './histogram.js'

/** What one event says. */
export type Content =
  | { fileVersion: string }
  | { scalars: Readonly<Record<string, number>> }
  | { histograms: ReadonlyMap<string, Histogram> }
  | { graph: readonly GraphNode[] }

/** A layer in the graph. */
export interface GraphNode {
  name: string
  op: string
  inputs: readonly string[]
}

const double = (writer: BinaryWriter, field: number, value: number): void => {
  writer.tag(field, WireType.Bit64).double(value)
}
const doubles = (writer: BinaryWriter, field: number, values: readonly number[]): void =>
  message(writer, field, (packed) => {
    for (const value of values) packed.double(value)
  })

function writeHistogram(writer: BinaryWriter, histogram: Histogram): void {
  const { min, max, num, sum, sumSquares, limits, counts } = histogram
  for (const [i, value] of [min, max, num, sum, sumSquares].entries()) double(writer, i + 1, value)
  doubles(writer, 6, limits)
  doubles(writer, 7, counts)
}

function writeSummary(
  writer: BinaryWriter,
  values: Iterable<readonly [tag: string, write: Write]>,
): void {
  for (const [tag, write] of values) {
    message(writer, 1, (value) => {
      text(value, 1, tag)
      write(value)
    })
  }
}

/** @param seconds since 1970 */
export function encodeEvent(seconds: number, step: number, content: Content): Uint8Array {
  const writer = newWriter()
  double(writer, 1, seconds)
  writer.tag(2, WireType.Varint).int64(step)
  if ('fileVersion' in content) {
    text(writer, 3, content.fileVersion)
  } else if ('graph' in content) {
    message(writer, 4, (graph) => {
      for (const { name, op, inputs } of content.graph) {
        message(graph, 1, (node) => {
          text(node, 1, name)
          text(node, 2, op)
          for (const input of inputs) text(node, 3, input)
        })
      }
    })
  } else if ('scalars' in content) {
    const values = Object.entries(content.scalars)
    message(writer, 5, (summary) =>
      writeSummary(
        summary,
        values.map(([tag, x]) => [
          tag,
          (value) => value.tag(2, WireType.Bit32).float(Math.fround(x)),
        ]),
      ),
    )
  } else {
    const values = [...content.histograms]
    message(writer, 5, (summary) =>
      writeSummary(
        summary,
        values.map(([tag, histogram]) => [
          tag,
          (value) => message(value, 5, (histo) => writeHistogram(histo, histogram)),
        ]),
      ),
    )
  }
  return writer.finish()
}
