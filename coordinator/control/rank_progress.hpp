#pragma once
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "coordinator/control/beat.hpp"

namespace entrain::control {

/// What one rank does, in memory that the processes of its node share. The rank writes, anybody reads. Marks cost a few
/// nanoseconds and may be made from a signal handler; each has one writing thread.
class RankProgress {
 public:
  /// In a phase until the end of the scope, then in the former one again.
  class Scope {
   public:
    Scope(RankProgress& progress, Phase phase);
    ~Scope() { progress_.set_phase(former_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    RankProgress& progress_;
    Phase former_;
  };

  // By the rank.
  void join(std::int32_t rank);  ///< who writes here: this process, as `rank`
  [[nodiscard]] Scope enter(Phase phase) { return {*this, phase}; }
  void set_phase(Phase phase);
  void count_collective() { add_one(collectives_); }
  void begin_steps(std::int64_t step, std::int64_t total_steps);  ///< of a stage that trains by steps
  void finished_step(std::int64_t step, double seconds);
  void set_queue_depth(std::int32_t batches) { queue_depth_.store(batches, std::memory_order_relaxed); }
  void caught_signal(std::int32_t signal) { signal_.store(signal, std::memory_order_relaxed); }
  void committed(std::int64_t step) { committed_.store(step, std::memory_order_relaxed); }
  bool stop_asked() const { return stop_.load(std::memory_order_acquire) == kAsked; }
  std::string stop_reason() const;  ///< empty where no stop is asked
  bool fenced() const { return fenced_.load(std::memory_order_acquire); }

  // By its heartbeat.
  void beat(std::uint64_t memory_bytes, const health::GpuLoad& gpu = {});
  bool take_want_stack() { return want_stack_.exchange(false, std::memory_order_relaxed); }
  void set_stack(std::string_view text);  ///< cut at kStackBytes - 1

  // By the node's client.
  void ask_stop(std::string_view reason);  ///< the first reason stays
  void fence() { fenced_.store(true, std::memory_order_release); }
  void want_stack() { want_stack_.store(true, std::memory_order_relaxed); }
  RankBeat snapshot() const;  ///< without `stopped` and `stack`
  std::int64_t committed() const { return committed_.load(std::memory_order_relaxed); }
  std::int32_t rank() const { return rank_.load(std::memory_order_relaxed); }
  std::int64_t pid() const { return pid_.load(std::memory_order_relaxed); }  ///< 0: has not joined
  /// Even; grows by two with each stack.
  std::uint32_t stack_number() const {
    return stack_seq_.load(std::memory_order_acquire) & ~std::uint32_t{1};
  }
  /// Nothing: it is being written just now.
  std::optional<std::string> stack() const;

  static constexpr std::size_t kStackBytes = 4096, kReasonBytes = 192;

 private:
  enum StopState : std::uint32_t { kNone, kBeingWritten, kAsked };

  // One writer, so no locked instruction is needed.
  static void add_one(std::atomic<std::uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  std::atomic<std::int32_t> rank_{0};
  std::atomic<std::int64_t> pid_{0};
  std::atomic<std::uint64_t> beats_{0};
  std::atomic<std::int64_t> step_{0}, total_steps_{0};
  // The phase in the low bits, since when (ns of CLOCK_MONOTONIC) above: a reader never sees a new phase with the time
  // of the old one.
  std::atomic<std::uint64_t> phase_since_{0};
  std::atomic<std::uint64_t> collectives_{0};
  std::atomic<std::int32_t> queue_depth_{0};
  std::atomic<std::uint64_t> memory_bytes_{0};
  std::atomic<std::uint64_t> step_seconds_bits_{0};
  std::atomic<std::uint32_t> gpu_known_{0};  // bit i: kGpuLoadFields[i]
  std::array<std::atomic<std::uint64_t>, health::kGpuLoadFields.size()> gpu_bits_{};
  std::atomic<std::int32_t> signal_{0};
  std::atomic<std::int64_t> committed_{-1};
  std::atomic<std::uint32_t> stop_{kNone};
  std::array<char, kReasonBytes> reason_{};  // written once, before stop_ becomes kAsked
  std::atomic<bool> fenced_{false};
  std::atomic<bool> want_stack_{false};
  std::atomic<std::uint32_t> stack_seq_{0};  // odd: being written
  std::array<std::atomic<char>, kStackBytes> stack_{};

  static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
                    std::atomic<std::int64_t>::is_always_lock_free &&
                    std::atomic<std::uint32_t>::is_always_lock_free &&
                    std::atomic<bool>::is_always_lock_free && std::atomic<char>::is_always_lock_free,
                "a lock would not be shared between processes, and a signal handler could not take it");
};
static_assert(std::is_trivially_destructible_v<RankProgress> && std::is_standard_layout_v<RankProgress>);

}  // namespace entrain::control
