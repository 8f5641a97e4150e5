// The Trace Event Format (Google, 2016), in which the list of events needs no end: whatever has
// happened when a process is killed can be read.
#include "world/timeline.h"

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/error.h"

namespace hs {
namespace {

FILE* file = nullptr;  // of stdio, which locks it for each line and writes it at exit
int of_rank = 0;

double microseconds() {
  using Micro = std::chrono::duration<double, std::micro>;
  return Micro(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

void Timeline::open(int rank) {
  const char* const name = std::getenv("HIDDENSTATE_TIMELINE");
  if (!name || !*name || file) return;
  const std::string path = std::string(name) + "-" + std::to_string(rank) + ".json";
  file = std::fopen(path.c_str(), "w");
  if (!file)
    fail(Code::kOption, "distribute", "HIDDENSTATE_TIMELINE", "the beginning of a name of files",
         path + ", which cannot be written");
  of_rank = rank;
  std::fprintf(file, "[\n");
  const char* const rows[] = {"training", "messages"};
  for (int row = 0; row < 2; row++)
    std::fprintf(file,
                 "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%d,\"tid\":%d,"
                 "\"args\":{\"name\":\"%s\"}},\n",
                 rank, row, rows[row]);
}

Timeline::Bar::Bar(Row row, const char* name)
    : row_(row), name_(name), began_(file ? microseconds() : 0) {}

Timeline::Bar::~Bar() {
  if (!file) return;
  std::fprintf(file,
               "{\"ph\":\"X\",\"name\":\"%s\",\"pid\":%d,\"tid\":%d,\"ts\":%.1f,\"dur\":%.1f,"
               "\"args\":{\"bytes\":%" PRId64 "}},\n",
               name_, of_rank, int(row_), began_, microseconds() - began_, bytes);
}

}  // namespace hs
