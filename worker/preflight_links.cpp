#include "worker/preflight_links.hpp"

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "worker/collectives/mpi.hpp"

namespace entrain::worker {
namespace {

using Clock = std::chrono::steady_clock;
using Wall = std::chrono::system_clock;
constexpr auto kNap = std::chrono::milliseconds(1);
constexpr int kTag = 1, kTries = 5;
// A little one first: a link that takes a second for it would take too long for the large ones.
constexpr int kLittle = 1'000'000, kLarge = 8'000'000;
constexpr double kPatience = 1;  // seconds

void send(const void* data, int bytes, int to) {
  check_mpi(MPI_Send(data, bytes, MPI_BYTE, to, kTag, MPI_COMM_WORLD), "preflight: send");
}
void receive(void* data, int bytes, int from) {
  check_mpi(MPI_Recv(data, bytes, MPI_BYTE, from, kTag, MPI_COMM_WORLD, MPI_STATUS_IGNORE),
            "preflight: receive");
}

double seconds_of(Wall::duration time) { return std::chrono::duration<double>(time).count(); }

// Seconds there and back.
double round_trip(int peer, std::vector<char>& data, int bytes) {
  const auto began = Clock::now();
  send(data.data(), bytes, peer);
  receive(data.data(), bytes, peer);
  return std::chrono::duration<double>(Clock::now() - began).count();
}

// Sends back what comes until nothing comes.
void answer(int peer, std::vector<char>& data) {
  for (int bytes = -1; bytes != 0;) {
    MPI_Status status;
    check_mpi(MPI_Recv(data.data(), kLarge, MPI_BYTE, peer, kTag, MPI_COMM_WORLD, &status),
              "preflight: receive");
    MPI_Get_count(&status, MPI_BYTE, &bytes);
    if (bytes > 0) send(data.data(), bytes, peer);
  }
}

double offset_of(int peer) {
  double best_trip = 0, offset = 0;
  for (int i = 0; i < 2 * kTries; ++i) {
    double theirs = 0;
    const auto began = Wall::now();
    send(&theirs, sizeof theirs, peer);
    receive(&theirs, sizeof theirs, peer);
    const auto ended = Wall::now();
    const double trip = seconds_of(ended - began);
    if (i > 0 && trip >= best_trip) continue;
    best_trip = trip;
    offset = theirs - seconds_of(began.time_since_epoch()) - trip / 2;
  }
  return offset;
}

// Until it is this rank's turn it naps; then every trip counts.
void tell_time() {
  for (int here = 0; here == 0;) {
    check_mpi(MPI_Iprobe(0, kTag, MPI_COMM_WORLD, &here, MPI_STATUS_IGNORE), "preflight: probe");
    if (here == 0) std::this_thread::sleep_for(kNap);
  }
  for (int i = 0; i < 2 * kTries; ++i) {
    double now = 0;
    receive(&now, sizeof now, 0);
    now = seconds_of(Wall::now().time_since_epoch());
    send(&now, sizeof now, 0);
  }
}

int my_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

}  // namespace

std::vector<NodeRanks> by_node(const std::vector<std::string>& names) {
  std::vector<NodeRanks> nodes;
  for (int rank = 0; rank < static_cast<int>(names.size()); ++rank) {
    const auto& name = names[static_cast<std::size_t>(rank)];
    auto found = std::find_if(nodes.begin(), nodes.end(), [&](const auto& n) { return n.name == name; });
    if (found == nodes.end()) found = nodes.insert(found, {name, {}});
    found->ranks.push_back(rank);
  }
  return nodes;
}

void wait_for_all() {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(MPI_COMM_WORLD, &request), "preflight: barrier");
  for (int done = 0;;) {
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "preflight: barrier");
    if (done != 0) return;
    std::this_thread::sleep_for(kNap);
  }
}

std::vector<double> clock_offsets(const std::vector<int>& leaders) {
  std::vector<double> offsets(leaders.size(), 0.0);
  const int rank = my_rank();
  for (std::size_t i = 0; i < leaders.size(); ++i) {
    if (leaders[i] == 0) continue;
    if (rank == 0) offsets[i] = offset_of(leaders[i]);
    if (rank == leaders[i]) tell_time();
  }
  wait_for_all();
  return offsets;
}

double time_link(int first, int second) {
  std::vector<char> data(kLarge, 1);
  if (my_rank() == second) {
    answer(first, data);
    return 0;
  }
  round_trip(second, data, kLittle);  // makes the connection
  double trip = round_trip(second, data, kLittle), best = kLittle / trip;
  double spent = trip;
  for (int i = 0; i < kTries && spent < kPatience; ++i, spent += trip) {
    trip = round_trip(second, data, kLarge);
    best = std::max(best, kLarge / trip);
  }
  send(nullptr, 0, second);
  return 2 * best / 1e6;
}

}  // namespace entrain::worker
