#include "coordinator/control/heartbeat.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <fstream>

#include "coordinator/control/signals.hpp"

namespace entrain::control {
namespace {

constexpr auto kLook = std::chrono::milliseconds(100);
constexpr int kLooksPerBeat = 10;

std::uint64_t resident_bytes() {
  std::uint64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

Heartbeat::Heartbeat(RankProgress& mine) : mine_(mine) {
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { beat(); });
}

Heartbeat::~Heartbeat() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  ending_.notify_one();
  thread_.join();
}

void Heartbeat::watch_gpu(const std::string& uuid) {
  const SignalsBlocked blocked;
  auto gpu = std::make_unique<health::GpuWatch>(uuid);
  const std::lock_guard lock(mutex_);
  gpu_ = std::move(gpu);
}

void Heartbeat::beat() {
  std::unique_lock lock(mutex_);
  for (int look = 0; !end_; ++look) {
    if (look % kLooksPerBeat == 0) mine_.beat(resident_bytes(), gpu_ ? gpu_->latest() : health::GpuLoad{});
    if (mine_.take_want_stack()) mine_.set_stack(probe_.take());
    ending_.wait_for(lock, kLook, [this] { return end_; });
  }
}

}  // namespace entrain::control
