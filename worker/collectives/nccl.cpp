#include "worker/collectives/nccl.hpp"

#include <ATen/ATen.h>
#include <dlfcn.h>
#include <nccl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "coordinator/control/progress.hpp"
#include "coordinator/control/signals.hpp"
#include "worker/collectives/bucket_reducer.hpp"
#include "worker/collectives/mpi.hpp"
#include "worker/collectives/polled_counts.hpp"
#include "worker/device/gpu_stream.hpp"

namespace entrain::worker {
namespace {

using Clock = std::chrono::steady_clock;

Clock::time_point in_seconds(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

ncclDataType_t nccl_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return ncclFloat32;
    case at::kDouble:
      return ncclFloat64;
    case at::kBFloat16:
      return ncclBfloat16;
    case at::kHalf:
      return ncclFloat16;
    case at::kLong:
      return ncclInt64;
    case at::kInt:
      return ncclInt32;
    case at::kByte:
      return ncclUint8;
    default:
      TORCH_CHECK(false, "no NCCL type for ", type);
  }
}

std::string version_text(std::uint64_t major, std::uint64_t minor, std::uint64_t patch) {
  return cat(major, '.', minor, '.', patch);
}

// What LibTorch was built with, where this process has it: its own NCCL calls share the one library that is loaded.
std::string libtorch_nccl() {
  using Version = std::uint64_t (*)();
  const auto version = reinterpret_cast<Version>(::dlsym(RTLD_DEFAULT, "_ZN5torch4cuda4nccl7versionEv"));
  if (!version) return "";
  const std::uint64_t v = version();
  return version_text(v >> 32, v >> 16 & 0xffff, v & 0xffff);
}

// Two NCCLs in one process, or a header unlike the library, fail in ways that name no cause.
std::string version_complaint() {
  int code = 0;
  if (ncclGetVersion(&code) != ncclSuccess) return "the NCCL library does not tell its version";
  const std::string library = version_text(code / 10000, code / 100 % 100, code % 100);
  const std::string header = version_text(NCCL_MAJOR, NCCL_MINOR, NCCL_PATCH), libtorch = libtorch_nccl();
  if (library == header && (libtorch.empty() || libtorch == header)) return "";
  return cat("this entrain was built with NCCL ", header,
             libtorch.empty() ? "" : cat(", LibTorch with ", libtorch), ", but the library loaded is ",
             library, "; put the libnccl.so.2 that came with LibTorch first in LD_LIBRARY_PATH");
}

std::string hex_of(const ncclUniqueId& id) {
  std::string text;
  for (const char byte : id.internal) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned char>(byte));
    text += two;
  }
  return text;
}

ncclUniqueId id_of(const std::string& hex) {
  ncclUniqueId id{};
  TORCH_CHECK(hex.size() == 2 * sizeof id.internal, "NCCL's unique id: got ", hex.size(), " digits");
  for (std::size_t i = 0; i < sizeof id.internal; ++i)
    id.internal[i] = static_cast<char>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  return id;
}

// In the heartbeat: who has entered the fewest collectives is who the others wait for.
control::RankProgress::Scope entered() {
  control::progress().count_collective();
  return control::progress().enter(control::Phase::kCollective);
}

class Nccl final : public NcclCollectives {
 public:
  Nccl(const Device& device, MpiCollectives& host, const NcclLimits& limits);
  ~Nccl() override;

  int rank() const noexcept override { return host_.rank(); }
  int size() const noexcept override { return host_.size(); }
  int ranks_per_node() const noexcept override { return host_.ranks_per_node(); }
  GatheredRows all_gather_rows(const at::Tensor& rows) override;
  at::Tensor all_to_all(const at::Tensor& send, const std::vector<std::int64_t>& send_counts,
                        const std::vector<std::int64_t>& receive_counts) override;
  void all_reduce_sum_(at::Tensor t) override;
  std::int64_t all_reduce_max(std::int64_t value) override;
  std::vector<std::string> all_gather_text(const std::string& mine) override;
  void barrier() override;
  void abort(std::string_view reason) noexcept override;
  void check() override;
  void start_all_reduce_sum_(const at::Tensor& part) override;
  void finish_sums() override;

 private:
  struct Begun {
    std::shared_ptr<GpuEvent> done;
    std::string what;
    Clock::time_point until;
    double seconds;  // that it had
  };
  using Lock = std::unique_lock<std::timed_mutex>;
  using Calls = std::function<void()>;

  bool is_ours(const at::Tensor& t) const { return t.device() == device_.tensors(); }
  void join(const ncclUniqueId& id);
  void start_watcher();
  void meet(Clock::time_point until);
  void part();
  std::shared_ptr<GpuEvent> begin(const char* what, double seconds, const Calls& calls);
  void run(const char* what, const Calls& calls);
  void settle(Lock& lock, const char* what, Clock::time_point until);
  std::vector<std::int64_t> all_counts(std::int64_t mine);
  void require_alive() const;
  Lock enter();
  std::optional<std::string> fault();
  [[noreturn]] void fail(const std::string& reason);
  void watch(const std::stop_token& stop);

  const Device& device_;
  MpiCollectives& host_;
  const NcclLimits limits_;
  const int unwinding_ = std::uncaught_exceptions();
  GpuStream stream_{"the stream of the collectives"};

  // Held around every call with the communicator, but never while anyone waits for the GPU or for a peer.
  std::timed_mutex mutex_;
  ncclComm_t comm_ = nullptr;
  std::deque<Begun> begun_;  // whose end was not yet seen
  std::int64_t num_begun_ = 0;

  mutable std::mutex reason_mutex_;
  std::string reason_;
  std::atomic<bool> failed_ = false;

  std::shared_ptr<GpuEvent> last_sum_;  // started and not yet waited for
  std::jthread watcher_;
};

void check_nccl(ncclResult_t code, const char* what) {
  if (code == ncclSuccess || code == ncclInProgress) return;
  const char* last = ncclGetLastError(nullptr);
  throw CommError(cat(what, ": NCCL: ", ncclGetErrorString(code), last && *last ? cat(" (", last, ')') : ""));
}

// Rank 0's id on all ranks; what any rank cannot do with this NCCL is every rank's error.
ncclUniqueId common_id(MpiCollectives& host) {
  std::string complaint = version_complaint(), id_text;
  if (complaint.empty() && host.rank() == 0) {
    ncclUniqueId id;
    const ncclResult_t code = ncclGetUniqueId(&id);
    if (code == ncclSuccess)
      id_text = hex_of(id);
    else
      complaint = cat("NCCL does not start: ", ncclGetErrorString(code), " (", ncclGetLastError(nullptr),
                      "); NCCL_SOCKET_IFNAME names the network interface, NCCL_DEBUG=INFO tells more");
  }
  const auto ids = host.all_gather_text(id_text), complaints = host.all_gather_text(complaint);
  for (int r = 0; r < host.size(); ++r) {
    if (complaints[r].empty()) continue;
    LaunchError error(cat("rank ", r, ": ", complaints[r]));
    error.set_on_all_ranks();
    throw error;
  }
  return id_of(ids[0]);
}

Nccl::Nccl(const Device& device, MpiCollectives& host, const NcclLimits& limits)
    : device_(device), host_(host), limits_(limits) {
  const ncclUniqueId id = common_id(host);
  const auto until = in_seconds(limits.init_seconds);
  try {
    join(id);
    start_watcher();
    meet(until);
  } catch (const CommError& e) {
    abort(e.what());
    throw;
  }
}

// Without blocking, so that a peer that never comes is an error here and not a rank that hangs.
void Nccl::join(const ncclUniqueId& id) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  Lock lock(mutex_);
  check_nccl(ncclCommInitRankConfig(&comm_, size(), id, rank(), &config), "joining the other ranks");
  settle(lock, "joining the other ranks", in_seconds(limits_.init_seconds));
}

void Nccl::start_watcher() {
  const control::SignalsBlocked blocked;
  watcher_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
}

// All have joined when a first sum is done; it also opens the connections.
void Nccl::meet(Clock::time_point until) {
  at::Tensor ones = at::ones({1}, at::TensorOptions(at::kFloat).device(device_.tensors()));
  const double left = std::chrono::duration<double>(until - Clock::now()).count();
  const auto done = begin("the first sum over all ranks", std::max(left, 1.0), [&] {
    check_nccl(ncclAllReduce(ones.const_data_ptr(), ones.mutable_data_ptr(), 1, ncclFloat32, ncclSum, comm_,
                             stream_.get()),
               "the first sum over all ranks");
  });
  done->hold(kComputeStream);
  wait_for(*done, [this] { check(); });
  if (const float sum = ones.item<float>(); sum != static_cast<float>(size()))
    throw CommError(cat("NCCL's first sum over ", size(), " ranks is ", sum));
}

Nccl::~Nccl() {
  watcher_ = {};
  if (failed_) return;
  if (std::uncaught_exceptions() > unwinding_) {  // the others are elsewhere: no common end
    abort("this rank leaves by an error");
    return;
  }
  try {
    part();
  } catch (const std::exception& e) {
    log(Level::kWarning, cat("leaving NCCL: ", e.what()));
    abort(e.what());
  }
}

// What was begun comes to its end, then the communicator does; only then stream and events go.
void Nccl::part() {
  while (!begun_.empty()) {
    const auto done = begun_.front().done;
    wait_for(*done, [this] { check(); });  // which forgets what is done
  }
  Lock lock(mutex_);
  check_nccl(ncclCommFinalize(comm_), "finishing the communicator");
  settle(lock, "finishing the communicator", in_seconds(limits_.collective_seconds));
  check_nccl(ncclCommDestroy(std::exchange(comm_, nullptr)), "ending the communicator");
}

// A call that has begun may still be on its way into the stream: an event recorded now would not stand behind it.
void Nccl::settle(Lock& lock, const char* what, Clock::time_point until) {
  for (Pause pause;;) {
    require_alive();
    ncclResult_t state = ncclSuccess;
    check_nccl(ncclCommGetAsyncError(comm_, &state), what);
    check_nccl(state, what);
    if (state != ncclInProgress) return;
    if (Clock::now() > until) throw CommError(cat(what, ": not done in time; a peer is gone or hangs"));
    lock.unlock();
    pause();
    lock.lock();
  }
}

// Puts `calls` as one group behind what was computed so far. What is computed afterwards does not wait for it yet.
std::shared_ptr<GpuEvent> Nccl::begin(const char* what, double seconds, const Calls& calls) {
  check();
  const auto until = in_seconds(seconds);
  const auto done = std::make_shared<GpuEvent>();
  try {
    Lock lock = enter();
    const GpuEvent computed;
    computed.record(kComputeStream);
    computed.hold(stream_.get());
    check_nccl(ncclGroupStart(), what);
    std::exception_ptr failure;
    try {
      calls();
    } catch (...) {
      failure = std::current_exception();
    }
    const ncclResult_t launched = ncclGroupEnd();
    if (failure) std::rethrow_exception(failure);
    check_nccl(launched, what);
    settle(lock, what, until);
    done->record(stream_.get());
    begun_.push_back({done, cat(what, " (collective ", ++num_begun_, " of NCCL's)"), until, seconds});
  } catch (const CommError& e) {
    fail(e.what());
  }
  return done;
}

void Nccl::run(const char* what, const Calls& calls) {
  const auto done = begin(what, limits_.collective_seconds, calls);
  done->hold(kComputeStream);
  require_alive();
}

GatheredRows Nccl::all_gather_rows(const at::Tensor& rows) {
  if (!is_ours(rows)) return host_.all_gather_rows(rows);
  const auto scope = entered();
  TORCH_CHECK(rows.is_contiguous() && rows.dim() > 0, "all_gather_rows: want contiguous rows");
  const auto counts = all_counts(rows.size(0));
  const auto row_bytes =
      static_cast<std::size_t>(rows.element_size() * c10::multiply_integers(rows.sizes().slice(1)));
  std::vector<std::int64_t> shape = rows.sizes().vec();
  shape[0] = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  GatheredRows gathered{at::empty(shape, rows.options()),
                        std::accumulate(counts.begin(), counts.begin() + rank(), std::int64_t{0})};
  if (gathered.all.numel() == 0) return gathered;
  auto* to = static_cast<char*>(gathered.all.mutable_data_ptr());
  const void* from = rows.const_data_ptr();
  run("all_gather_rows", [&] {
    if (std::adjacent_find(counts.begin(), counts.end(), std::not_equal_to<>()) == counts.end()) {
      check_nccl(ncclAllGather(from, to, counts[0] * row_bytes, ncclInt8, comm_, stream_.get()),
                 "all_gather_rows");
      return;
    }
    for (int r = 0; r < size(); to += counts[r++] * row_bytes)
      if (counts[r] > 0)
        check_nccl(ncclBroadcast(r == rank() ? from : to, to, counts[r] * row_bytes, ncclInt8, r, comm_,
                                 stream_.get()),
                   "all_gather_rows");
  });
  return gathered;
}

at::Tensor Nccl::all_to_all(const at::Tensor& send, const std::vector<std::int64_t>& send_counts,
                            const std::vector<std::int64_t>& receive_counts) {
  if (!is_ours(send)) return host_.all_to_all(send, send_counts, receive_counts);
  const auto scope = entered();
  TORCH_CHECK(send.is_contiguous() && send.dim() == 1, "all_to_all: want a flat tensor");
  const auto sum = [](const auto& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  };
  TORCH_CHECK(sum(send_counts) == send.numel(), "all_to_all: ", send.numel(), " elements, counts for ",
              sum(send_counts));
  at::Tensor received = at::empty({sum(receive_counts)}, send.options());
  const auto element = static_cast<std::size_t>(send.element_size());
  const auto* from = static_cast<const char*>(send.const_data_ptr());
  auto* to = static_cast<char*>(received.mutable_data_ptr());
  run("all_to_all", [&] {
    for (int r = 0; r < size(); ++r) {
      const std::size_t out = send_counts[r] * element, in = receive_counts[r] * element;
      if (out > 0) check_nccl(ncclSend(from, out, ncclInt8, r, comm_, stream_.get()), "all_to_all");
      if (in > 0) check_nccl(ncclRecv(to, in, ncclInt8, r, comm_, stream_.get()), "all_to_all");
      from += out;
      to += in;
    }
  });
  return received;
}

void Nccl::all_reduce_sum_(at::Tensor t) {
  if (!is_ours(t)) return host_.all_reduce_sum_(t);
  TORCH_CHECK(t.is_contiguous(), "all_reduce_sum_: want a contiguous tensor");
  const at::Tensor flat = t.view({-1});
  for (const Bucket& bucket : buckets_of(flat.numel(), flat.element_size()))
    start_all_reduce_sum_(flat.narrow(0, bucket.first, bucket.count));
  finish_sums();
}

void Nccl::start_all_reduce_sum_(const at::Tensor& part) {
  const auto scope = entered();
  TORCH_CHECK(is_ours(part) && part.is_contiguous(),
              "start_all_reduce_sum_: want a contiguous tensor of the device");
  const ncclDataType_t type = nccl_type(part.scalar_type());
  last_sum_ = begin("all_reduce_sum", limits_.collective_seconds, [&] {
    check_nccl(ncclAllReduce(part.const_data_ptr(), part.mutable_data_ptr(),
                             static_cast<std::size_t>(part.numel()), type, ncclSum, comm_, stream_.get()),
               "all_reduce_sum");
  });
}

// The stream keeps their order: behind the last one all are done.
void Nccl::finish_sums() {
  const auto scope = control::progress().enter(control::Phase::kCollective);
  if (const auto last = std::exchange(last_sum_, nullptr)) last->hold(kComputeStream);
  require_alive();
}

std::int64_t Nccl::all_reduce_max(std::int64_t value) {
  check();
  return host_.all_reduce_max(value);
}
std::vector<std::string> Nccl::all_gather_text(const std::string& mine) {
  check();
  return host_.all_gather_text(mine);
}
void Nccl::barrier() {
  check();
  host_.barrier();
}

// A peer that failed in NCCL never comes to MPI: the watcher's word must be heard there, too.
std::vector<std::int64_t> Nccl::all_counts(std::int64_t mine) {
  const auto until = in_seconds(limits_.collective_seconds);
  return polled_counts(mine, size(), [&] {
    require_alive();
    if (Clock::now() > until)
      fail(cat("all_gather_rows: not all ranks came within ", limits_.collective_seconds, " s"));
  });
}

void Nccl::require_alive() const {
  if (!failed_) return;
  const std::lock_guard lock(reason_mutex_);
  throw CommError(reason_);
}

void Nccl::check() {
  require_alive();
  if (const auto reason = fault()) fail(*reason);
}

// An abort that hangs inside NCCL must not hold anybody here.
Nccl::Lock Nccl::enter() {
  Lock lock(mutex_, std::defer_lock);
  do require_alive();
  while (!lock.try_lock_for(std::chrono::milliseconds(50)));
  require_alive();
  return lock;
}

// What NCCL says of itself, and what has been under way for too long. Nothing where another thread is at it.
std::optional<std::string> Nccl::fault() {
  const Lock lock(mutex_, std::try_to_lock);
  if (!lock || failed_ || !comm_) return {};
  try {
    ncclResult_t state = ncclSuccess;
    check_nccl(ncclCommGetAsyncError(comm_, &state), "NCCL");
    check_nccl(state, "a collective");
    while (!begun_.empty() && begun_.front().done->done()) begun_.pop_front();
  } catch (const CommError& e) {
    return e.what();
  }
  if (begun_.empty() || Clock::now() < begun_.front().until) return {};
  return cat(begun_.front().what, ": not done within ", begun_.front().seconds,
             " s; a peer is gone or hangs");
}

void Nccl::fail(const std::string& reason) {
  abort(reason);
  const std::lock_guard lock(reason_mutex_);
  throw CommError(reason_);
}

void Nccl::abort(std::string_view reason) noexcept {
  {
    const std::lock_guard lock(reason_mutex_);
    if (failed_) return;
    reason_ = reason;
    failed_ = true;
  }
  // NCCL wants no thread inside of it; one that is stuck there would be so for ever.
  const Lock lock(mutex_, std::chrono::seconds(5));
  if (comm_) ncclCommAbort(std::exchange(comm_, nullptr));
}

// Where the host waits for the GPU inside LibTorch, nobody else sees a fault; an abort ends such a wait.
void Nccl::watch(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (const auto reason = fault()) return abort(*reason);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace

std::string built_nccl() { return version_text(NCCL_MAJOR, NCCL_MINOR, NCCL_PATCH); }

std::unique_ptr<NcclCollectives> make_nccl_collectives(const Device& device, MpiCollectives& host,
                                                       const NcclLimits& limits) {
  return std::make_unique<Nccl>(device, host, limits);
}

}  // namespace entrain::worker
