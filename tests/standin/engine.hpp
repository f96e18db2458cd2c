#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/standin/memory.hpp"

struct CUstream_st;

// Streams and events over host memory, as lazy as they may be: what is put on a stream runs when something waits for it.
// The compute stream (nullptr) is the host itself: it has always run, and what it waits for runs then and there.
namespace entrain::standin {

using Lock = std::unique_lock<std::mutex>;
/// Everything of this library is under it; released only while somebody waits for another process.
std::mutex& engine_mutex();
/// Grows with each call.
std::uint64_t now();

/// Where an event was recorded.
struct Marker {
  CUstream_st* stream = nullptr;
  std::uint64_t time = 0;
  std::thread::id recorder{};
  bool done = false;
};

/// Something that a stream does.
class Work {
 public:
  virtual ~Work() = default;
  virtual bool step() = 0;      ///< a piece of it, without waiting; true: it is done
  virtual void drop() = 0;      ///< it will never run
  const void* owner = nullptr;  ///< a communicator
  std::string what{};
};

/// Misuse 1 unless the stream waits for an event that was recorded on the compute stream since its last piece of work.
void require_behind_compute(CUstream_st* stream, const std::string& what);
void put(CUstream_st* stream, std::unique_ptr<Work> work);
/// Takes an owner's work out of all streams, undone.
void drop_work_of(const void* owner);
/// Misuse 2 where nobody ever waited for work of this owner (nullptr: of anybody) on `stream` (nullptr: on any).
void require_waited_for(const void* owner, CUstream_st* stream);

/// Misuse 4 for a handle that is gone or never was.
void require_stream(CUstream_st* stream, const char* call);
/// Called before each CUDA call that orders streams: NCCL's word on open groups. Set by libnccl_standin.
extern void (*before_ordering)(CUstream_st* stream, const char* call);

}  // namespace entrain::standin

struct CUstream_st {
  using Marker = entrain::standin::Marker;
  struct Item {  // exactly one of them
    std::shared_ptr<Marker> mark{}, wait{};
    std::unique_ptr<entrain::standin::Work> work{};
  };
  struct Unseen {  // work that nobody has waited for
    std::uint64_t time;
    std::string what;
    const void* owner;
  };
  struct Source {  // of an upload, until the host knows its end
    std::uint64_t time;
    std::unique_ptr<entrain::standin::Flight> memory;
  };
  std::deque<Item> items;
  std::vector<Unseen> unseen;
  std::vector<Source> sources;
  std::vector<std::pair<std::uint64_t, std::shared_ptr<Marker>>> waits;
  std::uint64_t last_work = 0;
  bool behind_compute = false, destroyed = false;
};

struct CUevent_st {
  std::shared_ptr<entrain::standin::Marker> marker;
  bool destroyed = false;
};
