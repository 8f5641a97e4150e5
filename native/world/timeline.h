// What this rank does when, as a file for chrome://tracing or ui.perfetto.dev: how much of what
// goes between ranks happens while they compute.
#pragma once
#include <cstdint>

namespace hs {

class Timeline {
 public:
  enum class Row { kTraining, kMessages };  // threads

  // Where HIDDENSTATE_TIMELINE says so: NAME-0.json of rank 0 of all. Once. Throws Error(kOption)
  // where that cannot be written.
  static void open(int rank);

  // From its beginning to its end, if there is a timeline.
  class Bar {
   public:
    Bar(Row row, const char* name);
    ~Bar();
    Bar(const Bar&) = delete;
    Bar& operator=(const Bar&) = delete;
    int64_t bytes = 0;  // that are summed

   private:
    const Row row_;
    const char* const name_;
    const double began_;
  };
};

}  // namespace hs
