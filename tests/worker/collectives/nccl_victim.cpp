// What the stand-in's own tests start: a program that makes a mistake, or meets a fault.
#include "tests/worker/collectives/nccl_victim.hpp"

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>

namespace entrain::tests {
namespace {

constexpr std::size_t kNumbers = 2048;  // two pages of floats, so that they can be guarded

// A communicator, and the right way to use it in small steps.
class Bare {
 public:
  explicit Bare(worker::MpiCollectives& host) : rank(host.rank()), size(host.size()) {
    ncclUniqueId id;
    if (rank == 0) ncclGetUniqueId(&id);
    const std::string text = rank == 0 ? std::string(id.internal) : "";
    std::snprintf(id.internal, sizeof id.internal, "%s", host.all_gather_text(text)[0].c_str());
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    ncclCommInitRankConfig(&comm, size, id, rank, &config);
    settle();
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  }
  void leave() {
    ncclCommFinalize(comm);
    settle();
    ncclCommDestroy(comm);
    cudaStreamDestroy(stream);
  }
  void settle() const {
    ncclResult_t state = ncclInProgress;
    while (state == ncclInProgress) ncclCommGetAsyncError(comm, &state);
  }
  static cudaEvent_t record(cudaStream_t where) {
    cudaEvent_t event = nullptr;
    cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    cudaEventRecord(event, where);
    return event;
  }
  void behind_compute() const { cudaStreamWaitEvent(stream, record(nullptr), 0); }
  void compute_waits() const { cudaStreamWaitEvent(nullptr, record(stream), 0); }
  void sum(const float* from, float* to, std::size_t count = kNumbers) const {
    ncclAllReduce(from, to, count, ncclFloat32, ncclSum, comm, stream);
  }
  void whole_sum(const float* from, float* to) const {
    behind_compute();
    sum(from, to);
    settle();
    compute_waits();
  }
  void exchange(const float* from, float* to, std::size_t count) const {
    behind_compute();
    ncclGroupStart();
    ncclSend(from, count, ncclFloat32, size - 1 - rank, comm, stream);
    ncclRecv(to, kNumbers, ncclFloat32, size - 1 - rank, comm, stream);
    ncclGroupEnd();
    settle();
    compute_waits();
  }

  int rank, size;
  ncclComm_t comm = nullptr;
  cudaStream_t stream = nullptr;
};

float* on_device() {
  void* memory = nullptr;
  cudaMalloc(&memory, kNumbers * sizeof(float));
  std::fill_n(static_cast<float*>(memory), kNumbers, 1.F);
  return static_cast<float*>(memory);
}

using Body = std::function<void(Bare&, bool wrong)>;

const std::map<std::string, Body>& bodies() {
  static const std::map<std::string, Body> all{
      {"1_no_event",
       [](Bare& b, bool wrong) {
         if (!wrong) b.behind_compute();
         b.sum(on_device(), on_device());
         b.settle();
         b.compute_waits();
       }},
      {"1_old_event",
       [](Bare& b, bool wrong) {
         const auto early = Bare::record(nullptr);
         b.whole_sum(on_device(), on_device());
         cudaStreamWaitEvent(b.stream, wrong ? early : Bare::record(nullptr), 0);
         b.sum(on_device(), on_device());
         b.settle();
         b.compute_waits();
       }},
      {"2_read_early",
       [](Bare& b, bool wrong) {
         float* to = on_device();
         b.behind_compute();
         b.sum(on_device(), to);
         b.settle();
         if (!wrong) b.compute_waits();
         if (to[7] != static_cast<float>(b.size)) std::abort();
         if (wrong) b.compute_waits();
       }},
      {"2_never_waited",
       [](Bare& b, bool wrong) {
         b.behind_compute();
         b.sum(on_device(), on_device());
         b.settle();
         if (!wrong) b.compute_waits();
       }},
      {"2_event_before",
       [](Bare& b, bool wrong) {  // recorded before the sum: waits for nothing of it
         b.behind_compute();
         const auto early = Bare::record(b.stream);
         b.sum(on_device(), on_device());
         b.settle();
         cudaStreamWaitEvent(nullptr, wrong ? early : Bare::record(b.stream), 0);
       }},
      {"2_passed_on",
       [](Bare& b, bool wrong) {  // in memory that cannot be guarded
         std::vector<float> first(kNumbers, 1), second(kNumbers, 0), third(kNumbers, 0);
         b.behind_compute();
         b.sum(first.data(), second.data());
         b.settle();
         if (!wrong) b.compute_waits();
         std::vector<float> computed = second;
         for (float& x : computed) x = 2 * x + 1;
         b.whole_sum(computed.data(), third.data());
       }},
      {"3_left_open",
       [](Bare& b, bool wrong) {
         b.behind_compute();
         ncclGroupStart();
         b.sum(on_device(), on_device());
         if (!wrong) ncclGroupEnd();
         if (!wrong) b.settle();
         b.compute_waits();
       }},
      {"3_never_opened",
       [](Bare& b, bool wrong) {
         if (!wrong) ncclGroupStart();
         ncclGroupEnd();
         b.settle();
       }},
      {"4_after_abort",
       [](Bare& b, bool wrong) {
         b.whole_sum(on_device(), on_device());
         if (!wrong) return;
         ncclCommAbort(b.comm);
         b.sum(on_device(), on_device());
       }},
      {"4_event_gone",
       [](Bare& b, bool wrong) {
         const auto event = Bare::record(nullptr);
         if (wrong) cudaEventDestroy(event);
         cudaStreamWaitEvent(b.stream, event, 0);
         if (!wrong) cudaEventDestroy(event);
       }},
      {"5_sum",
       [](Bare& b, bool wrong) {
         b.behind_compute();
         b.sum(on_device(), on_device(), kNumbers - (wrong && b.rank == 1 ? 1 : 0));
         b.settle();
         b.compute_waits();
       }},
      {"5_send",
       [](Bare& b, bool wrong) { b.exchange(on_device(), on_device(), kNumbers - (wrong ? 1 : 0)); }},
      {"6_other_call",
       [](Bare& b, bool wrong) {
         b.behind_compute();
         if (wrong && b.rank == 1)
           ncclBroadcast(on_device(), on_device(), kNumbers, ncclFloat32, 0, b.comm, b.stream);
         else
           b.sum(on_device(), on_device());
         b.settle();
         b.compute_waits();
       }},
      {"6_other_order",
       [](Bare& b, bool wrong) {
         if (wrong && b.rank == 1) b.exchange(on_device(), on_device(), kNumbers);
         b.whole_sum(on_device(), on_device());
         if (!wrong || b.rank == 0) b.exchange(on_device(), on_device(), kNumbers);
       }},
      {"6_one_left_out",
       [](Bare& b, bool wrong) {
         if (!wrong || b.rank == 0) b.whole_sum(on_device(), on_device());
       }},
      {"7_freed",
       [](Bare& b, bool wrong) {
         float* from = on_device();
         b.behind_compute();
         b.sum(from, on_device());
         b.settle();
         if (wrong) cudaFree(from);
         b.compute_waits();
         if (!wrong) cudaFree(from);
       }},
      {"7_sent_is_written",
       [](Bare& b, bool wrong) {
         float* from = on_device();
         b.behind_compute();
         b.sum(from, on_device());
         b.settle();
         if (wrong) from[3] = 2;
         b.compute_waits();
         from[3] = 2;
       }},
      {"7_sent_is_written_unguarded",
       [](Bare& b, bool wrong) {
         std::vector<float> from(kNumbers, 1);
         b.behind_compute();
         b.sum(from.data(), on_device());
         b.settle();
         if (wrong) from[3] = 2;
         b.compute_waits();
         from[3] = 2;
       }},
      {"7_result_is_written",
       [](Bare& b, bool wrong) {
         std::vector<float> to(kNumbers, 0);
         b.behind_compute();
         b.sum(on_device(), to.data());
         b.settle();
         if (wrong) to[3] = 2;
         b.compute_waits();
         to[3] = 2;
       }},
      {"8_host_is_written",
       [](Bare& b, bool wrong) {
         void* host = nullptr;
         cudaHostAlloc(&host, kNumbers * sizeof(float), cudaHostAllocDefault);
         std::memset(host, 0, kNumbers * sizeof(float));
         b.behind_compute();
         cudaMemcpyAsync(on_device(), host, kNumbers * sizeof(float), cudaMemcpyHostToDevice, b.stream);
         const auto arrived = Bare::record(b.stream);
         cudaStreamWaitEvent(nullptr, arrived, 0);  // the device knows, the host does not
         if (!wrong) cudaEventQuery(arrived);
         static_cast<float*>(host)[9] = 1;
         cudaEventQuery(arrived);
       }},
      {"8_host_is_written_unguarded",
       [](Bare& b, bool wrong) {
         std::vector<float> host(kNumbers, 0);
         b.behind_compute();
         cudaMemcpyAsync(on_device(), host.data(), kNumbers * sizeof(float), cudaMemcpyHostToDevice,
                         b.stream);
         const auto arrived = Bare::record(b.stream);
         if (wrong) host[9] = 1;
         cudaStreamWaitEvent(nullptr, arrived, 0);
         cudaEventQuery(arrived);
         host[9] = 1;
       }},
      {"9_not_settled",
       [](Bare& b, bool wrong) {
         b.behind_compute();
         b.sum(on_device(), on_device());
         if (!wrong) b.settle();
         b.compute_waits();
       }},
  };
  return all;
}

}  // namespace

int run_misuse(const std::string& name, worker::MpiCollectives& host) {
  for (const auto& [one, body] : bodies()) {
    if (name != "right" && name != one) continue;
    Bare bare(host);
    body(bare, name != "right");
    bare.leave();
    if (host.rank() == 0) std::cout << "passed " << one << std::endl;
  }
  return 0;
}

}  // namespace entrain::tests

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  const entrain::worker::MpiSession session;
  entrain::worker::MpiCollectives host;
  if (args.at(0) == "misuse") {
    const int code = entrain::tests::run_misuse(args.at(1), host);
    host.barrier();
    return code;
  }
  return entrain::tests::run_rounds({args.begin() + 1, args.end()}, host);
}
