// MPI, and the one thread that makes every call of it. It starts at the first call of start() and
// does one task after the other; meanwhile, and between them, it beats: a byte twice a second to
// the next rank. A rank that is not heard of for kSilence of our own waking time, because it is
// stopped or its machine is gone, ends the job, with a sentence that names it.
#pragma once
#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/chain.h"
#include "world/mpi_library.h"
#include "world/transport.h"

namespace hs {

class Mpi final : public TaskThread {
 public:
  // Opens the library and calls MPI_Init, the first time. Throws Error(kOption) where there is no
  // library, or another than the launcher's. Never destroyed.
  static Mpi& start(const Launcher&);
  static Mpi* running();  // nullptr: not started, or left

  int rank() const { return rank_; }
  int size() const { return size_; }
  const std::string& version() const { return version_; }  // of the library, one line

  void post(std::shared_ptr<Task>) override;  // Throws Error(kRank) after leave().

  // On the thread: all at once, between ranks of the world, under a tag.
  void transfer(const std::vector<Transfer>&, int tag);

  // Waits for the tasks before it; then MPI_Finalize, when all ranks have come to that.
  void leave();
  // Ends the job with all ranks: MPI_Abort. Returns when that has been asked for, or after a while.
  void abort(int code) noexcept;

 private:
  struct Request;
  explicit Mpi(const Launcher&);
  void loop();
  void begin();
  void beat();
  void farewell();
  void look();  // between polls: beats, and whether the job is to end
  [[noreturn]] void lost(int rank, const std::string& why);
  [[noreturn]] void end(int code);
  void check(int error, int peer) const;

  MpiLibrary mpi_;
  int rank_ = 0, size_ = 1;
  std::string version_;

  std::mutex mutex_;
  std::condition_variable changed_;
  Chain<Task> tasks_;
  bool ready_ = false, left_ = false;
  std::exception_ptr failed_;
  std::atomic<int> abort_code_{-1};  // from 0: end the job

  // Of beat(): only on the thread.
  double now_ = 0, beaten_ = 0, silent_ = 0;
  MpiLibrary::Handle sending_ = 0, hearing_ = 0;
  bool is_sending_ = false, is_hearing_ = false, previous_left_ = false;
  unsigned char sent_ = 0, heard_ = 0;
};

// A line for the user when the process can go on no more.
void last_words(const std::string& sentence) noexcept;

}  // namespace hs
