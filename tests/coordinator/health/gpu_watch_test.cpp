#include "coordinator/health/gpu_watch.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <functional>
#include <thread>

#include "tests/coordinator/health/standin_gpus.hpp"

namespace entrain::health {
namespace {

constexpr const char* kSecond = "GPU-e7000000-0000-0000-0000-000000000001";

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

class GpuWatchOf : public tests::StandinGpus {};

TEST_F(GpuWatchOf, AGpuTellsHowItIsDoingNowAndWhatItUsedSinceThen) {
  tell("temperature@1=70\npower@1=1000\n");
  const GpuWatch watch(kSecond, NVML_STANDIN);
  ASSERT_TRUE(eventually([&] { return is_known(watch.latest()); }));
  EXPECT_EQ(watch.latest().temperature_celsius, 70);
  EXPECT_LT(watch.latest().energy_joules.value_or(1e9), 60e3) << "not since the driver was loaded";
  ASSERT_TRUE(eventually([&] { return watch.latest().energy_joules > 500; })) << "1000 W in a second";
  tell("temperature@1=81\npower@1=1000\n");
  EXPECT_TRUE(eventually([&] { return watch.latest().temperature_celsius == 81; }));
}

TEST_F(GpuWatchOf, WithoutACounterTheEnergyIsThePowerInTime) {
  tell("power=1000\n");
  const GpuWatch watch(kSecond, NVML_OLD_STANDIN);
  ASSERT_TRUE(eventually([&] { return watch.latest().energy_joules > 500; }));
  EXPECT_LT(watch.latest().energy_joules, 60e3);
}

TEST_F(GpuWatchOf, AGpuThatNobodyKnowsIsNoReasonToFail) {
  ::testing::internal::CaptureStderr();
  {
    const GpuWatch unknown("GPU-x", NVML_STANDIN), no_driver(kSecond, "libno-such-library.so.1");
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_FALSE(is_known(unknown.latest()));
    EXPECT_FALSE(is_known(no_driver.latest()));
  }
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, ::testing::HasSubstr("the driver does not know GPU-x"));
  EXPECT_THAT(said, ::testing::HasSubstr("no libno-such-library.so.1 is here"));
}

TEST_F(GpuWatchOf, ADriverThatHangsHoldsNobodyUpAndOldNumbersAreNotTold) {
  tell("temperature@1=70\n");
  const auto began = std::chrono::steady_clock::now();
  {
    const GpuWatch watch(kSecond, NVML_STANDIN);
    ASSERT_TRUE(eventually([&] { return is_known(watch.latest()); }));
    tell("nvmlDeviceGetTemperature=-1\n");
    EXPECT_TRUE(eventually([&] { return !is_known(watch.latest()); }));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(60));
}

}  // namespace
}  // namespace entrain::health
