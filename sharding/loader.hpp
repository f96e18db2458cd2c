#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "configs/lanes.hpp"
#include "sharding/corpus.hpp"
#include "sharding/sample_plan.hpp"

namespace entrain::sharding {

/// The images of one rank's lanes in one step: host bytes, HWC, in the order of the slots.
struct ImageBatch {
  std::int64_t step = 0;
  std::vector<Slot> slots;
  ImageShape shape;
  std::vector<std::byte> bytes;

  const std::byte* image(std::int64_t i) const {
    return bytes.data() + static_cast<std::size_t>(i) * shape.bytes();
  }
};

/// Reads the batches of steps [first_step, end_step) ahead, on one thread, at most `prefetch` of them at a
/// time. Corpus and plan must outlive it. May be destroyed at any time.
class Loader {
 public:
  Loader(const Corpus& corpus, const SamplePlan& plan, LaneBlock mine, std::int64_t lane_images,
         std::int64_t first_step, std::int64_t end_step, std::int64_t prefetch);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next step's batch; blocks until it is read, and rethrows what its reading threw. `used` is a batch
  /// that is no longer needed: its memory is used again, so that nothing is allocated in the steady state.
  /// Asking for more than end_step - first_step batches is a std::logic_error.
  ImageBatch next(ImageBatch used = {});
  /// Seconds that next() has waited so far.
  double waited_seconds() const { return waited_seconds_; }

 private:
  void read_ahead();
  void fill(ImageBatch& batch, std::int64_t step) const;

  const Corpus& corpus_;
  const SamplePlan& plan_;
  const std::int64_t first_slot_, num_slots_, end_step_;
  const std::size_t prefetch_;
  std::int64_t next_step_;
  double waited_seconds_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ImageBatch> ready_, spare_;
  std::exception_ptr failure_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace entrain::sharding
