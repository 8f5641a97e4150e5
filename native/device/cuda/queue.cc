#include "device/cuda/queue.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <new>
#include <string_view>

#include "device/cuda/refusals.h"

namespace hs {
namespace {

constexpr unsigned kThreads = 256;           // of a block
constexpr int64_t kMostBlocks = 2147483647;  // CUDA's limit of a grid
constexpr unsigned kNonBlocking = 1;         // CU_STREAM_NON_BLOCKING
constexpr unsigned kNoTiming = 2;            // CU_EVENT_DISABLE_TIMING
// Larger uploads go in pieces, so that the memory for them stays small.
constexpr int64_t kPiece = 4 << 20;
// Memory that the card reads on its own is taken from all other programs: more than this goes
// through it in pieces.
constexpr int64_t kMostStaged = 32 << 20;

CudaAddress address(const void* p) {
  return static_cast<CudaAddress>(reinterpret_cast<uintptr_t>(p));
}

int fits_int(int64_t n) {
  if (n > 2147483647) refuse(CardRefusal::kMatrix, "device 'cuda'", std::to_string(n));
  return static_cast<int>(n);
}

}  // namespace

CardQueue::CardQueue(Card& card, Operands operands) : card_(card), operands_(operands) {
  try {
    open();
  } catch (...) {
    close();
    throw;
  }
}

void CardQueue::open() {
  card_.use();
  for (void** stream : {&stream_, &copies_})
    check_cuda(card_.driver.cuStreamCreate(stream, kNonBlocking), "cuStreamCreate");
  for (void** event : {&sent_, &taken_})
    check_cuda(card_.driver.cuEventCreate(event, kNoTiming), "cuEventCreate");
  sending_ = stream_;
  check_cublas(card_.blas.cublasCreate_v2(&blas_), "cublasCreate");
  check_cublas(card_.blas.cublasSetStream_v2(blas_, stream_), "cublasSetStream");
  graphs_.use(stream_);
  told_.assign(size_t(kTold), 0);
  told_there_ = allocate(kTold);
  step_place_ = place(sizeof(step_number_));
  workspace_ = allocate(int64_t(card_.workspace));
  check_cublas(card_.blas.cublasSetWorkspace_v2(blas_, workspace_, card_.workspace),
               "cublasSetWorkspace");
}

// The driver may be gone at the end of the process: then its answers do not matter.
CardQueue::~CardQueue() {
  try {
    card_.use();
    synchronize(copies_);
    wait();
  } catch (...) {
  }
  close();
}

void CardQueue::close() noexcept {
  graphs_.drop();
  if (blas_) card_.blas.cublasDestroy_v2(blas_);
  if (told_there_) card_.driver.cuMemFree_v2(address(told_there_));
  if (workspace_) card_.driver.cuMemFree_v2(address(workspace_));
  for (const Room& room : {scratch_, operand_rooms_[0], operand_rooms_[1]})
    if (room.memory) card_.driver.cuMemFree_v2(address(room.memory));
  for (Slot& slot : slots_) {
    if (slot.memory) card_.driver.cuMemFreeHost(slot.memory);
    if (slot.event) card_.driver.cuEventDestroy_v2(slot.event);
  }
  for (void* event : {sent_, taken_})
    if (event) card_.driver.cuEventDestroy_v2(event);
  for (void* stream : {stream_, copies_})
    if (stream) card_.driver.cuStreamDestroy_v2(stream);
}

Memory::Room CardQueue::room(int64_t held) const {
  card_.use();
  return {free_bytes() + held, "the memory that is free on the card"};
}

void* CardQueue::allocate(int64_t bytes) {
  card_.use();
  graphs_.needs_host();
  CudaAddress memory = 0;
  const int result = card_.driver.cuMemAlloc_v2(&memory, size_t(std::max<int64_t>(bytes, 1)));
  check_cuda(result, "cuMemAlloc");
  auto* const block = reinterpret_cast<char*>(static_cast<uintptr_t>(memory));
  try {
    blocks_[block] = bytes;
  } catch (...) {
    card_.driver.cuMemFree_v2(memory);
    throw;
  }
  return block;
}

void CardQueue::release(void* memory) noexcept {
  try {
    card_.use();
    synchronize(copies_);  // of what is freed nothing may be under way
    wait();
  } catch (...) {
  }
  graphs_.drop();
  blocks_.erase(static_cast<const char*>(memory));
  card_.driver.cuMemFree_v2(address(memory));
}

void* CardQueue::reserve(Room& room, int64_t bytes) {
  if (bytes <= room.bytes) return room.memory;
  if (room.memory) release(room.memory);  // first: both may be more than the card has
  room = {};
  room = {allocate(bytes), bytes};
  return room.memory;
}

int CardQueue::ask(FunctionRef<int()> call) {
  const int result = call();
  // What is recorded has not been done: it is all asked for anew.
  if (result == 0 || !changes_ || graphs_.records()) return result;
  card_.driver.cuStreamSynchronize(stream_);
  return call();
}

void* CardQueue::scratch(int64_t bytes) { return reserve(scratch_, bytes); }

int64_t CardQueue::bytes() const {
  return int64_t(card_.workspace) + scratch_.bytes + operand_rooms_[0].bytes +
         operand_rooms_[1].bytes;
}

void CardQueue::copy(void* to, const void* from, int64_t bytes) {
  if (bytes == 0 || leaves_out()) return;
  if (rehearses_) {
    asked_.moves++, asked_.bytes += 2 * double(bytes);
    return;
  }
  card_.use();
  check_cuda(ask([&] {
               return card_.driver.cuMemcpyDtoDAsync_v2(address(to), address(from), size_t(bytes),
                                                        stream_);
             }),
             "cuMemcpyDtoD");
}

void CardQueue::zero(void* to, int64_t bytes) {
  if (bytes == 0 || leaves_out()) return;
  if (rehearses_) {
    asked_.moves++, asked_.bytes += double(bytes);
    return;
  }
  card_.use();
  check_cuda(
      ask([&] { return card_.driver.cuMemsetD8Async(address(to), 0, size_t(bytes), stream_); }),
      "cuMemsetD8");
}

void CardQueue::reserve(Slot& slot, int64_t bytes) {
  if (!slot.event)
    check_cuda(ask([&] { return card_.driver.cuEventCreate(&slot.event, kNoTiming); }),
               "cuEventCreate");
  if (slot.busy) {
    check_cuda(ask([&] { return card_.driver.cuEventSynchronize(slot.event); }),
               "cuEventSynchronize");
    slot.busy = false;
  }
  if (slot.bytes >= bytes) return;
  if (slot.memory)
    check_cuda(ask([&] { return card_.driver.cuMemFreeHost(slot.memory); }), "cuMemFreeHost");
  slot.memory = nullptr, slot.bytes = 0;
  check_cuda(ask([&] { return card_.driver.cuMemAllocHost_v2(&slot.memory, size_t(bytes)); }),
             "cuMemAllocHost");
  slot.bytes = bytes;
}

void* CardQueue::stage(int64_t bytes) {
  graphs_.needs_host();
  return next_slot(bytes);
}

void* CardQueue::next_slot(int64_t bytes) {
  card_.use();
  if (in_flight_) synchronize(in_flight_);
  if (bytes > kMostStaged) {
    if (large_.size() < size_t(bytes)) large_.resize(size_t(bytes));
    return large_.data();
  }
  Slot& slot = slots_[next_];
  reserve(slot, std::max<int64_t>(bytes, 1));
  return slot.memory;
}

void CardQueue::send(void* to, int64_t bytes) {
  if (bytes == 0 || rehearses_) return;
  if (bytes > kMostStaged) return upload(to, large_.data(), bytes);
  Slot& slot = slots_[next_];
  check_cuda(ask([&] {
               return card_.driver.cuMemcpyHtoDAsync_v2(address(to), slot.memory, size_t(bytes),
                                                        sending_);
             }),
             "cuMemcpyHtoD");
  in_flight_ = sending_;
  check_cuda(ask([&] { return card_.driver.cuEventRecord(slot.event, sending_); }),
             "cuEventRecord");
  in_flight_ = nullptr, slot.busy = true;
  next_ = (next_ + 1) % kSlots;
}

void CardQueue::upload(void* to, const void* host, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += kPiece) {
    const int64_t n = std::min(kPiece, bytes - at);
    std::memcpy(stage(n), static_cast<const char*>(host) + at, size_t(n));
    send(static_cast<char*>(to) + at, n);
  }
}

void CardQueue::download(void* host, const void* from, int64_t bytes) {
  leaves_out();
  if (rehearses_) {
    std::memset(host, 0, size_t(bytes));
    return;
  }
  card_.use();
  for (int64_t at = 0; at < bytes; at += kPiece) {
    const int64_t n = std::min(kPiece, bytes - at);
    void* const staged = stage(n);
    check_cuda(ask([&] {
                 return card_.driver.cuMemcpyDtoHAsync_v2(
                     staged, address(static_cast<const char*>(from) + at), size_t(n), stream_);
               }),
               "cuMemcpyDtoH");
    in_flight_ = stream_;
    wait();
    std::memcpy(static_cast<char*>(host) + at, staged, size_t(n));
  }
}

void CardQueue::repeated(const std::vector<int64_t>& alike, FunctionRef<void()> run) {
  card_.use();
  struct Done {
    std::vector<Postponed>& postponed;
    ~Done() { postponed.clear(); }
  } done{postponed_};
  alike_ = alike;
  for (const Postponed& p : postponed_)
    alike_.insert(alike_.end(), std::begin(p.args), std::end(p.args));
  const bool changes = changes_;
  const auto from_start = [&] {
    changes_ = changes;
    launch_all(postponed_);
    run();
  };
  graphs_.repeated(alike_, from_start, [&] { send_told(); });
}

Work CardQueue::rehearse(FunctionRef<void()> run) {
  struct Rehearsal {
    bool& on;
    ~Rehearsal() { on = false; }
  } rehearsal{rehearses_ = true};
  asked_ = {};
  run();
  return asked_;
}

// A thread reads or writes a number at each address, as far as there are any: which is so but for
// numbers that many threads share, and sums.
void CardQueue::count_launch(const void* args, size_t bytes, int64_t bytes_each) {
  asked_.launches++;
  for (size_t at = 0; at + sizeof(char*) <= bytes; at += sizeof(char*)) {
    const char* p;
    std::memcpy(&p, static_cast<const char*>(args) + at, sizeof(p));
    auto block = blocks_.upper_bound(p);
    if (block == blocks_.begin()) continue;
    --block;
    const int64_t left = block->second - (p - block->first);
    if (left > 0) asked_.bytes += double(std::min(left, bytes_each));
  }
}

void CardQueue::launch_all(const std::vector<Postponed>& all) {
  for (const Postponed& p : all) launch(p.name, p.single, p.args, p.threads);
}

// Asked at each call. What is postponed comes before one that is not repeated.
bool CardQueue::leaves_out() {
  if (graphs_.turn() == 0 && !postponed_.empty()) {
    const std::vector<Postponed> all = std::move(postponed_);
    postponed_.clear();
    launch_all(all);
  }
  return graphs_.leaves_out();
}

int64_t CardQueue::free_bytes() const {
  size_t free = 0, total = 0;
  check_cuda(card_.driver.cuMemGetInfo_v2(&free, &total), "cuMemGetInfo");
  return static_cast<int64_t>(free);
}

void* CardQueue::place(int64_t bytes) {
  for (Told& told : places_) {
    if (told.used || told.bytes != bytes) continue;
    told.used = true;
    return static_cast<char*>(told_there_) + told.offset;
  }
  const int64_t offset = (told_bytes_ + 15) / 16 * 16;
  if (offset + bytes > kTold)
    fail(Code::kInternal, "device 'cuda'", "what a card is told", std::to_string(kTold) + " bytes",
         std::to_string(offset + bytes));
  places_.push_back({offset, bytes, 0, true});
  told_bytes_ = offset + bytes;
  told_changed_ = true;
  return static_cast<char*>(told_there_) + offset;
}

CardQueue::Told& CardQueue::told_at(const void* place) {
  const int64_t offset = static_cast<const char*>(place) - static_cast<char*>(told_there_);
  return *std::find_if(places_.begin(), places_.end(),
                       [&](const Told& t) { return t.offset == offset; });
}

void CardQueue::leave(void* place) { told_at(place).used = false; }

void CardQueue::tell(void* place, FunctionRef<void(void* host)> write) {
  Told& told = told_at(place);
  if (graphs_.turn() != 0 && told.turn == graphs_.turn())
    fail(Code::kInternal, "device 'cuda'", "what a card is told", "one content a step", "another");
  told.turn = graphs_.turn();
  write(told_.data() + told.offset);
  told_changed_ = true;
}

const uint64_t* CardQueue::step_number(uint64_t step) {
  if (step != step_number_)
    tell(step_place_, [&](void* host) { std::memcpy(host, &step, sizeof(step)); });
  step_number_ = step;
  return static_cast<const uint64_t*>(step_place_);
}

void CardQueue::send_told() {
  if (!told_changed_) return;
  std::memcpy(next_slot(told_bytes_), told_.data(), size_t(told_bytes_));
  send(told_there_, told_bytes_);
  told_changed_ = false;
}

void CardQueue::wait() {
  graphs_.needs_host();
  synchronize(stream_);
}

void CardQueue::synchronize(void* stream) {
  check_cuda(ask([&] { return card_.driver.cuStreamSynchronize(stream); }), "cuStreamSynchronize");
  if (in_flight_ == stream) in_flight_ = nullptr;
}

void CardQueue::beside(FunctionRef<void()> run) {
  card_.use();
  struct Restored {
    CardQueue& q;
    const bool changes;
    ~Restored() { q.sending_ = q.stream_, q.changes_ = changes; }
  } restored{*this, std::exchange(changes_, false)};
  check_cuda(card_.driver.cuStreamWaitEvent(copies_, taken_, 0), "cuStreamWaitEvent");
  sending_ = copies_;
  run();
  check_cuda(card_.driver.cuEventRecord(sent_, copies_), "cuEventRecord");
}

void CardQueue::take(void* to, const void* sent, int64_t bytes) {
  card_.use();
  check_cuda(card_.driver.cuStreamWaitEvent(stream_, sent_, 0), "cuStreamWaitEvent");
  check_cuda(card_.driver.cuMemcpyDtoDAsync_v2(address(to), address(sent), size_t(bytes), stream_),
             "cuMemcpyDtoD");
  check_cuda(card_.driver.cuEventRecord(taken_, stream_), "cuEventRecord");
}

void* CardQueue::kernel(const char* name, bool single) {
  char full[64];  // no string: launches need no memory of the host
  std::snprintf(full, sizeof(full), "%s_%s", name, single ? "f32" : "f64");
  const auto it = kernels_.find(std::string_view(full));
  if (it != kernels_.end()) return it->second;
  return kernels_[full] = card_.kernel(full);
}

void CardQueue::launch(const char* name, bool single, const void* args, int64_t threads,
                       size_t bytes) {
  if (threads == 0 || leaves_out()) return;
  if (rehearses_) return count_launch(args, bytes, threads * (single ? 4 : 8));
  card_.use();
  if (told_changed_ && !graphs_.records()) send_told();
  void* const kernel = this->kernel(name, single);
  const int64_t blocks = (threads + kThreads - 1) / kThreads;
  if (blocks > kMostBlocks)
    throw Error(Code::kShape, "device 'cuda'", std::string(name) + ": too many numbers.");
  void* params[] = {const_cast<void*>(args)};
  check_cuda(ask([&] {
               return card_.driver.cuLaunchKernel(kernel, unsigned(blocks), 1, 1, kThreads, 1, 1, 0,
                                                  stream_, params, nullptr);
             }),
             name);
}

const uint16_t* CardQueue::as_bfloat16(int side, const float* x, int64_t n) {
  auto* const to = static_cast<uint16_t*>(reserve(operand_rooms_[side], 2 * n));
  launch("to_bfloat16", ToBfloat16Args<float>{n, to, x});
  return to;
}

template <typename real>
CardQueue::Matrix<real> CardQueue::rounded(Matrix<real> m, int64_t rows, real* room) {
  if constexpr (std::is_same_v<real, float>) {
    if (!rounds_to_bfloat16<real>()) return m;
    auto* const to = reinterpret_cast<uint16_t*>(room);
    launch("to_bfloat16", ToBfloat16Args<float>{rows * m.ld, to, m.data});
    m.rounded = to;
  }
  return m;
}

// cuBLAS counts by columns: what it takes for c^T = op(b)^T op(a)^T is c by rows.
template <typename real>
void CardQueue::multiply_all(int64_t count, real* c, int64_t ldc, Matrix<real> a, Matrix<real> b,
                             int64_t M, int64_t N, int64_t K, bool adds) {
  if (M == 0 || N == 0 || count == 0 || leaves_out()) return;
  if (K == 0) {
    for (int64_t row = 0; !adds && row < count * M; row++)
      zero(c + row * ldc, N * int64_t(sizeof(real)));
    return;
  }
  const int64_t a_rows = a.transposed ? K : M, b_rows = b.transposed ? N : K;  // as they lie
  const void *x = b.data, *y = a.data;
  int type = sizeof(real) == 4 ? kCudaFloat : kCudaDouble;
  int compute = sizeof(real) == 4 ? kComputeFloat : kComputeDouble;
  if constexpr (std::is_same_v<real, float>) {
    if (operands_ == Operands::kTf32) compute = kComputeTf32;
    if (rounds_to_bfloat16<real>()) {
      // To the end of the last row, which need not be as long as ld.
      const int64_t a_numbers = (count * a_rows - 1) * a.ld + (a.transposed ? M : K);
      const int64_t b_numbers = (count * b_rows - 1) * b.ld + (b.transposed ? K : N);
      x = b.rounded ? b.rounded : as_bfloat16(0, b.data, b_numbers);
      y = a.rounded ? a.rounded : as_bfloat16(1, a.data, a_numbers);
      type = kCudaBfloat16;
    }
  }
  const int m = fits_int(N), n = fits_int(M), k = fits_int(K);
  const int ldx = fits_int(b.ld), ldy = fits_int(a.ld), ldz = fits_int(ldc);
  if (rehearses_) {
    const double read = (double(m) + n) * k, written = double(m) * n * (adds ? 2 : 1);
    asked_.launches++, asked_.flop += double(count) * 2 * m * n * k;
    asked_.bytes += double(count) *
                    (read * (type == kCudaBfloat16 ? 2 : sizeof(real)) + written * sizeof(real));
    return;
  }
  card_.use();
  const real one = 1, beta = adds ? 1 : 0;
  const int c_type = sizeof(real) == 4 ? kCudaFloat : kCudaDouble;
  const int result = ask([&] {
    if (count == 1) {
      return card_.blas.cublasGemmEx(blas_, b.transposed, a.transposed, m, n, k, &one, x, type, ldx,
                                     y, type, ldy, &beta, c, c_type, ldz, compute, kAnyAlgorithm);
    }
    return card_.blas.cublasGemmStridedBatchedEx(
        blas_, b.transposed, a.transposed, m, n, k, &one, x, type, ldx, b_rows * b.ld, y, type, ldy,
        a_rows * a.ld, &beta, c, c_type, ldz, M * ldc, fits_int(count), compute, kAnyAlgorithm);
  });
  // Of a card that is lost cuBLAS only says that it failed; the driver says which it is.
  if (result != 0 && !graphs_.records())
    check_cuda(card_.driver.cuStreamSynchronize(stream_), "cublasGemmEx");
  check_cublas(result, "cublasGemmEx");
}

#define HS_INSTANTIATE(real)                                                                       \
  template CardQueue::Matrix<real> CardQueue::rounded<real>(Matrix<real>, int64_t, real*);         \
  template void CardQueue::multiply_all<real>(int64_t, real*, int64_t, Matrix<real>, Matrix<real>, \
                                              int64_t, int64_t, int64_t, bool);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
