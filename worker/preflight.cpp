#include "worker/preflight.hpp"

#include <ATen/ATen.h>
#include <mpi.h>

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/hdf5_file.hpp"
#include "worker/collectives/mpi.hpp"
#include "worker/stages/run_folder.hpp"

namespace entrain::worker {
namespace {

constexpr std::int64_t kNumbers = 2 << 20;  // float: 8 MB, about a layer's gradients

std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string all(text, static_cast<std::size_t>(length));
  return all.substr(0, all.find_first_of(",\n"));
}

}  // namespace

int versions_command() {
  nlohmann::json versions = library_versions();
  versions["mpi"] = mpi_version();
  versions["hdf5"] = sharding::hdf5_version();
  std::cout << versions.dump() << '\n';
  return 0;
}

int preflight_command() {
  const MpiSession session;
  MpiCollectives comm;
  const double mine = comm.rank() + 1, want = 0.5 * comm.size() * (comm.size() + 1);
  at::Tensor numbers = at::full({kNumbers}, mine, at::kFloat);
  comm.barrier();
  const auto began = std::chrono::steady_clock::now();
  comm.all_reduce_sum_(numbers);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (!at::all(numbers == want).item<bool>())
    throw CommError(cat("the sum over ", comm.size(), " ranks of their numbers is not ", want));
  if (comm.rank() == 0)
    std::cout << nlohmann::json{{"world", comm.size()},
                                {"megabytes", kNumbers * 4 / 1e6},
                                {"seconds", seconds}}
                     .dump()
              << '\n';
  comm.barrier();
  return 0;
}

}  // namespace entrain::worker
