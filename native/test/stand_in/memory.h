// The memory of the stand-in card: what it hands out is an address that the host may never touch;
// the numbers lie elsewhere, between pages that nobody may touch, and are NaN at first.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <vector>

namespace hs {
namespace test {

class CardMemory {
 public:
  static int given_mib() {
    const char* const given = std::getenv("HIDDENSTATE_STAND_IN_MIB");
    return given ? std::atoi(given) : 8192;
  }
  // The address on the card; nullptr where the system has no more, or beyond `limit` bytes in all.
  void* allocate(size_t bytes) {
    const size_t page = size_t(sysconf(_SC_PAGESIZE)), size = (bytes + page - 1) / page * page;
    if (used_ + size > limit) return nullptr;
    Block block = {reserve(size + 2 * page), reserve(size + 2 * page), size + 2 * page, bytes, 0};
    if (!block.card || !block.host) return unmap(block), nullptr;
    if (!write_nan(block.host + page, size)) return unmap(block), nullptr;
    // Its end lies at a page that nobody may touch, as near as cuMemAlloc's alignment allows.
    char* const data = block.card + page + (size - bytes) / 256 * 256;
    block.serial = ++serials_;
    alive_.insert(serials_);
    blocks_[data] = block;
    used_ += size;
    return data;
  }
  bool release(void* data) {
    const auto it = blocks_.find(static_cast<const char*>(data));
    if (it == blocks_.end()) return false;
    used_ -= it->second.size - 2 * size_t(sysconf(_SC_PAGESIZE));
    unmap(it->second);
    alive_.erase(it->second.serial);
    blocks_.erase(it);
    return true;
  }
  // [data, data + bytes) lies in one block.
  bool has(const void* data, size_t bytes) const {
    const auto it = block_of(data);
    return it != blocks_.end() &&
           static_cast<const char*>(data) + bytes <= it->first + it->second.bytes;
  }
  // Where the numbers of an address of the card lie; what is none stays as it is.
  template <typename T>
  T* numbers(T* address) const {
    const auto it = block_of(address);
    if (it == blocks_.end()) return address;
    const Block& block = it->second;
    return reinterpret_cast<T*>(uintptr_t(address) - uintptr_t(block.card) + uintptr_t(block.host));
  }
  // Of the block in which an address lies, a number that no other block has had; 0: in none.
  uint64_t serial(const void* address) const {
    const auto it = block_of(address);
    return it == blocks_.end() ? 0 : it->second.serial;
  }
  bool alive(uint64_t serial) const { return alive_.count(serial) > 0; }
  size_t used() const { return used_; }
  size_t limit = size_t(given_mib()) << 20;

 private:
  struct Block {
    char* card;
    char* host;
    size_t size;   // with a page before and one after
    size_t bytes;  // that were asked for
    uint64_t serial;
  };
  static char* reserve(size_t size) {
    void* const all =
        mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return all == MAP_FAILED ? nullptr : static_cast<char*>(all);
  }
  // NaN of either precision, up to the end of the last page. They are pages of one file, of which
  // the system makes a copy where somebody writes: most of cuBLAS' workspaces is never touched.
  static bool write_nan(char* at, size_t size) {
    static constexpr size_t kPiece = 4 << 20;
    static const int file = [] {
      const int made = memfd_create("NaN", 0);
      const std::vector<char> ones(kPiece, char(0xff));
      return write(made, ones.data(), kPiece) == ssize_t(kPiece) ? made : -1;
    }();
    constexpr int kAccess = PROT_READ | PROT_WRITE, kCopied = MAP_PRIVATE | MAP_FIXED;
    for (size_t done = 0; done < size; done += kPiece) {
      const size_t n = std::min(kPiece, size - done);
      if (mmap(at + done, n, kAccess, kCopied, file, 0) == MAP_FAILED) return false;
    }
    return true;
  }
  static void unmap(const Block& block) {
    if (block.card) munmap(block.card, block.size);
    if (block.host) munmap(block.host, block.size);
  }
  // That which holds the address, or ends at it; end() where none does.
  std::map<const char*, Block>::const_iterator block_of(const void* address) const {
    const char* const at = static_cast<const char*>(address);
    auto it = blocks_.upper_bound(at);
    if (it == blocks_.begin()) return blocks_.end();
    --it;
    return at < it->second.card + it->second.size ? it : blocks_.end();
  }

  std::map<const char*, Block> blocks_;  // by address
  std::set<uint64_t> alive_;
  uint64_t serials_ = 0;
  size_t used_ = 0;
};

}  // namespace test
}  // namespace hs
