// Where blocks (arena.h) come from: the memory of a device. Addresses in it mean nothing to the
// host but through these calls.
#pragma once
#include <cstdint>

namespace hs {

class Memory {
 public:
  // Bytes, and what they are, for errors.
  struct Room {
    int64_t bytes;
    const char* what;
  };

  virtual ~Memory() = default;
  // For what has `held` bytes of it now and gives them back, at most.
  virtual Room room(int64_t held) const = 0;
  // Aligned for every real. zeros: all of it is 0; else nobody may count on that. Throws
  // std::bad_alloc.
  virtual void* allocate(int64_t bytes, bool zeros) = 0;
  virtual void release(void* memory, int64_t bytes, bool zeros) noexcept = 0;  // as allocated
  virtual void upload(void* to, const void* host, int64_t bytes) = 0;
  // Returns when all that was asked for before has been done.
  virtual void download(void* host, const void* from, int64_t bytes) const = 0;
  virtual void copy(void* to, const void* from, int64_t bytes) = 0;
  virtual void zero(void* to, int64_t bytes) = 0;
};

}  // namespace hs
