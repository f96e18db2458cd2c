#include "sharding/slab_cache.hpp"

#include <utility>

namespace entrain::sharding {

// Under the lock. A slab that went but is still in somebody's hands is not used again.
std::shared_ptr<SlabCache::Bytes> SlabCache::buffer(std::size_t bytes) {
  auto buffer = std::exchange(spare_, nullptr);
  if (!buffer || buffer.use_count() > 1) buffer = std::make_shared<Bytes>();
  buffer->resize(bytes);
  return buffer;
}

void SlabCache::make_room() {
  while (held_ > budget_ && recent_.size() > 1) {
    const auto oldest = entries_.find(recent_.back());
    held_ -= oldest->second.bytes->size();
    spare_ = std::move(oldest->second.bytes);
    entries_.erase(oldest);
    recent_.pop_back();
  }
}

std::shared_ptr<const SlabCache::Bytes> SlabCache::get(std::uint64_t key, std::size_t bytes,
                                                       const std::function<void(Bytes&)>& decode) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) break;
    if (found->second.bytes) {
      recent_.splice(recent_.begin(), recent_, found->second.used);
      return found->second.bytes;
    }
    decoded_.wait(lock);
  }
  entries_[key];  // it is being decoded
  auto slab = buffer(bytes);
  lock.unlock();
  try {
    decode(*slab);
  } catch (...) {
    lock.lock();
    entries_.erase(key);
    decoded_.notify_all();  // one of them tries again, and throws what it finds itself
    throw;
  }
  lock.lock();
  recent_.push_front(key);
  entries_[key] = {slab, recent_.begin()};
  held_ += bytes;
  make_room();
  decoded_.notify_all();
  return slab;
}

}  // namespace entrain::sharding
