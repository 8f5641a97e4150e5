#include "world/mpi.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/float_mode.h"

#if !defined(_WIN32)
#include <sched.h>
#include <unistd.h>
#endif

namespace hs {
namespace {

constexpr double kBeat = 0.5, kSilence = 6;  // seconds
constexpr double kAwake = 0.25;  // a tick counts no longer: longer ones are our own sleep
constexpr int kBeatTag = 1;      // others are from 2 on
constexpr unsigned char kHere = 1, kLeft = 2;
constexpr size_t kLargest = size_t{1} << 30;  // bytes of a message: MPI counts in int

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Whoever waits for another rank: at first it only lets others have the processor.
class Patient {
 public:
  void wait() {
    const double waited = seconds() - since_;
    if (waited < 0.0003) {
#if !defined(_WIN32)
      sched_yield();
#endif
      return;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(waited < 0.1 ? 50 : 500));
  }

 private:
  double since_ = seconds();
};

std::atomic<Mpi*> the_one{nullptr};

}  // namespace

void last_words(const std::string& sentence) noexcept {
  std::fprintf(stderr, "hiddenstate: %s\n", sentence.c_str());
  std::fflush(stderr);
}

Mpi& Mpi::start(const Launcher& by) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  if (Mpi* const mpi = the_one.load()) {
    if (mpi->left_)
      throw Error(Code::kRank, "distribute",
                  "this process has left its world, and MPI starts once.");
    return *mpi;
  }
  auto mpi = std::unique_ptr<Mpi>(new Mpi(by));
  std::thread([m = mpi.get()] { m->loop(); }).detach();
  {
    std::unique_lock<std::mutex> wait(mpi->mutex_);
    mpi->changed_.wait(wait, [&] { return mpi->ready_; });
  }
  if (mpi->failed_) {
    const std::exception_ptr failed = mpi->failed_;
    mpi.release();  // its thread may still look at it
    std::rethrow_exception(failed);
  }
  the_one = mpi.get();
  return *mpi.release();
}

Mpi* Mpi::running() {
  Mpi* const mpi = the_one.load();
  return mpi && !mpi->left_ ? mpi : nullptr;
}

Mpi::Mpi(const Launcher& by) : mpi_(open_mpi(by)) {}

void Mpi::begin() {
  int provided = 0;
  constexpr int kFunneled = 1;
  check(mpi_.Init_thread(nullptr, nullptr, kFunneled, &provided), -1);
  mpi_.Comm_set_errhandler(mpi_.world, mpi_.errors_return);
  check(mpi_.Comm_rank(mpi_.world, &rank_), -1);
  check(mpi_.Comm_size(mpi_.world, &size_), -1);
  char text[8192] = {};
  int length = 0;
  mpi_.Get_library_version(text, &length);
  version_ = std::string(text, size_t(std::max(0, length)));
  version_ = version_.substr(0, version_.find_first_of("\n,"));
  std::replace(version_.begin(), version_.end(), '\t', ' ');
  version_ += " (" + mpi_.file + ")";
  now_ = beaten_ = seconds();
}

void Mpi::loop() {
  FlushDenormals as_in_steps;
  try {
    begin();
  } catch (...) {
    failed_ = std::current_exception();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  ready_ = true;
  changed_.notify_all();
  while (!failed_ && !left_) {
    if (tasks_.empty()) {
      changed_.wait_for(lock, std::chrono::milliseconds(100));
    }
    const std::shared_ptr<Task> task = tasks_.pop();
    lock.unlock();
    std::exception_ptr error;
    look();
    if (task) {
      try {
        task->run();
      } catch (...) {
        error = std::current_exception();
      }
      task->finished(error);
    }
    lock.lock();
  }
}

void Mpi::post(std::shared_ptr<Task> task) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (left_) throw Error(Code::kRank, "world", "it is closed: nothing more can be done together.");
  tasks_.push(std::move(task));
  changed_.notify_all();
}

void Mpi::check(int error, int peer) const {
  if (error == 0) return;
  char text[8192] = {};
  int length = 0;
  mpi_.Error_string(error, text, &length);
  const std::string with = peer >= 0 ? " with rank " + std::to_string(peer) : "";
  throw Error(Code::kRank, "MPI" + with, std::string(text, size_t(std::max(0, length))) + ".");
}

void Mpi::transfer(const std::vector<Transfer>& all, int tag) {
  struct Open {
    MpiLibrary::Handle request = 0;
    int peer;
  };
  std::vector<Open> open;
  for (const Transfer& t : all) {
    for (size_t at = 0; at < t.bytes; at += kLargest) {
      const int n = static_cast<int>(std::min(kLargest, t.bytes - at));
      char* const data = static_cast<char*>(t.data) + at;
      open.push_back({0, t.peer});
      MpiLibrary::Handle* const request = &open.back().request;
      check(t.sends ? mpi_.Isend(data, n, mpi_.byte, t.peer, tag, mpi_.world, request)
                    : mpi_.Irecv(data, n, mpi_.byte, t.peer, tag, mpi_.world, request),
            t.peer);
    }
  }
  Patient patient;
  while (!open.empty()) {
    const size_t before = open.size();
    for (size_t i = 0; i < open.size();) {
      int done = 0;
      check(mpi_.Test(&open[i].request, &done, mpi_.no_status), open[i].peer);
      if (done) {
        open.erase(open.begin() + std::ptrdiff_t(i));
      } else {
        i++;
      }
    }
    if (open.empty()) break;
    if (open.size() < before) patient = Patient();
    patient.wait();
    look();
  }
}

void Mpi::look() {
  if (abort_code_ >= 0) end(abort_code_);
  beat();
}

void Mpi::beat() {
  if (size_ == 1) return;
  const double now = seconds();
  silent_ += std::min(now - now_, kAwake);
  now_ = now;
  const int next = (rank_ + 1) % size_, previous = (rank_ + size_ - 1) % size_;
  int done = 0;
  if (is_sending_) {
    check(mpi_.Test(&sending_, &done, mpi_.no_status), next);
    is_sending_ = !done;
  }
  if (!is_sending_ && sent_ != kLeft && now - beaten_ > kBeat) {
    sent_ = kHere;
    check(mpi_.Isend(&sent_, 1, mpi_.byte, next, kBeatTag, mpi_.world, &sending_), next);
    is_sending_ = true, beaten_ = now;
  }
  if (previous_left_) return;
  if (!is_hearing_) {
    check(mpi_.Irecv(&heard_, 1, mpi_.byte, previous, kBeatTag, mpi_.world, &hearing_), previous);
    is_hearing_ = true;
  }
  check(mpi_.Test(&hearing_, &done, mpi_.no_status), previous);
  if (done) {
    silent_ = 0, is_hearing_ = false;
    previous_left_ = heard_ == kLeft;
  }
  if (silent_ > kSilence)
    lost(previous,
         "has not been heard of for 6 seconds: it is stopped, or its machine or the "
         "network is gone");
}

void Mpi::lost(int rank, const std::string& why) {
  last_words("rank " + std::to_string(rank) + " of " + std::to_string(size_) + " " + why +
             ". The job ends.");
  end(1);
}

// A launcher may kill all before it has passed on what was said last; and one that is cut off from
// the others may never answer (MPICH 4.0.2).
void Mpi::end(int code) {
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  std::thread([code] {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    std::_Exit(code);
  }).detach();
  mpi_.Abort(mpi_.world, code);
  std::_Exit(code);
}

// The last beat says so, and is waited for: nothing is under way when MPI ends.
void Mpi::farewell() {
  Patient patient;
  while (size_ > 1 && is_sending_) {
    patient.wait();
    look();
  }
  if (size_ > 1) {
    sent_ = kLeft;
    const int next = (rank_ + 1) % size_;
    check(mpi_.Isend(&sent_, 1, mpi_.byte, next, kBeatTag, mpi_.world, &sending_), next);
    is_sending_ = true;
  }
  while (size_ > 1 && (is_sending_ || !previous_left_)) {
    patient.wait();
    look();
  }
  mpi_.Finalize();
}

void Mpi::leave() {
  try {
    run([this] { farewell(); });
  } catch (const Error&) {
    if (left_) return;
    throw;
  }
  std::lock_guard<std::mutex> lock(mutex_);
  left_ = true;
  changed_.notify_all();
}

void Mpi::abort(int code) noexcept {
  abort_code_ = code;
  changed_.notify_all();
  for (int i = 0; i < 500; i++) std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

}  // namespace hs
