#include "sharding/loader.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <stdexcept>

#include "configs/cat.hpp"

namespace entrain::sharding {

Loader::Loader(const Corpus& corpus, const SamplePlan& plan, LaneBlock mine, std::int64_t lane_images,
               std::int64_t first_step, std::int64_t end_step, std::int64_t prefetch)
    : corpus_(corpus),
      plan_(plan),
      first_slot_(mine.first * lane_images),
      num_slots_(mine.count * lane_images),
      end_step_(end_step),
      prefetch_(static_cast<std::size_t>(std::max<std::int64_t>(1, prefetch))),
      next_step_(first_step) {
  if (plan.num_samples() != corpus.size() || first_slot_ + num_slots_ > plan.global_batch())
    throw std::logic_error(cat("loader: a plan of ", plan.num_samples(), " samples and batches of ",
                               plan.global_batch(), " for a corpus of ", corpus.size(), " and slots up to ",
                               first_slot_ + num_slots_));
  thread_ = std::thread([this] { read_ahead(); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

// Rows are read in file order, wherever they stand in the batch: a random walk through a file costs seeks,
// and decodes chunks of several rows more than once.
void Loader::fill(ImageBatch& batch, std::int64_t step) const {
  batch.step = step;
  batch.slots = plan_.batch(step, first_slot_, num_slots_);
  batch.shape = corpus_.shape();
  batch.bytes.resize(static_cast<std::size_t>(num_slots_) * batch.shape.bytes());
  std::vector<std::size_t> order(batch.slots.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](auto a, auto b) { return batch.slots[a].sample < batch.slots[b].sample; });
  for (const std::size_t i : order)
    corpus_.read(batch.slots[i].sample, batch.bytes.data() + i * batch.shape.bytes());
}

void Loader::read_ahead() {
  for (std::int64_t step = next_step_; step < end_step_; ++step) {
    ImageBatch batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || ready_.size() < prefetch_; });
      if (stopping_) return;
      if (!spare_.empty()) {
        batch = std::move(spare_.front());
        spare_.pop_front();
      }
    }
    std::exception_ptr failure;
    try {
      fill(batch, step);
    } catch (...) {
      failure = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      if (failure)
        failure_ = failure;
      else
        ready_.push_back(std::move(batch));
    }
    changed_.notify_all();
    if (failure) return;
  }
}

ImageBatch Loader::next(ImageBatch used) {
  if (next_step_ >= end_step_)
    throw std::logic_error(cat("loader: asked for step ", next_step_, " of ", end_step_));
  ImageBatch batch;
  {
    std::unique_lock lock(mutex_);
    if (used.bytes.capacity() > 0 && spare_.size() < prefetch_) spare_.push_back(std::move(used));
    const auto begin = std::chrono::steady_clock::now();
    changed_.wait(lock, [&] { return failure_ || !ready_.empty(); });
    waited_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (ready_.empty()) std::rethrow_exception(failure_);
    batch = std::move(ready_.front());
    ready_.pop_front();
  }
  ++next_step_;
  changed_.notify_all();
  return batch;
}

}  // namespace entrain::sharding
