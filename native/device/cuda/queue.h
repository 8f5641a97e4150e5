// Work for a card, done in the order in which it is asked for: one stream, one cuBLAS handle with a
// workspace of its own (so that equal calls give equal bits), and memory for what goes to and fro.
// A plan has one; one thread at a time uses it.
#pragma once
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/function_ref.h"
#include "base/memory.h"
#include "base/work.h"
#include "device/cuda/card.h"
#include "device/cuda/graphs.h"
#include "device/cuda/kernels/args.h"
#include "device/device.h"

namespace hs {

class CardQueue {
 public:
  explicit CardQueue(Card& card, Operands operands = Operands::kExact);
  ~CardQueue();
  CardQueue(const CardQueue&) = delete;
  CardQueue& operator=(const CardQueue&) = delete;

  // --- memory. Throws Error(kOutOfMemory) where the card has no more of it
  Memory::Room room(int64_t held) const;
  void* allocate(int64_t bytes);
  int64_t free_bytes() const;  // of the card
  void release(void* memory) noexcept;
  void copy(void* to, const void* from, int64_t bytes);
  void zero(void* to, int64_t bytes);
  // The host's bytes may change as soon as it returns.
  void upload(void* to, const void* host, int64_t bytes);
  // Returns when all that was asked for before has been done.
  void download(void* host, const void* from, int64_t bytes);
  // Memory of the host, `bytes` long: what the caller writes there until send() goes to the card.
  // Holds for one send().
  void* stage(int64_t bytes);
  void send(void* to, int64_t bytes);
  // What run() sends goes to the card beside the work that has been asked for, to memory that
  // take() alone reads: once what was sent before it has been taken.
  void beside(FunctionRef<void()> run);
  void take(void* to, const void* sent, int64_t bytes);
  void wait();
  void begin() { changes_ = false, postponed_.clear(); }  // of a batch
  // Whether what is asked for changes what stays after a batch: then a call that the driver refuses
  // is asked again when all before it is done, since half of a change is of no use to anybody.
  void change(bool on) { changes_ = on; }
  // Memory of the card for what is asked for next: whoever calls it after that gets the same.
  void* scratch(int64_t bytes);
  int64_t bytes() const;  // of the card's memory that it holds itself

  // --- work that is asked for again and again (graphs.h)
  void repeated(const std::vector<int64_t>& alike, FunctionRef<void()> run);
  // Counts what run() asks for, and does none of it; numbers that it reads are 0.
  Work rehearse(FunctionRef<void()> run);
  // A launch that begins what is repeated next, or comes before whatever else is asked for. Its
  // arguments are 8 bytes each.
  template <template <typename> class Args, typename real>
  void postpone(const char* name, const Args<real>& args) {
    static_assert(sizeof(args) <= sizeof(Postponed::args), "room for them");
    Postponed launch = {name, sizeof(real) == 4, args.n, {}};
    std::memcpy(launch.args, &args, sizeof(args));
    postponed_.push_back(launch);
  }
  // What changes from one time to the next is told to the card: kernels are given its place, which
  // holds as long as the queue. write(host) puts it there: a place has one content while repeated
  // work is under way.
  void* place(int64_t bytes);
  void leave(void* place);  // no longer used
  void tell(void* place, FunctionRef<void(void* host)> write);
  // The number of a batch (DropoutKey::step) on the card.
  const uint64_t* step_number(uint64_t step);

  // --- kernels (kernels/args.h): args.n threads. name without the precision: "fill"
  template <template <typename> class Args, typename real>
  void launch(const char* name, const Args<real>& args) {
    launch(name, sizeof(real) == 4, &args, args.n, sizeof(args));
  }
  // Finds a kernel, so that its first launch, too, needs no memory of the host.
  template <typename real>
  void find(const char* name) {
    kernel(name, sizeof(real) == 4);
  }

  template <typename real>
  void fill(real* y, std::common_type_t<real> a, int64_t n) {
    launch("fill", FillArgs<real>{n, y, a});
  }
  template <typename real>
  void add(real* y, const real* x, int64_t n) {  // y += x
    launch("add", AddArgs<real>{n, y, x});
  }

  // --- products, row-major: c [M, N] = op(a) op(b) + (adds ? c : 0), with rows of ld numbers.
  template <typename real>
  struct Matrix {
    const real* data;
    int64_t ld;
    bool transposed = false;             // [cols, rows] lies there
    const uint16_t* rounded = nullptr;   // the same numbers in bfloat16, with the same ld
    Matrix part(int64_t column) const {  // from a column of what lies there
      return {data + column, ld, transposed, rounded ? rounded + column : nullptr};
    }
  };
  template <typename real>
  void multiply(real* c, int64_t ldc, Matrix<real> a, Matrix<real> b, int64_t M, int64_t N,
                int64_t K, bool adds) {
    multiply_all(1, c, ldc, a, b, M, N, K, adds);
  }
  // `count` products, whose matrices lie one after the other.
  template <typename real>
  void multiply_all(int64_t count, real* c, int64_t ldc, Matrix<real> a, Matrix<real> b, int64_t M,
                    int64_t N, int64_t K, bool adds);
  // Of a matrix [rows, ld] that many products read: where they round to bfloat16, that is done once
  // here, into `room` [rounded_size(rows ld)].
  template <typename real>
  Matrix<real> rounded(Matrix<real> m, int64_t rows, real* room);
  template <typename real>
  int64_t rounded_size(int64_t n) const {  // numbers of `real`
    return rounds_to_bfloat16<real>() ? (n + 1) / 2 : 0;
  }
  template <typename real>
  bool rounds_to_bfloat16() const {
    return sizeof(real) == 4 && operands_ == Operands::kBfloat16;
  }
  // Of what is asked for while it lives, no operand is rounded.
  class Exactly {
   public:
    explicit Exactly(CardQueue& queue)
        : queue_(queue), before_(std::exchange(queue.operands_, Operands::kExact)) {}
    ~Exactly() { queue_.operands_ = before_; }
    Exactly(const Exactly&) = delete;
    Exactly& operator=(const Exactly&) = delete;

   private:
    CardQueue& queue_;
    const Operands before_;
  };

 private:
  struct Slot {  // of memory that the card reads on its own
    void* memory = nullptr;
    int64_t bytes = 0;
    void* event = nullptr;
    bool busy = false;  // until `event`
  };
  static constexpr int kSlots = 4;
  struct Postponed {
    const char* name;
    bool single;
    int64_t threads;
    int64_t args[8];
  };
  struct Told {
    int64_t offset, bytes;
    int64_t turn;  // of repeated work, when it was told
    bool used;
  };
  static constexpr int64_t kTold = 4096;

  void open();
  void close() noexcept;
  bool leaves_out();
  void launch_all(const std::vector<Postponed>&);
  void* next_slot(int64_t bytes);
  void send_told();
  Told& told_at(const void* place);

  int ask(FunctionRef<int()> call);  // what it answers; see change()
  void* kernel(const char* name, bool single);
  // bytes: of args; those of what is postponed do not matter.
  void launch(const char* name, bool single, const void* args, int64_t threads, size_t bytes = 0);
  void count_launch(const void* args, size_t bytes, int64_t bytes_each);
  void reserve(Slot& slot, int64_t bytes);
  void synchronize(void* stream);
  const uint16_t* as_bfloat16(int side, const float* x, int64_t n);

  Card& card_;
  void* stream_ = nullptr;
  void* copies_ = nullptr;                   // the stream of what is sent beside the work
  void* sending_ = nullptr;                  // one of the two
  void *sent_ = nullptr, *taken_ = nullptr;  // events: of copies_, of stream_
  void* blas_ = nullptr;
  void* workspace_ = nullptr;
  CardGraphs graphs_{card_};
  std::vector<Postponed> postponed_;
  std::vector<int64_t> alike_;
  std::vector<Told> places_;
  std::vector<char> told_;  // as it is to be on the card: [kTold] bytes
  void* told_there_ = nullptr;
  int64_t told_bytes_ = 0;
  bool told_changed_ = false;
  uint64_t step_number_ = 0;
  void* step_place_ = nullptr;
  Slot slots_[kSlots];
  int next_ = 0;
  // slots_[next_] is copied to or from in that stream, and no event says until when
  void* in_flight_ = nullptr;
  bool changes_ = false;
  std::vector<char> large_;  // what is staged and too large for a slot
  std::map<std::string, void*, std::less<>> kernels_;
  struct Room {  // of the card, for what is asked for next
    void* memory = nullptr;
    int64_t bytes = 0;
  };
  void* reserve(Room& room, int64_t bytes);
  Room scratch_, operand_rooms_[2];
  std::map<const char*, int64_t> blocks_;  // bytes of what it has allocated
  bool rehearses_ = false;
  Work asked_;  // since that began
  Operands operands_;
};

}  // namespace hs
