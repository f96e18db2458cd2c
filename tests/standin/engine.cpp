#include "tests/standin/engine.hpp"

#include <cuda_runtime_api.h>

#include <chrono>
#include <cstring>
#include <set>

#include "configs/cat.hpp"

namespace entrain::standin {

void (*before_ordering)(CUstream_st* stream, const char* call) = nullptr;

std::mutex& engine_mutex() {
  static auto& mutex = *new std::mutex;
  return mutex;
}

std::uint64_t now() {
  static std::atomic<std::uint64_t> time = 0;
  return ++time;
}

namespace {

// Handles are kept for good, so that a late use is seen.
std::set<CUstream_st*>& streams() {
  static auto& all = *new std::set<CUstream_st*>;
  return all;
}
std::set<CUevent_st*>& events() {
  static auto& all = *new std::set<CUevent_st*>;
  return all;
}

void require_event(CUevent_st* event, const char* call) {
  if (events().count(event) == 0 || event->destroyed)
    misuse(Misuse::kUseAfterEnd, cat(call, " with an event that is gone"));
}

// Runs the marker's stream up to it. Without `wait`: as far as it goes now.
bool run_up_to(Lock& lock, const std::shared_ptr<Marker>& marker, bool wait) {
  while (!marker->done) {
    auto& items = marker->stream->items;
    if (items.empty()) return true;
    auto& front = items.front();
    if (front.mark) {
      front.mark->done = true;
      items.pop_front();
    } else if (front.wait) {
      if (!run_up_to(lock, std::shared_ptr(front.wait), wait)) return false;
      if (!items.empty() && items.front().wait) items.pop_front();
    } else if (front.work->step()) {
      items.pop_front();
    } else if (!wait) {
      return false;
    } else {  // another thread may drop the work meanwhile
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      lock.lock();
    }
  }
  return true;
}

// Somebody has waited for all that stood before the marker, and for what that had waited for.
void seen(const Marker& marker) {
  if (!marker.stream) return;
  std::erase_if(marker.stream->unseen, [&](const auto& work) { return work.time < marker.time; });
  std::vector<std::shared_ptr<Marker>> before;
  for (const auto& [time, other] : marker.stream->waits)
    if (time < marker.time) before.push_back(other);
  std::erase_if(marker.stream->waits, [&](const auto& wait) { return wait.first < marker.time; });
  for (const auto& other : before) seen(*other);
}

// The host may write again what uploads have read.
void sources_are_free(const Marker& marker) {
  if (!marker.stream) return;
  std::erase_if(marker.stream->sources, [&](const auto& source) {
    if (source.time > marker.time) return false;
    source.memory->require_unchanged();
    return true;
  });
}

void ordering(CUstream_st* stream, const char* call) {
  require_stream(stream, call);
  if (before_ordering) before_ordering(stream, call);
}

class Copy final : public Work {
 public:
  Copy(void* to, const char* contents, std::size_t bytes)
      : contents_(contents), to_(to), result_(Use::kWrite, to, bytes, "an upload") {
    what = "an upload";
  }
  bool step() override {
    result_.require_unchanged();
    result_.end();
    std::memcpy(to_, contents_, result_.bytes());
    return true;
  }
  void drop() override { result_.end(); }

 private:
  const char* contents_;
  void* to_;
  Flight result_;
};

}  // namespace

void require_stream(CUstream_st* stream, const char* call) {
  if (stream && (streams().count(stream) == 0 || stream->destroyed))
    misuse(Misuse::kUseAfterEnd, cat(call, " with a stream that is gone"));
}

void require_behind_compute(CUstream_st* stream, const std::string& what) {
  if (stream && !std::exchange(stream->behind_compute, false))
    misuse(Misuse::kNotBehindCompute,
           cat(what, " begins on a stream that does not wait for what was computed before it"));
}

void put(CUstream_st* stream, std::unique_ptr<Work> work) {
  if (!stream) misuse(Misuse::kUnsupported, cat(work->what, " on the compute stream itself"));
  stream->last_work = now();
  stream->unseen.push_back({stream->last_work, work->what, work->owner});
  stream->items.push_back({nullptr, nullptr, std::move(work)});
}

void drop_work_of(const void* owner) {
  for (CUstream_st* stream : streams()) {
    for (auto& item : stream->items)
      if (item.work && item.work->owner == owner) item.work->drop();
    std::erase_if(stream->items, [&](const auto& item) { return item.work && item.work->owner == owner; });
    std::erase_if(stream->unseen, [&](const auto& work) { return work.owner == owner; });
  }
}

void require_waited_for(const void* owner, CUstream_st* stream) {
  for (const CUstream_st* one : streams())
    if (!stream || one == stream)
      for (const auto& work : one->unseen)
        if (!owner || work.owner == owner)
          misuse(Misuse::kComputeDoesNotWait,
                 cat("neither host nor compute stream ever waited for ", work.what));
}

}  // namespace entrain::standin

using namespace entrain::standin;  // NOLINT(google-build-using-namespace): CUDA's names are global

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int flags) {
  const Lock lock(engine_mutex());
  if (flags != cudaStreamNonBlocking)
    misuse(Misuse::kUnsupported, "a stream that is not cudaStreamNonBlocking");
  streams().insert(*stream = new CUstream_st);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Lock lock(engine_mutex());
  ordering(stream, "cudaStreamDestroy");
  require_waited_for(nullptr, stream);
  stream->destroyed = true;
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int) {
  Lock lock(engine_mutex());
  ordering(stream, "cudaStreamWaitEvent");
  require_event(event, "cudaStreamWaitEvent");
  const auto marker = event->marker;
  if (!marker) misuse(Misuse::kComputeDoesNotWait, "a stream waits for an event that was never recorded");
  if (!stream) {
    run_up_to(lock, marker, true);
    seen(*marker);
    return cudaSuccess;
  }
  if (!marker->stream && marker->time > stream->last_work) stream->behind_compute = true;
  stream->waits.emplace_back(now(), marker);
  stream->items.push_back({nullptr, marker, nullptr});
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int) {
  const Lock lock(engine_mutex());
  events().insert(*event = new CUevent_st);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Lock lock(engine_mutex());
  require_event(event, "cudaEventDestroy");
  event->destroyed = true;
  event->marker = nullptr;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Lock lock(engine_mutex());
  ordering(stream, "cudaEventRecord");
  require_event(event, "cudaEventRecord");
  event->marker =
      std::make_shared<Marker>(Marker{stream, now(), std::this_thread::get_id(), stream == nullptr});
  if (stream) stream->items.push_back({event->marker, nullptr, nullptr});
  return cudaSuccess;
}

// Whoever recorded it may drive the stream on; for others it is as far as it is.
cudaError_t cudaEventQuery(cudaEvent_t event) {
  Lock lock(engine_mutex());
  require_event(event, "cudaEventQuery");
  const auto marker = event->marker;
  if (!marker) return cudaSuccess;
  if (!marker->done && (marker->recorder != std::this_thread::get_id() || !run_up_to(lock, marker, false)))
    return cudaErrorNotReady;
  seen(*marker);
  sources_are_free(*marker);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const Lock lock(engine_mutex());
  ordering(stream, "cudaMemcpyAsync");
  if (kind != cudaMemcpyHostToDevice) misuse(Misuse::kUnsupported, "a copy that is not an upload");
  require_behind_compute(stream, "an upload");
  auto source = std::make_unique<Flight>(Use::kHostRead, from, bytes, "an upload");
  put(stream, std::make_unique<Copy>(to, source->contents(), bytes));
  stream->sources.push_back({stream->last_work, std::move(source)});
  return cudaSuccess;
}

}  // extern "C"
