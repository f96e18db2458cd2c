#include <ATen/ATen.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/worker/collectives/nccl_victim.hpp"
#include "tests/worker/device/guarded_tensors.hpp"
#include "worker/collectives/bucket_reducer.hpp"
#include "worker/collectives/nccl.hpp"
#include "worker/device/device.hpp"

namespace entrain::tests {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

void require(bool right, const char* what) {
  if (!right) throw std::logic_error(cat("wrong numbers: ", what));
}

// Every kind of call once, each result known. `leaves`: by an error of its own in the middle, or with "counts" before it.
void one_round(worker::NcclCollectives& comm, worker::Device& device, Clock::time_point& last,
               const std::string& leaves) {
  const auto leave_at = [&](const char* place) {
    if (leaves == place) throw CommError("this rank fails elsewhere");
  };
  leave_at("counts");
  const int me = comm.rank(), n = comm.size();
  const auto mark = [&] { last = Clock::now(); };
  mark();
  const auto uneven = comm.all_gather_rows(at::full({me + 1, 3}, me + 1, at::kFloat));
  require(uneven.all.sum().item<float>() == static_cast<float>(n * (n + 1) * (2 * n + 1) / 2), "uneven rows");
  mark();
  const auto even = comm.all_gather_rows(at::full({2, 3}, me + 1, at::kFloat));
  require(even.all.sum().item<float>() == static_cast<float>(3 * n * (n + 1)), "even rows");
  mark();
  leave_at("nccl");
  const std::vector<std::int64_t> tens(n, 10);
  const at::Tensor sent = at::full({10 * n}, me + 1, at::kFloat);
  require(comm.all_to_all(sent, tens, tens).sum().item<float>() == static_cast<float>(5 * n * (n + 1)),
          "pieces");
  mark();
  at::Tensor flat = at::full({400'000}, me + 1, at::kFloat);  // two buckets
  worker::BucketReducer reducer(comm, flat);
  reducer.complete_from(100'000);
  reducer.finish();
  require(at::all(flat == n * (n + 1) / 2).item<bool>(), "buckets");
  mark();
  device.synchronize([&] { comm.check(); });
}

// All tell how it ended, and none ends before: a process that is gone ends the others.
void tell_and_wait(const std::string& folder, int me, int others, const std::string& text) {
  write_file(cat(folder, "/part", me), text);
  std::filesystem::rename(cat(folder, "/part", me), cat(folder, "/rank", me));
  const auto began = Clock::now();
  const auto told = [&] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      count += entry.path().filename().string().starts_with("rank") ? 1 : 0;
    return count;
  };
  while (told() < others && seconds_since(began) < 60)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

}  // namespace

int run_rounds(const std::vector<std::string>& args, worker::MpiCollectives& host) {
  guard_tensors();
  const std::string& folder = args.at(0);
  const int tellers = host.size() - std::stoi(args.at(1));
  const worker::NcclLimits limits{std::stod(args.at(2)), std::stod(args.at(3))};
  auto last = Clock::now();
  std::string end = "done";
  try {
    const auto device = worker::open_device("cuda", host);
    const auto comm = worker::make_nccl_collectives(*device, host, limits);
    const bool may_leave = args.size() > 5 && args[5] == cat(host.rank());
    for (int round = 0; round < std::stoi(args.at(4)); ++round)
      one_round(*comm, *device, last, round == 2 && may_leave ? args.at(6) : "");
  } catch (const CommError& e) {
    end = cat("comm ", seconds_since(last), ' ', e.what());
  } catch (const std::exception& e) {
    end = cat("other ", e.what());
  }
  tell_and_wait(folder, host.rank(), tellers, end);
  if (end != "done") ::_exit(76);  // MPI is not asked: a fault may have left it in the middle of something
  host.barrier();
  return 0;
}

}  // namespace entrain::tests
