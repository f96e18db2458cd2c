#pragma once
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace entrain::worker {

/// Runs independent pieces of work (the lanes of a rank, the parameters of an update) on a fixed set of
/// threads. Every op inside uses one thread, so the bits of a piece depend on neither the number of threads
/// nor on which of them ran it.
class LaneThreads {
 public:
  /// `num_threads` >= 1; the caller's thread is one of them. Sets one thread per op in all of them.
  explicit LaneThreads(int num_threads);
  ~LaneThreads();
  LaneThreads(const LaneThreads&) = delete;
  LaneThreads& operator=(const LaneThreads&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }

  /// Calls work(0), ..., work(count - 1), started in this order; returns when all are done. Rethrows the
  /// exception of the lowest index that threw.
  void for_each(std::int64_t count, const std::function<void(std::int64_t)>& work);

 private:
  void serve();
  void take_pieces();

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable start_, done_;
  const std::function<void(std::int64_t)>* work_ = nullptr;
  std::int64_t next_ = 0, count_ = 0;
  int busy_ = 0;
  std::uint64_t round_ = 0;
  bool leaving_ = false;
  std::int64_t failed_at_ = 0;
  std::exception_ptr failure_;
};

}  // namespace entrain::worker
