#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace entrain::sharding {

/// Calls body(i) for i in [0, count) on all cores, in no order; rethrows the first exception.
template <typename Body>
void parallel_for(std::int64_t count, const Body& body) {
  std::atomic<std::int64_t> next = 0;
  std::exception_ptr failure;
  std::mutex mutex;
  const auto work = [&] {
    try {
      for (std::int64_t i = next++; i < count; i = next++) body(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      next = count;
    }
  };
  const auto num_threads = std::min<std::int64_t>(count, std::max(1U, std::thread::hardware_concurrency()));
  {
    std::vector<std::jthread> threads;
    try {
      for (std::int64_t t = 1; t < num_threads; ++t) threads.emplace_back(work);
    } catch (const std::system_error&) {
      // No further thread is to be had: those that are there do it all.
    }
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace entrain::sharding
