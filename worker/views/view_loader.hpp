#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "configs/lanes.hpp"
#include "configs/run_config.hpp"
#include "sharding/corpus.hpp"
#include "sharding/sample_plan.hpp"
#include "sharding/value_window.hpp"
#include "worker/views/render_view.hpp"

namespace entrain::worker {

/// Which images one rank's lanes see in one step, in the order of the slots, and in which buffer their views are.
struct ViewBatch {
  std::int64_t step = 0;
  std::vector<sharding::Slot> slots;
  std::size_t buffer = 0;
};

/// What a loader makes and with how much.
struct ViewLoading {
  ViewSection views;
  std::uint64_t seed = 0;  ///< of the views
  sharding::ValueWindow window;
  LaneBlock mine;                ///< the lanes of this rank
  std::int64_t lane_images = 1;  ///< m
  std::int64_t num_views = 2;    ///< of each image
  std::int64_t first_step = 0, end_step = 0;
  int threads = 1;
  /// Memory of a whole batch each, [lanes, views, m, C, P, P] floats. One batch is being used and the others are made meanwhile.
  std::vector<float*> buffers{};
};

/// Seconds of all threads of a loader so far.
struct LoaderClocks {
  double read = 0;    ///< reading and decoding images
  double render = 0;  ///< making their views
  double idle = 0;    ///< waiting for a free buffer: the consumer is the slower one
  double waited = 0;  ///< of the consumer, for a batch: the loader is the slower one
};

/// Makes the views of steps [first_step, end_step) ahead. A thread reads an image and makes all views of it while it is
/// in its cache; images of a step are taken in file order. What a view is depends on (seed, epoch, sample, view) alone.
/// Corpus, plan and buffers must outlive it. May be destroyed at any time.
class ViewLoader {
 public:
  ViewLoader(const sharding::Corpus& corpus, const sharding::SamplePlan& plan, ViewLoading loading);
  ~ViewLoader();
  ViewLoader(const ViewLoader&) = delete;
  ViewLoader& operator=(const ViewLoader&) = delete;

  /// The next step's batch; blocks until it is made, and rethrows what failed in it. std::logic_error behind the last one.
  ViewBatch next();
  /// The same without waiting: nothing where it is not made yet, failed, or there is none.
  std::optional<ViewBatch> try_next();
  /// The buffer may be written again.
  void release(const ViewBatch& batch);

  LoaderClocks clocks() const;

 private:
  struct Filling {
    ViewBatch batch;
    std::vector<std::uint32_t> order;  // slots by sample
    std::size_t next = 0, left = 0;
    std::exception_ptr failure;
  };
  struct Thread;
  using Clock = std::chrono::steady_clock;

  void work(Thread& thread);
  Filling* with_work();
  Filling& begin_step();
  void make(const Filling& filling, std::size_t first, std::size_t end, Thread& thread);
  ViewBatch take_front();

  const sharding::Corpus& corpus_;
  const sharding::SamplePlan& plan_;
  const ViewLoading loading_;

  std::mutex mutex_;
  std::condition_variable work_, made_;
  std::list<Filling> filling_;  // in order of steps
  std::vector<std::size_t> free_;
  std::int64_t begun_, taken_;  // next steps to be begun and to be taken
  bool stopping_ = false;
  std::atomic<std::int64_t> read_ns_ = 0, render_ns_ = 0, idle_ns_ = 0, waited_ns_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace entrain::worker
