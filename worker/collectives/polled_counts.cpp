#include "worker/collectives/polled_counts.hpp"

#include <mpi.h>

#include <chrono>
#include <memory>
#include <thread>

#include "configs/error.hpp"

namespace entrain::worker {
namespace {

struct Exchange {
  std::int64_t mine;
  std::vector<std::int64_t> all;
  MPI_Request request = MPI_REQUEST_NULL;
};

void require(int code) {
  if (code != MPI_SUCCESS) throw CommError("MPI cannot exchange the numbers of rows");
}

}  // namespace

void Pause::operator()() {
  if (++rounds_ < 200)
    std::this_thread::yield();
  else
    std::this_thread::sleep_for(std::chrono::microseconds(rounds_ < 2000 ? 20 : 500));
}

std::vector<std::int64_t> polled_counts(std::int64_t mine, int ranks, const std::function<void()>& check) {
  auto exchange = std::make_unique<Exchange>(Exchange{mine, std::vector<std::int64_t>(ranks)});
  require(MPI_Iallgather(&exchange->mine, 1, MPI_INT64_T, exchange->all.data(), 1, MPI_INT64_T,
                         MPI_COMM_WORLD, &exchange->request));
  try {
    for (Pause pause;; pause()) {
      int done = 0;
      require(MPI_Test(&exchange->request, &done, MPI_STATUS_IGNORE));
      if (done) return std::move(exchange->all);
      check();
    }
  } catch (...) {
    (void)exchange.release();  // MPI may write there as long as the process lives
    throw;
  }
}

}  // namespace entrain::worker
