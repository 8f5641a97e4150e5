// An opened card: its context and the kernels on it.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "device/cuda/driver.h"

namespace hs {

class Card {
 public:
  // The card of that number, opened at the first call; it stays open as long as the process lives.
  // Throws Error(kDevice) where there is none, or no driver or cuBLAS: with the reason.
  static Card& open(int ordinal);

  const CudaDriver& driver;
  const Cublas& blas;
  const int ordinal;
  const int major, minor;  // of the compute capability
  const size_t workspace;  // bytes for each handle of cuBLAS, as its guide says

  void use() const;  // by the calling thread, from here on
  // Of kernels/. Throws Error(kInternal) where there is none of that name.
  void* kernel(const std::string& name);

 private:
  struct Opened {
    void* context;
    int major, minor;  // of the compute capability
  };
  static Opened open_context(const CudaDriver&, int ordinal);
  Card(const CudaDriver&, const Cublas&, int ordinal, const Opened&);
  void* const context_;
  void* module_ = nullptr;
  std::mutex mutex_;
  std::unordered_map<std::string, void*> kernels_;
};

// What is known of a card without opening it.
struct CardInfo {
  std::string name;
  int64_t memory = 0;        // bytes
  int major = 0, minor = 0;  // compute capability
  // As the driver says them; 0: it does not. Clocks in kHz, the memory's bus in bits.
  int processors = 0, clock = 0, memory_clock = 0, bus = 0;
};

struct CudaInfo {
  std::vector<CardInfo> cards;  // empty: why says the reason
  int driver = 0;               // version: 1000 * major + 10 * minor
  std::string blas;             // the file of cuBLAS; "": none, why_no_blas
  std::string why, why_no_blas;
};
CudaInfo cuda_info();

// The file that kernels are read from; set before a card is opened.
void set_cuda_kernels(const std::string& path);

}  // namespace hs
