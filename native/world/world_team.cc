#include "world/world_team.h"

#include <utility>

#include "world/row_sum.h"
#include "world/timeline.h"

namespace hs {
// On the thread that may talk to others.
class WorldTeam::Sum final : public Task {
 public:
  Sum(std::shared_ptr<Sums> sums, uint64_t place, std::vector<Segment> segments,
      std::vector<std::vector<void*>> values)
      : sums_(std::move(sums)),
        place_(place),
        segments_(std::move(segments)),
        values_(std::move(values)) {}

  void run() override {
    {
      std::lock_guard<std::mutex> lock(sums_->mutex);
      if (sums_->failed) return;
    }
    {
      const Timeline::Bar bar(Timeline::Row::kMessages, "roll call");
      sums_->world->meet({sums_->call, place_});
    }
    Timeline::Bar bar(Timeline::Row::kMessages, "sum");
    bar.bytes = sum_by_rows(
        [&](const std::vector<Segment>& segments, const SumValues& values) {
          sums_->world->sum(sums_->tree, segments, values);
        },
        segments_, values_);
  }
  void finished(std::exception_ptr error) noexcept override {
    std::lock_guard<std::mutex> lock(sums_->mutex);
    if (error && !sums_->failed) sums_->failed = std::move(error);
    sums_->open--;
    sums_->changed.notify_all();
  }

 private:
  const std::shared_ptr<Sums> sums_;
  const uint64_t place_;
  const std::vector<Segment> segments_;
  const SumValues values_;
};

WorldTeam::WorldTeam(std::shared_ptr<World> world, int shards, std::string call, bool rounds)
    : shards_(shards),
      rounds_(rounds),
      sums_(std::make_shared<Sums>(std::move(world), shards, std::move(call))) {}

void WorldTeam::start(uint64_t place, std::vector<Segment> segments,
                      std::vector<std::vector<void*>> values) {
  if (sums_->world->size() == 1) return;
  for (Segment& segment : segments)
    if (rounds_ && segment.kind == Addend::kFloat) segment.kind = Addend::kRounded;
  const auto sum = std::make_shared<Sum>(sums_, place, std::move(segments), std::move(values));
  std::lock_guard<std::mutex> lock(sums_->mutex);
  sums_->world->thread()->post(sum);
  sums_->open++;
}

void WorldTeam::finish() {
  const Timeline::Bar bar(Timeline::Row::kTraining, "waits");
  std::unique_lock<std::mutex> lock(sums_->mutex);
  sums_->changed.wait(lock, [&] { return sums_->open == 0; });
  if (const std::exception_ptr failed = std::exchange(sums_->failed, nullptr))
    std::rethrow_exception(failed);
}

}  // namespace hs
