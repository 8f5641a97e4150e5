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

  // From its beginning to its end, if there is a timeline. bytes: that go; 0: it does not say.
  class Bar {
   public:
    Bar(Row row, const char* name, int64_t bytes = 0);
    ~Bar();
    Bar(const Bar&) = delete;
    Bar& operator=(const Bar&) = delete;

   private:
    const Row row_;
    const char* const name_;
    const int64_t bytes_;
    const double began_;
  };
};

}  // namespace hs
