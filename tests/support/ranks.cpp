#include "tests/support/ranks.hpp"

#include <exception>
#include <mutex>
#include <thread>

#include "configs/cat.hpp"

namespace entrain::tests {

void run_ranks(int num_ranks, const std::function<void(worker::Collectives&)>& body, int ranks_per_node) {
  const auto ranks = worker::make_local_collectives(num_ranks, ranks_per_node);
  std::mutex mutex;
  std::exception_ptr first;
  {
    std::vector<std::jthread> threads;
    for (const auto& comm : ranks)
      threads.emplace_back([&, comm = comm.get()] {
        try {
          body(*comm);
        } catch (...) {
          const std::lock_guard lock(mutex);
          if (!first) first = std::current_exception();
          comm->abort(cat("rank ", comm->rank(), " failed"));
        }
      });
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace entrain::tests
