// What the functions of the stand-in driver share.
#pragma once
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "test/stand_in/work.h"

namespace hs {
namespace test {

constexpr int kInvalidValue = 1, kOutOfMemory = 2, kNotInitialized = 3, kInvalidDevice = 101,
              kInvalidImage = 200, kInvalidContext = 201, kInvalidPtx = 218, kNotFound = 500,
              kLaunchFailed = 719;
constexpr int kErrorLog = 5, kErrorLogBytes = 6;  // CU_JIT_ERROR_LOG_BUFFER, _SIZE_BYTES
constexpr int kIllegalAddress = 700, kNotSupported = 801, kRecordingUnsupported = 900,
              kRecordingInvalidated = 901, kNotRecording = 904, kRecordingImplicit = 906;
constexpr int kBlasNotInitialized = 1, kBlasAllocFailed = 3, kBlasInvalidValue = 7,
              kBlasExecutionFailed = 13, kBlasNotSupported = 15;

struct Event {
  std::shared_ptr<bool> passed = std::make_shared<bool>(true);  // where it was recorded last
  bool recorded = false;  // in a graph: nobody can wait for it
};
struct StandIn {
  std::recursive_mutex mutex;
  CardMemory memory;
  std::vector<std::unique_ptr<Stream>> streams;
  std::mt19937 turns{1};  // whose turn it is
  std::map<const char*, size_t> pinned_bytes;
  bool started = false;
  Recording recording;
  bool no_graphs = false;
  long calls = 0, launches = 0, products = 0, graphs = 0, sent = 0, waits = 0;
  long fail_at = -1;  // of `calls`
  int fail_with = 0;
  bool sticky = false;
  bool dead = false;
  std::string image;
};

inline StandIn& state() {
  static StandIn* const all = new StandIn();
  return *all;
}

void run_all(Stream& stream);  // streams.cc

// The context that the calling thread has chosen.
inline void*& context() {
  static thread_local void* current = nullptr;
  return current;
}

// What all calls give once the context is dead; 0: it is not.
inline int dead() {
  static const char* const file = std::getenv("HIDDENSTATE_STAND_IN_DEAD");
  StandIn& s = state();
  if (file && !s.dead && access(file, F_OK) == 0) s.dead = true, s.fail_with = kLaunchFailed;
  return s.dead ? s.fail_with : 0;
}

// Whether this call, one of those that a card may refuse, is the one to fail.
inline int refused() {
  StandIn& s = state();
  const long call = s.calls++;
  if (const int code = dead()) return code;
  if (call != s.fail_at) return 0;
  s.dead = s.sticky;
  return s.fail_with;
}

// What this thread may not call while it records.
inline int not_recorded() {
  Recording& recording = state().recording;
  if (!recording.here()) return 0;
  recording.broken = true;
  return kRecordingUnsupported;
}

// 0: work may go to that stream. The legacy stream waits for others, and nobody should use it.
inline int wrong_stream(const void* stream) {
  if (stream) return 0;
  Recording& recording = state().recording;
  if (!recording.here()) return kInvalidValue;
  recording.broken = true;
  return kRecordingImplicit;
}

inline int ask(void* stream, Work work, const std::vector<const void*>& addresses) {
  StandIn& s = state();
  if (const int result = wrong_stream(stream)) return result;
  ask(static_cast<Stream*>(stream), s.recording, s.memory, std::move(work), addresses);
  return 0;
}

}  // namespace test
}  // namespace hs

#define HS_API extern "C" __attribute__((visibility("default")))
#define HS_LOCKED                                            \
  StandIn& s = state();                                      \
  const std::lock_guard<std::recursive_mutex> lock(s.mutex); \
  (void)s
#define HS_IN_CONTEXT                     \
  HS_LOCKED;                              \
  if (!context()) return kInvalidContext; \
  if (const int code = dead()) return code
#define HS_MAY_FAIL \
  HS_IN_CONTEXT;    \
  if (const int result = refused()) return result
#define HS_MAY_FAIL_OUTSIDE \
  HS_MAY_FAIL;              \
  if (const int result = not_recorded()) return result
