#pragma once
#include <functional>

#include "worker/device/device.hpp"

// CUDA's own types, so that nobody needs its headers for a handle.
struct CUstream_st;
struct CUevent_st;

namespace entrain::worker {

using StreamHandle = CUstream_st*;  ///< cudaStream_t

/// The legacy default stream: all that LibTorch computes is in order on it, since nobody changes its current stream.
inline constexpr StreamHandle kComputeStream = nullptr;

/// A stream of this rank's GPU that does not wait for the compute stream by itself. CommError where the GPU fails.
class GpuStream {
 public:
  explicit GpuStream(const char* what);
  ~GpuStream();
  GpuStream(const GpuStream&) = delete;
  GpuStream& operator=(const GpuStream&) = delete;
  StreamHandle get() const { return stream_; }

 private:
  StreamHandle stream_ = nullptr;
};

/// A place in the order of one stream, for another to wait for. CommError where the GPU fails.
class GpuEvent {
 public:
  GpuEvent();
  ~GpuEvent();
  GpuEvent(GpuEvent&& other) noexcept;
  GpuEvent& operator=(GpuEvent&& other) noexcept;
  void record(StreamHandle stream) const;
  /// What is put on `stream` from here on waits for what was recorded.
  void hold(StreamHandle stream) const;
  /// Whether the GPU has come as far. Any thread.
  bool done() const;

 private:
  CUevent_st* event_ = nullptr;
};

/// The host waits by polling; `check` may throw.
void wait_for(const GpuEvent& event, const WaitCheck& check);

}  // namespace entrain::worker
