#include "worker/preflight.hpp"

#include <ATen/ATen.h>
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/control/supervised.hpp"
#include "coordinator/supervise/node_probe.hpp"
#include "sharding/hdf5_file.hpp"
#include "worker/collectives/mpi.hpp"
#include "worker/collectives/nccl.hpp"
#include "worker/device/gpu.hpp"
#include "worker/preflight_disk.hpp"
#include "worker/preflight_gpu.hpp"
#include "worker/preflight_links.hpp"
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

// Seconds that the sum over all ranks of their numbers takes. CommError where it is wrong.
double reduce_numbers(MpiCollectives& comm) {
  const double mine = comm.rank() + 1, want = 0.5 * comm.size() * (comm.size() + 1);
  at::Tensor numbers = at::full({kNumbers}, mine, at::kFloat);
  comm.barrier();
  const auto began = std::chrono::steady_clock::now();
  comm.all_reduce_sum_(numbers);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (!at::all(numbers == want).item<bool>())
    throw CommError(cat("the sum over ", comm.size(), " ranks of their numbers is not ", want));
  return seconds;
}

// What this rank has timed as the first of two, by the name of the other's node; a better time replaces a worse one.
struct Timed {
  int rank = 0;
  std::map<std::string, double> rates{};
  void pair(int first, int second, const std::string& to) {
    if (rank != first && rank != second) return;
    const double rate = time_link(first, second);
    if (rank == first) rates[to] = std::max(rates[to], rate);
  }
};

void time_once(const std::vector<NodeRanks>& nodes, Timed& timed) {
  for (const auto& round : supervise::ring_rounds(static_cast<int>(nodes.size()))) {
    for (const auto& [one, other] : round)
      timed.pair(nodes.at(one).ranks.front(), nodes.at(other).ranks.front(), nodes.at(other).name);
    wait_for_all();
  }
  for (const auto& node : nodes)
    if (node.ranks.size() > 1) timed.pair(node.ranks[0], node.ranks[1], node.name);
  wait_for_all();
}

// Twice, unless that takes long: what else a node or a switch did in the one moment it may not do in the other.
std::map<std::string, double> time_links(const std::vector<NodeRanks>& nodes, MpiCollectives& comm) {
  constexpr std::int64_t kLongMs = 5000;
  Timed timed{comm.rank()};
  const auto began = std::chrono::steady_clock::now();
  time_once(nodes, timed);
  const std::chrono::milliseconds took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  if (comm.all_reduce_max(took.count()) < kLongMs) time_once(nodes, timed);
  return timed.rates;
}

// A rate is known to the first of two; both nodes have the link.
void add_rates(std::map<std::string, supervise::NodeProbe>& probes, const std::string& node,
               const nlohmann::json& rates) {
  for (const auto& [to, rate] : rates.items()) {
    if (to == node)
      probes[node].inside_megabytes_per_s = rate;
    else
      probes[node].links[to] = probes[to].links[node] = rate;
  }
}

// By rank; empty where nobody computes on GPUs.
std::vector<std::string> try_gpus(MpiCollectives& comm, const std::string& wanted) {
  if (built_cuda().empty() || wanted == "cpu") return {};
  if (wanted == "auto" && comm.all_reduce_max(gpus_seen().count) == 0) return {};
  const auto gpu = supervise::json_of(try_gpu(comm.rank(), comm.local_rank(), comm.local_size()));
  wait_for_all();
  return comm.all_gather_text(gpu.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

// On rank 0 what was measured of each node, in their order; elsewhere nothing of use.
nlohmann::json look_at_nodes(MpiCollectives& comm, const std::string& run_dir, const std::string& device) {
  const std::string mine = control::node_name();
  const auto nodes = by_node(comm.all_gather_text(mine));
  std::vector<int> leaders;
  for (const auto& node : nodes) leaders.push_back(node.ranks.front());
  const bool leads = std::count(leaders.begin(), leaders.end(), comm.rank()) > 0;
  const DiskTest disk = leads ? write_and_read_back(run_dir, mine) : DiskTest{};
  wait_for_all();
  const auto offsets = clock_offsets(leaders);
  const nlohmann::json measured{
      {"seconds", disk.seconds}, {"error", disk.error}, {"rates", time_links(nodes, comm)}};
  const auto texts =
      comm.all_gather_text(measured.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  const auto gpus = try_gpus(comm, device);
  std::map<std::string, supervise::NodeProbe> probes;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto of_node = nlohmann::json::parse(texts.at(leaders[i]));
    auto& probe = probes[nodes[i].name];
    probe.host = nodes[i].name;
    probe.write_seconds = of_node["seconds"];
    probe.write_error = of_node["error"];
    probe.skew_seconds = offsets[i];
    add_rates(probes, nodes[i].name, of_node["rates"]);
    for (const int rank : nodes[i].ranks)
      if (!gpus.empty()) probe.gpus.push_back(supervise::gpu_probe_of(nlohmann::json::parse(gpus.at(rank))));
  }
  nlohmann::json out = nlohmann::json::array();
  for (const auto& node : nodes) out.push_back(supervise::json_of(probes[node.name]));
  return out;
}

}  // namespace

int versions_command() {
  nlohmann::json versions = library_versions();
  versions["mpi"] = mpi_version();
  versions["hdf5"] = sharding::hdf5_version();
  versions["cuda"] = built_cuda();
  versions["nccl"] = built_nccl();
  std::cout << versions.dump() << '\n';
  return 0;
}

int preflight_command(const std::vector<std::string>& args) {
  const std::string device = args.size() > 1 ? args[1] : "cpu";
  if (args.size() > 2 || (device != "cpu" && device != "auto" && device != "cuda"))
    throw ConfigError("entrain-worker preflight: want [FOLDER OF A RUN [cpu, auto or cuda]]");
  const MpiSession session;
  MpiCollectives comm;
  const double seconds = reduce_numbers(comm);
  nlohmann::json answer{{"world", comm.size()}, {"megabytes", kNumbers * 4 / 1e6}, {"seconds", seconds}};
  if (!args.empty()) answer["nodes"] = look_at_nodes(comm, args[0], device);
  if (comm.rank() == 0)
    std::cout << answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
  comm.barrier();
  return 0;
}

}  // namespace entrain::worker
