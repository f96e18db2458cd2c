#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "coordinator/control/rank_progress.hpp"
#include "coordinator/control/stack_probe.hpp"
#include "coordinator/health/gpu_watch.hpp"

namespace entrain::control {

/// A thread that says once a second that this process is scheduled, whatever its main thread waits for, and that reads
/// the main thread's stack where `mine` is asked for it. Made by the main thread, which it watches.
class Heartbeat {
 public:
  /// `mine` must outlive it.
  explicit Heartbeat(RankProgress& mine);
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  /// From here on it also tells how this GPU, on which the rank computes, is doing.
  void watch_gpu(const std::string& uuid);

 private:
  void beat();

  RankProgress& mine_;
  StackProbe probe_;
  std::mutex mutex_;
  std::condition_variable ending_;
  bool end_ = false;
  std::unique_ptr<health::GpuWatch> gpu_;
  std::thread thread_;
};

}  // namespace entrain::control
