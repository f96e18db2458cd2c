#include "coordinator/job_deadline.hpp"

#include <chrono>
#include <cstdlib>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/log.hpp"
#include "slurm/job_end.hpp"

namespace entrain::coordinator {

JobDeadline::JobDeadline() {
  if (std::getenv("SLURM_JOB_ID") == nullptr && std::getenv("SLURM_JOB_END_TIME") == nullptr) return;
  end_ = slurm::job_end();
  if (const auto left = seconds_left()) log(Level::kInfo, cat("the job ends in ", duration_text(*left)));
  thread_ = std::thread([this] { watch(); });
}

JobDeadline::~JobDeadline() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  ending_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<double> JobDeadline::seconds_left() const {
  const std::lock_guard lock(mutex_);
  if (!end_) return std::nullopt;
  return static_cast<double>(*end_ - std::time(nullptr));
}

void JobDeadline::watch() {
  std::unique_lock lock(mutex_);
  while (!ending_.wait_for(lock, std::chrono::minutes(1), [this] { return stop_; })) {
    lock.unlock();
    const auto end = slurm::job_end();
    lock.lock();
    if (end) end_ = end;  // a squeue that fails for once changes nothing
  }
}

}  // namespace entrain::coordinator
