// The memory of the stand-in card: the host may not touch it but while work runs; it lies between
// pages that nobody may touch, and is NaN at first.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <map>

namespace hs {
namespace test {

class CardMemory {
 public:
  // nullptr where the system has no more, or beyond `limit` bytes in all.
  void* allocate(size_t bytes) {
    const size_t page = size_t(sysconf(_SC_PAGESIZE)), size = (bytes + page - 1) / page * page;
    if (used_ + size > limit) return nullptr;
    void* const all = mmap(nullptr, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) return nullptr;
    char* const pages = static_cast<char*>(all) + page;
    mprotect(pages, size, PROT_READ | PROT_WRITE);
    std::memset(pages, 0xff, size);
    if (open_ == 0) mprotect(pages, size, PROT_NONE);
    // Its end lies at a page that nobody may touch, as near as cuMemAlloc's alignment allows.
    char* const data = pages + (size - bytes) / 256 * 256;
    blocks_[data] = {all, pages, size, bytes};
    used_ += size;
    return data;
  }
  bool release(void* data) {
    const auto it = blocks_.find(static_cast<const char*>(data));
    if (it == blocks_.end()) return false;
    const size_t page = size_t(sysconf(_SC_PAGESIZE));
    used_ -= it->second.size;
    munmap(it->second.all, it->second.size + 2 * page);
    blocks_.erase(it);
    return true;
  }
  // [data, data + bytes) lies in one block.
  bool has(const void* data, size_t bytes) const {
    const char* const at = static_cast<const char*>(data);
    auto it = blocks_.upper_bound(at);
    if (it == blocks_.begin()) return false;
    --it;
    return at + bytes <= it->first + it->second.bytes;
  }
  void open(bool on) {
    open_ += on ? 1 : -1;
    if (on ? open_ != 1 : open_ != 0) return;
    for (auto& [data, block] : blocks_)
      mprotect(block.pages, block.size, on ? PROT_READ | PROT_WRITE : PROT_NONE);
  }
  size_t used() const { return used_; }
  size_t limit = size_t(8) << 30;

 private:
  struct Block {
    void* all;
    char* pages;
    size_t size, bytes;
  };
  std::map<const char*, Block> blocks_;
  int open_ = 0;
  size_t used_ = 0;
};

}  // namespace test
}  // namespace hs
