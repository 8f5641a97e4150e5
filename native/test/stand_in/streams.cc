// Streams of the stand-in driver, and the events that keep them in order.
#include <cstdio>
#include <utility>

#include "test/stand_in/state.h"

namespace hs {
namespace test {
namespace {

// Does work of any stream that may go on, by turns that a seed makes, until done() says so. Where
// none may go on, whoever waits does so for ever.
template <typename Done>
void run_until(const Done& done) {
  StandIn& s = state();
  while (!done()) {
    std::vector<Stream*> able;
    for (const auto& stream : s.streams) {
      if (!stream->waiting.empty() && stream->waiting.front().ready()) able.push_back(stream.get());
    }
    if (able.empty()) {
      std::fputs("stand-in driver: streams wait for each other\n", stderr);
      std::abort();
    }
    Stream& stream = *able[s.turns() % able.size()];
    const Work work = std::move(stream.waiting.front().work);
    stream.waiting.pop_front();
    work();
  }
}

}  // namespace

void run_all(Stream& stream) {
  if (dead()) {
    for (const auto& any : state().streams) any->waiting.clear();
  }
  run_until([&] { return stream.waiting.empty(); });
}

}  // namespace test
}  // namespace hs

using namespace hs::test;

HS_API int cuStreamCreate(void** stream, unsigned) {
  HS_MAY_FAIL_OUTSIDE;
  auto made = std::make_unique<Stream>();
  *stream = made.get();
  s.streams.push_back(std::move(made));
  return 0;
}
HS_API int cuStreamDestroy_v2(void* stream) {
  HS_IN_CONTEXT;
  for (auto it = s.streams.begin(); it != s.streams.end(); ++it) {
    if (it->get() == stream) return run_all(**it), s.streams.erase(it), 0;
  }
  return kInvalidValue;
}
HS_API int cuStreamSynchronize(void* stream) {
  HS_MAY_FAIL_OUTSIDE;
  return run_all(*static_cast<Stream*>(stream)), 0;
}

HS_API int cuEventCreate(void** event, unsigned) {
  HS_MAY_FAIL;
  return *event = new std::shared_ptr<Event>(new Event()), 0;
}
// Work that will pass it keeps it.
HS_API int cuEventDestroy_v2(void* event) {
  HS_LOCKED;
  return delete static_cast<std::shared_ptr<Event>*>(event), 0;
}
HS_API int cuEventRecord(void* event, void* stream) {
  HS_MAY_FAIL;
  const std::shared_ptr<Event> e = *static_cast<std::shared_ptr<Event>*>(event);
  if (const int result = wrong_stream(stream)) return result;
  e->recorded = s.recording.stream == stream;
  if (e->recorded) return 0;
  e->passed = std::make_shared<bool>(false);
  static_cast<Stream*>(stream)->waiting.push_back({[passed = e->passed] { *passed = true; }});
  return 0;
}
// What is asked for in the stream from now on waits for what the event says now. One of a graph, or
// in a graph, would be part of the graph; of several streams none here is.
HS_API int cuStreamWaitEvent(void* stream, void* event, unsigned flags) {
  HS_MAY_FAIL;
  const std::shared_ptr<Event> e = *static_cast<std::shared_ptr<Event>*>(event);
  if (const int result = wrong_stream(stream)) return result;
  s.waits++;
  if (flags != 0) return kInvalidValue;
  if (e->recorded || s.recording.stream == stream) {
    s.recording.broken = true;
    return kRecordingUnsupported;
  }
  static_cast<Stream*>(stream)->waiting.push_back({[] {}, e->passed});
  return 0;
}
HS_API int cuEventSynchronize(void* event) {
  HS_MAY_FAIL_OUTSIDE;
  const std::shared_ptr<Event> e = *static_cast<std::shared_ptr<Event>*>(event);
  if (e->recorded) return kInvalidValue;
  if (dead()) return 0;
  run_until([&] { return *e->passed; });
  return 0;
}

// ---- for tests

HS_API void stand_in_turns(int seed) { state().turns.seed(unsigned(seed)); }
HS_API long stand_in_waits() { return state().waits; }  // of a stream for an event
