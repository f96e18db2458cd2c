// What a rank's heartbeat tells of its GPU, up to what stands on the node's board.
#include <dlfcn.h>
#include <gmock/gmock.h>

#include "coordinator/control/heartbeat.hpp"
#include "coordinator/control/node_beat.hpp"
#include "tests/coordinator/control/server_thread.hpp"
#include "tests/coordinator/control/shared_board.hpp"
#include "tests/coordinator/health/standin_gpus.hpp"

namespace entrain::control {
namespace {

using tests::eventually;

class HeartbeatOf : public tests::StandinGpus {};

TEST_F(HeartbeatOf, ARankOnAGpuTellsHowItIsDoing) {
  // A library that is loaded is found by its name, wherever it lies.
  void* standin = ::dlopen(NVML_STANDIN, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(standin, nullptr) << ::dlerror();
  tell("temperature@1=70\npower@1=1000\n");
  const tests::SharedBoard shared(2);
  use_board(shared.board(), 0, 0);
  NodeBeats node(shared.board(), "n1");
  {
    Heartbeat heartbeat(progress());
    ASSERT_TRUE(eventually([&] { return node.next().ranks.at(0).beats > 0; }));
    EXPECT_FALSE(health::is_known(node.next().ranks.at(0).gpu)) << "as long as it has none";
    heartbeat.watch_gpu("GPU-e7000000-0000-0000-0000-000000000001");
    ASSERT_TRUE(eventually([&] { return node.next().ranks.at(0).gpu.energy_joules > 500; }));
    EXPECT_EQ(node.next().ranks.at(0).gpu.temperature_celsius, 70);
    EXPECT_EQ(node.next().ranks.at(0).gpu.utilization, 0.9);
    const auto beats = node.next().ranks.at(0).beats;
    tell("nvmlDeviceGetMemoryInfo=-1\n");
    EXPECT_TRUE(eventually([&] { return node.next().ranks.at(0).beats > beats + 2; }))
        << "a driver that hangs does not make the rank look dead";
  }
  leave_board();
  ::dlclose(standin);
}

}  // namespace
}  // namespace entrain::control
