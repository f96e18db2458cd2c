#include "worker/collectives/lane_threads.hpp"

#include <ATen/Parallel.h>

namespace entrain::worker {

LaneThreads::LaneThreads(int num_threads) {
  at::set_num_threads(1);
  for (int i = 1; i < num_threads; ++i)
    threads_.emplace_back([this] {
      at::set_num_threads(1);  // the setting is per thread
      serve();
    });
}

LaneThreads::~LaneThreads() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  start_.notify_all();
  for (std::thread& t : threads_) t.join();
}

void LaneThreads::for_each(std::int64_t count, const std::function<void(std::int64_t)>& work) {
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    next_ = 0;
    count_ = count;
    busy_ = static_cast<int>(threads_.size());
    failure_ = nullptr;
    ++round_;
  }
  start_.notify_all();
  take_pieces();
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return busy_ == 0; });
  work_ = nullptr;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void LaneThreads::serve() {
  std::uint64_t seen = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return leaving_ || round_ != seen; });
      if (leaving_) return;
      seen = round_;
    }
    take_pieces();
    const std::lock_guard lock(mutex_);
    if (--busy_ == 0) done_.notify_one();
  }
}

void LaneThreads::take_pieces() {
  for (;;) {
    std::int64_t mine = 0;
    {
      const std::lock_guard lock(mutex_);
      if (next_ >= count_) return;
      mine = next_++;
    }
    try {
      (*work_)(mine);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_ || mine < failed_at_) {
        failure_ = std::current_exception();
        failed_at_ = mine;
      }
    }
  }
}

}  // namespace entrain::worker
