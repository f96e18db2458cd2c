#include <gmock/gmock.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "configs/cat.hpp"
#include "tests/coordinator/control/server_thread.hpp"

namespace entrain::tests {
namespace {

constexpr int kNodes = 1000, kRanksPerNode = 8, kSeconds = 20;

// Two descriptors each in this process, which plays both sides.
void allow_descriptors(rlim_t wanted) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(limit.rlim_max, std::max(limit.rlim_cur, wanted));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

control::NodeBeat beat_of(int node, int second) {
  control::NodeBeat beat{cat("node-", node), second, {}};
  for (int r = 0; r < kRanksPerNode; ++r) {
    control::RankBeat rank;
    rank.rank = node * kRanksPerNode + r;
    rank.pid = 100000 + r;
    rank.beats = static_cast<std::uint64_t>(second);
    rank.step = second;
    rank.seconds_in_phase = 0.123456789 * r;
    rank.memory_bytes = 12345678901;
    rank.step_seconds = 1.23456789;
    beat.ranks.push_back(rank);
  }
  return beat;
}

TEST(Scale, AThousandNodesOfEightRanksAreCheap) {
  allow_descriptors(2 * kNodes + 200);
  ServerThread server;
  server.keep_beats = false;
  std::vector<std::unique_ptr<RawPeer>> nodes;
  for (int i = 0; i < kNodes; ++i) {
    nodes.push_back(std::make_unique<RawPeer>(server.port()));
    ASSERT_TRUE(nodes.back()->join(hello_of(cat("node-", i), 0))) << i;
  }
  const double before = server.cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  for (int second = 0; second < kSeconds; ++second) {
    for (int i = 0; i < kNodes; ++i) nodes[static_cast<std::size_t>(i)]->send(beat_of(i, second));
    std::this_thread::sleep_until(start + std::chrono::seconds(second + 1));
  }
  ASSERT_TRUE(eventually([&] { return server.num_beats == std::uint64_t{kNodes} * kSeconds; }, 60));
  const double used = server.cpu_seconds() - before;
  std::printf("the server's thread used %.2f CPU s for %d beats of %d ranks in %d s\n", used,
              kNodes * kSeconds, kRanksPerNode, kSeconds);
  EXPECT_LT(used, 10);
  EXPECT_GT(used, 0) << "or nothing was measured";
  server.with([](control::ControlServer& s) { EXPECT_EQ(s.nodes(), std::size_t{kNodes}); });
  EXPECT_EQ(server.refused(), 0U);
}

}  // namespace
}  // namespace entrain::tests
