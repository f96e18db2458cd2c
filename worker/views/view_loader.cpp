#include "worker/views/view_loader.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <stdexcept>

#include "configs/cat.hpp"

namespace entrain::worker {
namespace {

constexpr std::size_t kAtOnce = 4;  // images that a thread takes from the list

std::int64_t ns_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin)
      .count();
}

double seconds(const std::atomic<std::int64_t>& ns) { return 1e-9 * static_cast<double>(ns.load()); }

}  // namespace

// What one thread needs.
struct ViewLoader::Thread {
  ViewRenderer renderer;
  std::vector<std::byte> image;
};

ViewLoader::ViewLoader(const sharding::Corpus& corpus, const sharding::SamplePlan& plan, ViewLoading loading)
    : corpus_(corpus),
      plan_(plan),
      loading_(std::move(loading)),
      free_(loading_.buffers.size()),
      begun_(loading_.first_step),
      taken_(loading_.first_step) {
  const std::int64_t last_slot = (loading_.mine.first + loading_.mine.count) * loading_.lane_images;
  if (plan.num_samples() != corpus.size() || last_slot > plan.global_batch())
    throw std::logic_error(cat("loader: a plan of ", plan.num_samples(), " samples and batches of ",
                               plan.global_batch(), " for a corpus of ", corpus.size(), " and slots up to ",
                               last_slot));
  std::iota(free_.begin(), free_.end(), std::size_t{0});
  for (int i = 0; i < std::max(1, loading_.threads); ++i) {
    Thread thread{{loading_.views, corpus_.shape(), loading_.window.low, loading_.window.high},
                  std::vector<std::byte>(corpus_.shape().bytes())};
    threads_.emplace_back([this, thread = std::move(thread)]() mutable { work(thread); });
  }
}

ViewLoader::~ViewLoader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

// Under the lock. Images are read in file order, wherever they stand in the batch: a random walk through a file costs
// seeks, and decodes chunks of several rows more than once.
ViewLoader::Filling& ViewLoader::begin_step() {
  Filling& f = filling_.emplace_back();
  f.batch.step = begun_++;
  f.batch.slots = plan_.batch(f.batch.step, loading_.mine.first * loading_.lane_images,
                              loading_.mine.count * loading_.lane_images);
  f.batch.buffer = free_.back();
  free_.pop_back();
  f.left = f.batch.slots.size();
  f.order.resize(f.left);
  std::iota(f.order.begin(), f.order.end(), 0U);
  std::sort(f.order.begin(), f.order.end(),
            [&](auto a, auto b) { return f.batch.slots[a].sample < f.batch.slots[b].sample; });
  return f;
}

ViewLoader::Filling* ViewLoader::with_work() {
  for (Filling& f : filling_)
    if (f.next < f.order.size()) return &f;
  return begun_ < loading_.end_step && !free_.empty() ? &begin_step() : nullptr;
}

void ViewLoader::make(const Filling& f, std::size_t first, std::size_t end, Thread& thread) {
  const std::int64_t m = loading_.lane_images, views = loading_.num_views;
  for (std::size_t at = first; at < end; ++at) {
    const std::uint32_t k = f.order[at];
    const sharding::Slot slot = f.batch.slots[k];
    auto began = Clock::now();
    corpus_.read(slot.sample, thread.image.data());
    read_ns_ += ns_since(began);
    began = Clock::now();
    for (std::int64_t view = 0; view < views; ++view) {
      const std::int64_t row = (k / m * views + view) * m + k % m;
      thread.renderer.render(thread.image.data(),
                             draw_view(loading_.views, corpus_.shape(), loading_.seed, slot.epoch,
                                       static_cast<std::uint64_t>(slot.sample), static_cast<int>(view)),
                             loading_.buffers[f.batch.buffer] + row * thread.renderer.out_values());
    }
    render_ns_ += ns_since(began);
  }
}

void ViewLoader::work(Thread& thread) {
  std::unique_lock lock(mutex_);
  for (;;) {
    Filling* f = nullptr;
    const auto began = Clock::now();
    work_.wait(lock, [&] { return stopping_ || (f = with_work()) != nullptr; });
    idle_ns_ += ns_since(began);
    if (stopping_) return;
    const std::size_t first = f->next, end = std::min(first + kAtOnce, f->order.size());
    f->next = end;
    lock.unlock();
    std::exception_ptr failure;
    try {
      make(*f, first, end, thread);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure) f->failure = failure;
    f->left -= end - first;
    if (f->left == 0) made_.notify_all();
  }
}

// Under the lock, of a batch that is made.
ViewBatch ViewLoader::take_front() {
  if (filling_.front().failure) std::rethrow_exception(filling_.front().failure);
  ViewBatch batch = std::move(filling_.front().batch);
  filling_.pop_front();
  ++taken_;
  return batch;
}

ViewBatch ViewLoader::next() {
  std::unique_lock lock(mutex_);
  if (taken_ >= loading_.end_step)
    throw std::logic_error(cat("loader: asked for step ", taken_, " of ", loading_.end_step));
  const auto began = Clock::now();
  made_.wait(lock, [&] { return !filling_.empty() && filling_.front().left == 0; });
  waited_ns_ += ns_since(began);
  return take_front();
}

std::optional<ViewBatch> ViewLoader::try_next() {
  const std::lock_guard lock(mutex_);
  if (filling_.empty() || filling_.front().left > 0 || filling_.front().failure) return std::nullopt;
  return take_front();
}

void ViewLoader::release(const ViewBatch& batch) {
  {
    const std::lock_guard lock(mutex_);
    free_.push_back(batch.buffer);
  }
  work_.notify_all();
}

LoaderClocks ViewLoader::clocks() const {
  return {seconds(read_ns_), seconds(render_ns_), seconds(idle_ns_), seconds(waited_ns_)};
}

}  // namespace entrain::worker
