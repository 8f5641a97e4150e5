// Graphs of the stand-in driver: recording, and launches of what was recorded.
#include "test/stand_in/state.h"

namespace {

struct Launchable {
  std::shared_ptr<const hs::test::Graph> graph;
};

}  // namespace

using namespace hs::test;

HS_API int cuStreamBeginCapture_v2(void* stream, int mode) {
  HS_MAY_FAIL;
  if (s.no_graphs) return kNotSupported;
  if (!stream || s.recording.stream || mode < 0 || mode > 2) return kInvalidValue;
  s.recording.stream = static_cast<Stream*>(stream);
  s.recording.thread = std::this_thread::get_id();
  s.recording.graph = std::make_unique<Graph>();
  s.recording.broken = false;
  return 0;
}
// It ends whatever it answers.
HS_API int cuStreamEndCapture(void* stream, void** graph) {
  HS_LOCKED;
  *graph = nullptr;
  if (!stream || s.recording.stream != stream) return kNotRecording;
  s.recording.stream = nullptr;
  if (const int result = refused()) return result;
  if (s.recording.broken) return kRecordingInvalidated;
  return *graph = s.recording.graph.release(), 0;
}
HS_API int cuGraphInstantiateWithFlags(void** exec, void* graph, unsigned long long) {
  HS_MAY_FAIL;
  auto copy = std::make_shared<const Graph>(*static_cast<const Graph*>(graph));
  return *exec = new Launchable{std::move(copy)}, 0;
}
HS_API int cuGraphLaunch(void* exec, void* stream) {
  HS_MAY_FAIL;
  const std::shared_ptr<const Graph> graph = static_cast<const Launchable*>(exec)->graph;
  for (const uint64_t block : graph->blocks) {
    if (!s.memory.alive(block)) return kIllegalAddress;
  }
  s.graphs++;
  return ask(stream,
             [graph] {
               for (const Work& work : graph->work) work();
             },
             {});
}
HS_API int cuGraphExecDestroy(void* exec) { return delete static_cast<Launchable*>(exec), 0; }
HS_API int cuGraphDestroy(void* graph) { return delete static_cast<Graph*>(graph), 0; }

// ---- for tests

HS_API long stand_in_graphs() { return state().graphs; }  // launched
HS_API void stand_in_no_graphs(int on) { state().no_graphs = on != 0; }
