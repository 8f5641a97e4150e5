#include "world/row_sum.h"

#include <cstring>

namespace hs {
namespace {

using Sum = FunctionRef<void(const std::vector<Segment>&, const SumValues&)>;
using Bytes = std::vector<unsigned char>;

struct Table {
  size_t segment, flags;  // places of segments
  int64_t rows;
  size_t row_bytes;
  std::vector<Bytes> bits;  // [block], eight flags in a byte
  std::vector<int64_t> written;
  std::vector<Bytes> packed;  // [block], rows that are written; empty: whole
};

int64_t bytes_of(const std::vector<Segment>& segments) {
  int64_t bytes = 0;
  for (const Segment& s : segments) bytes += s.n * int64_t(sent_width(s.kind));
  return bytes;
}

std::vector<Table> tables_of(const std::vector<Segment>& segments, size_t blocks) {
  std::vector<Table> tables;
  for (size_t s = 0; s < segments.size(); s++) {
    if (segments[s].flags < 0) continue;
    const size_t flags = size_t(segments[s].flags);
    const int64_t rows = segments[flags].n;
    const size_t row_bytes = size_t(segments[s].n / rows) * width(segments[s].kind);
    tables.push_back({s, flags, rows, row_bytes, std::vector<Bytes>(blocks), {}, {}});
  }
  return tables;
}

int64_t sum_flags(Sum sum, std::vector<Table>& tables, const SumValues& values) {
  std::vector<Segment> segments;
  SumValues all(values.size());
  for (Table& table : tables) {
    segments.push_back({Addend::kBits, (table.rows + 7) / 8});
    for (size_t b = 0; b < values.size(); b++) {
      const auto* const flags = static_cast<const unsigned char*>(values[b][table.flags]);
      Bytes& bits = table.bits[b];
      bits.assign(size_t(segments.back().n), 0);
      for (int64_t row = 0; row < table.rows; row++)
        if (flags[row]) bits[size_t(row / 8)] |= static_cast<unsigned char>(1 << row % 8);
      all[b].push_back(bits.data());
    }
  }
  sum(segments, all);
  for (Table& table : tables) {
    const auto written = [&](int64_t row) { return table.bits[0][size_t(row / 8)] >> row % 8 & 1; };
    for (int64_t row = 0; row < table.rows; row++) {
      if (written(row)) table.written.push_back(row);
      for (const std::vector<void*>& block : values)
        static_cast<unsigned char*>(block[table.flags])[row] =
            static_cast<unsigned char>(written(row));
    }
  }
  return bytes_of(segments);
}

}  // namespace

int64_t sum_by_rows(Sum sum, const std::vector<Segment>& segments, const SumValues& values) {
  std::vector<Table> tables = tables_of(segments, values.size());
  if (tables.empty()) {
    sum(segments, values);
    return bytes_of(segments);
  }
  const int64_t flag_bytes = sum_flags(sum, tables, values);

  std::vector<Segment> rest = segments;
  SumValues sent = values;
  for (Table& table : tables) {
    rest[table.flags].n = 0;  // they are summed
    // Rows are copied, there and back: where that halves what is sent.
    const int64_t count = int64_t(table.written.size());
    if (2 * count > table.rows) continue;
    rest[table.segment].n = segments[table.segment].n / table.rows * count;
    table.packed.resize(values.size());
    for (size_t b = 0; b < values.size(); b++) {
      Bytes& packed = table.packed[b];
      packed.resize(size_t(count) * table.row_bytes);
      const auto* const whole = static_cast<const unsigned char*>(values[b][table.segment]);
      for (size_t i = 0; i < table.written.size(); i++)
        std::memcpy(packed.data() + i * table.row_bytes,
                    whole + size_t(table.written[i]) * table.row_bytes, table.row_bytes);
      sent[b][table.segment] = packed.data();
    }
  }
  sum(rest, sent);
  for (const Table& table : tables) {
    for (size_t b = 0; b < table.packed.size(); b++) {
      auto* const whole = static_cast<unsigned char*>(values[b][table.segment]);
      for (size_t i = 0; i < table.written.size(); i++)
        std::memcpy(whole + size_t(table.written[i]) * table.row_bytes,
                    table.packed[b].data() + i * table.row_bytes, table.row_bytes);
    }
  }
  return flag_bytes + bytes_of(rest);
}

}  // namespace hs
