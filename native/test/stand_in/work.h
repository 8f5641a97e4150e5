// Work of the stand-in driver: streams in which it waits, and graphs that hold it. What a graph
// does is what was asked for when it was recorded, with the arguments of then; of memory that is
// freed under it, it is told by number (memory.h).
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "test/stand_in/memory.h"

namespace hs {
namespace test {

using Work = std::function<void()>;

struct Graph {
  std::vector<Work> work;
  std::set<uint64_t> blocks;  // of memory, that its work has the address of
};

// Work that may not begin before an event has passed.
struct Waiting {
  Work work;
  std::shared_ptr<const bool> until = nullptr;
  bool ready() const { return !until || *until; }
};

struct Stream {
  std::deque<Waiting> waiting;
};

// Of the one stream that is recorded, by the thread that began it.
struct Recording {
  Stream* stream = nullptr;  // nullptr: none is
  std::thread::id thread;
  std::unique_ptr<Graph> graph;
  bool broken = false;  // by a call that a graph cannot hold

  bool here() const { return stream && thread == std::this_thread::get_id(); }
};

// Work with these addresses of the card's memory; others, and null, are passed over.
inline void ask(Stream* stream, Recording& recording, const CardMemory& memory, Work work,
                const std::vector<const void*>& addresses) {
  if (recording.stream != stream) return stream->waiting.push_back({std::move(work)});
  for (const void* address : addresses) {
    if (const uint64_t serial = memory.serial(address)) recording.graph->blocks.insert(serial);
  }
  recording.graph->work.push_back(std::move(work));
}

// What may be an address among the arguments of a kernel.
inline std::vector<const void*> addresses_in(const void* args, size_t bytes) {
  std::vector<const void*> all(bytes / sizeof(void*));
  std::memcpy(all.data(), args, all.size() * sizeof(void*));
  return all;
}

}  // namespace test
}  // namespace hs
