#include "coordinator/health/gpu_watch.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "configs/cat.hpp"
#include "configs/log.hpp"

namespace entrain::health {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPause(1), kOld(10), kPatience(2);

// Joules since the first look; where there is no counter, the power in the time between two looks.
class Energy {
 public:
  void count(GpuLoad& load) {
    const auto now = Clock::now();
    if (load.energy_joules) {
      first_ = first_.value_or(*load.energy_joules);
      load.energy_joules = std::max(0.0, *load.energy_joules - *first_);
      return;
    }
    if (!load.power_watts) return;
    if (last_) summed_ += *load.power_watts * std::chrono::duration<double>(now - *last_).count();
    last_ = now;
    load.energy_joules = summed_;
  }

 private:
  std::optional<double> first_{};
  std::optional<Clock::time_point> last_{};
  double summed_ = 0;
};

}  // namespace

// The thread's own hold on it outlives the watch where the driver hangs.
struct GpuWatch::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  GpuLoad load;
  Clock::time_point read{};
  bool ending = false, ended = false;

  void look(const std::string& uuid, const std::string& library);
  void pause_between(const Gpu& gpu);
};

void GpuWatch::Shared::look(const std::string& uuid, const std::string& library) {
  const Nvml nvml(library);
  const auto gpu = nvml.gpu_of(uuid);
  if (gpu)
    pause_between(*gpu);
  else
    log(Level::kInfo, cat("heartbeats do not tell how the GPU is doing: ",
                          nvml.why_not().empty() ? cat("the driver does not know ", uuid) : nvml.why_not()));
}

void GpuWatch::Shared::pause_between(const Gpu& gpu) {
  Energy energy;
  for (std::unique_lock lock(mutex); !ending; changed.wait_for(lock, kPause, [this] { return ending; })) {
    lock.unlock();
    GpuLoad now = gpu.load();
    energy.count(now);
    lock.lock();
    load = now;
    read = Clock::now();
  }
}

GpuWatch::GpuWatch(std::string uuid, std::string library) : shared_(std::make_shared<Shared>()) {
  std::thread([shared = shared_, uuid = std::move(uuid), library = std::move(library)] {
    shared->look(uuid, library);
    const std::lock_guard lock(shared->mutex);
    shared->ended = true;
    shared->changed.notify_all();
  }).detach();
}

GpuWatch::~GpuWatch() {
  std::unique_lock lock(shared_->mutex);
  shared_->ending = true;
  shared_->changed.notify_all();
  shared_->changed.wait_for(lock, kPatience, [this] { return shared_->ended; });
}

GpuLoad GpuWatch::latest() const {
  const std::lock_guard lock(shared_->mutex);
  return Clock::now() - shared_->read < kOld ? shared_->load : GpuLoad{};
}

}  // namespace entrain::health
