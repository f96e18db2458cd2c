#include "coordinator/control/rank_progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace entrain::control {
namespace {

constexpr std::uint64_t kPhaseBits = 3, kPhaseMask = (1U << kPhaseBits) - 1;
static_assert(static_cast<std::uint64_t>(Phase::kDone) <= kPhaseMask);

std::uint64_t nanoseconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

Phase phase_of(std::uint64_t phase_since) { return static_cast<Phase>(phase_since & kPhaseMask); }

}  // namespace

RankProgress::Scope::Scope(RankProgress& progress, Phase phase)
    : progress_(progress), former_(phase_of(progress.phase_since_.load(std::memory_order_relaxed))) {
  progress.set_phase(phase);
}

void RankProgress::join(std::int32_t rank) {
  rank_.store(rank, std::memory_order_relaxed);
  set_phase(phase_of(phase_since_.load(std::memory_order_relaxed)));
  pid_.store(::getpid(), std::memory_order_release);
}

// The coarse clock is some milliseconds late and costs a quarter of the exact one.
void RankProgress::set_phase(Phase phase) {
  phase_since_.store(nanoseconds(CLOCK_MONOTONIC_COARSE) << kPhaseBits | static_cast<std::uint64_t>(phase),
                     std::memory_order_relaxed);
}

void RankProgress::begin_steps(std::int64_t step, std::int64_t total_steps) {
  step_.store(step, std::memory_order_relaxed);
  total_steps_.store(total_steps, std::memory_order_relaxed);
  set_phase(Phase::kCompute);
}

void RankProgress::finished_step(std::int64_t step, double seconds) {
  step_seconds_bits_.store(std::bit_cast<std::uint64_t>(seconds), std::memory_order_relaxed);
  step_.store(step, std::memory_order_relaxed);
}

std::string RankProgress::stop_reason() const {
  return stop_asked() ? std::string(reason_.data()) : std::string();
}

void RankProgress::beat(std::uint64_t memory_bytes, const health::GpuLoad& gpu) {
  memory_bytes_.store(memory_bytes, std::memory_order_relaxed);
  std::uint32_t known = 0;
  for (std::size_t i = 0; i < gpu_bits_.size(); ++i) {
    const auto& value = gpu.*health::kGpuLoadFields[i].value;
    if (!value) continue;
    gpu_bits_[i].store(std::bit_cast<std::uint64_t>(*value), std::memory_order_relaxed);
    known |= 1U << i;
  }
  gpu_known_.store(known, std::memory_order_release);
  add_one(beats_);
}

void RankProgress::ask_stop(std::string_view reason) {
  std::uint32_t none = kNone;
  if (!stop_.compare_exchange_strong(none, kBeingWritten, std::memory_order_acquire)) return;
  reason.copy(reason_.data(), reason_.size() - 1);
  stop_.store(kAsked, std::memory_order_release);
}

void RankProgress::set_stack(std::string_view text) {
  const std::uint32_t seq = stack_seq_.load(std::memory_order_relaxed);
  stack_seq_.store(seq + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  const std::size_t size = std::min(text.size(), kStackBytes - 1);
  for (std::size_t i = 0; i < size; ++i) stack_[i].store(text[i], std::memory_order_relaxed);
  stack_[size].store('\0', std::memory_order_relaxed);
  stack_seq_.store(seq + 2, std::memory_order_release);
}

std::optional<std::string> RankProgress::stack() const {
  const std::uint32_t before = stack_seq_.load(std::memory_order_acquire);
  if (before % 2 == 1) return std::nullopt;
  std::string text;
  for (const auto& byte : stack_) {
    const char c = byte.load(std::memory_order_relaxed);
    if (c == '\0') break;
    text += c;
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  if (stack_seq_.load(std::memory_order_relaxed) != before) return std::nullopt;
  return text;
}

RankBeat RankProgress::snapshot() const {
  RankBeat b;
  b.rank = rank();
  b.pid = pid();
  b.beats = beats_.load(std::memory_order_relaxed);
  b.step = step_.load(std::memory_order_relaxed);
  b.total_steps = total_steps_.load(std::memory_order_relaxed);
  const std::uint64_t phase_since = phase_since_.load(std::memory_order_relaxed);
  const std::uint64_t now = nanoseconds(CLOCK_MONOTONIC), since = phase_since >> kPhaseBits;
  b.phase = phase_of(phase_since);
  b.seconds_in_phase = now > since ? static_cast<double>(now - since) * 1e-9 : 0;
  b.collectives = collectives_.load(std::memory_order_relaxed);
  b.queue_depth = queue_depth_.load(std::memory_order_relaxed);
  b.memory_bytes = memory_bytes_.load(std::memory_order_relaxed);
  b.step_seconds = std::bit_cast<double>(step_seconds_bits_.load(std::memory_order_relaxed));
  b.signal = signal_.load(std::memory_order_relaxed);
  const std::uint32_t known = gpu_known_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < gpu_bits_.size(); ++i)
    if ((known >> i & 1U) != 0)
      b.gpu.*health::kGpuLoadFields[i].value =
          std::bit_cast<double>(gpu_bits_[i].load(std::memory_order_relaxed));
  return b;
}

}  // namespace entrain::control
