#include "coordinator/health/nvml.hpp"

#include <gmock/gmock.h>

#include "coordinator/health/slowdown.hpp"
#include "tests/coordinator/health/standin_gpus.hpp"

namespace entrain::health {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kSecond = "GPU-e7000000-0000-0000-0000-000000000001";

class NvmlOf : public tests::StandinGpus {};

TEST_F(NvmlOf, AHealthyMachineTellsEverything) {
  tell("temperature@1=73\nutilization@1=55\nmemory@1=5e9\npower@1=412.5\nclock@1=1755\nname@1=One\n");
  const Nvml nvml(NVML_STANDIN);
  EXPECT_EQ(nvml.why_not(), "");
  EXPECT_EQ(nvml.driver_version(), "580.65.06");
  EXPECT_EQ(nvml.cuda_version(), 13000);
  EXPECT_EQ(nvml.count(), 8);
  ASSERT_THAT(nvml.gpus(), SizeIs(8));
  const auto gpu = nvml.gpu_of(kSecond);
  ASSERT_TRUE(gpu);
  EXPECT_EQ(gpu->name(), "One");
  EXPECT_EQ(gpu->uuid(), kSecond);
  EXPECT_EQ(gpu->index(), 1);
  const GpuLoad load = gpu->load();
  EXPECT_EQ(load.utilization, 0.55);
  EXPECT_EQ(load.memory_bytes, 5e9);
  EXPECT_EQ(load.temperature_celsius, 73);
  EXPECT_EQ(load.power_watts, 412.5);
  EXPECT_GT(load.energy_joules.value_or(0), 0);
  EXPECT_EQ(gpu->memory_bytes(), 17179869184.0);
  EXPECT_EQ(gpu->clock_mhz(), 1755);
  EXPECT_EQ(gpu->most_clock_mhz(), 1980);
  EXPECT_EQ(gpu->slowdown(), 0U);
  EXPECT_EQ(gpu->ecc_is_on(), true);
  EXPECT_EQ(gpu->uncorrected_errors(), 0U) << "neither those that were corrected nor those of former times";
  EXPECT_EQ(nvml.gpus()[0].load().temperature_celsius, 61) << "each GPU speaks for itself";
  EXPECT_FALSE(nvml.gpu_of("GPU-00000000-0000-0000-0000-000000000000"));
}

TEST_F(NvmlOf, ASickGpuSaysSo) {
  tell("uncorrected@2=3\nslowdown@2=72\necc@3=0\nutilization@2=250\n");
  const Nvml nvml(NVML_STANDIN);
  const auto gpus = nvml.gpus();
  EXPECT_EQ(gpus.at(2).uncorrected_errors(), 3U);
  EXPECT_EQ(gpus.at(2).slowdown(), kThermalSlowdown | kHardwareSlowdown);
  EXPECT_EQ(gpus.at(2).load().utilization, 1) << "more than all is all";
  EXPECT_EQ(gpus.at(3).ecc_is_on(), false);
  EXPECT_EQ(gpus.at(3).uncorrected_errors(), std::nullopt) << "where nobody counts there is no count";
}

TEST_F(NvmlOf, WhereThereIsNoDriverNothingCanBeAskedAndNothingIsThrown) {
  for (const std::string library : {"libno-such-library.so.1", "libm.so.6"}) {
    const Nvml nvml(library);
    EXPECT_THAT(nvml.why_not(), HasSubstr(library));
    EXPECT_EQ(nvml.count(), 0);
    EXPECT_THAT(nvml.gpus(), IsEmpty());
    EXPECT_EQ(nvml.driver_version(), "");
    EXPECT_FALSE(nvml.gpu_of(kSecond));
  }
  EXPECT_THAT(Nvml("libm.so.6").why_not(), HasSubstr("is not NVIDIA's management library"));
  tell("nvmlInit_v2=9\n");
  EXPECT_THAT(Nvml(NVML_STANDIN).why_not(), HasSubstr("does not start: Driver Not Loaded (9)"));
}

TEST_F(NvmlOf, WhatFailsIsNotKnownAndTheRestIs) {
  for (const char* function :
       {"nvmlDeviceGetUtilizationRates", "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetTemperature",
        "nvmlDeviceGetPowerUsage", "nvmlDeviceGetTotalEnergyConsumption"}) {
    tell(std::string(function) + "@0=3\n");
    const Nvml nvml(NVML_STANDIN);
    int known = 0;
    for (const auto& field : kGpuLoadFields)
      known += (nvml.gpus().at(0).load().*field.value).has_value() ? 1 : 0;
    EXPECT_EQ(known, 4) << function;
    EXPECT_TRUE(is_known(nvml.gpus().at(0).load()));
  }
  tell("nvmlDeviceGetHandleByIndex_v2@1=15\nnvmlDeviceGetName=999\nnvmlDeviceGetEccMode=3\n");
  const Nvml nvml(NVML_STANDIN);
  EXPECT_EQ(nvml.count(), 8);
  EXPECT_THAT(nvml.gpus(), SizeIs(7)) << "one is lost";
  EXPECT_EQ(nvml.gpus().at(0).name(), "");
  EXPECT_EQ(nvml.gpus().at(0).ecc_is_on(), std::nullopt);
}

TEST_F(NvmlOf, AnOldDriverLacksFunctionsAndTheRestIsKnown) {
  const Nvml nvml(NVML_OLD_STANDIN);
  ASSERT_EQ(nvml.why_not(), "");
  const auto gpu = nvml.gpu_of(kSecond);
  ASSERT_TRUE(gpu);
  EXPECT_EQ(gpu->load().energy_joules, std::nullopt);
  EXPECT_EQ(gpu->load().power_watts, 250);
  EXPECT_EQ(gpu->slowdown(), std::nullopt);
  XidWatch watch(nvml, *gpu);
  EXPECT_THAT(watch.take(), IsEmpty());
}

TEST_F(NvmlOf, AnXidIsToldOnceToWhoeverWatchedTheGpuItIsOf) {
  tell("xid@1=13\n");
  const Nvml nvml(NVML_STANDIN);
  const auto gpus = nvml.gpus();
  XidWatch first(nvml, gpus.at(0)), second(nvml, gpus.at(1));
  EXPECT_THAT(second.take(), IsEmpty()) << "that was before";
  tell("xid@1=79\n");
  EXPECT_THAT(first.take(), IsEmpty());
  EXPECT_THAT(second.take(), ElementsAre(79U));
  EXPECT_THAT(second.take(), IsEmpty());
  tell("nvmlEventSetCreate=3\nxid@1=48\n");
  EXPECT_THAT(XidWatch(nvml, gpus.at(1)).take(), IsEmpty());
}

TEST(Slowdown, IsToldInWordsWhereItMatters) {
  EXPECT_EQ(slowdown_text(0), "");
  EXPECT_EQ(slowdown_text(0x1 | 0x2 | 0x4 | 0x10 | 0x100), "") << "how a GPU is run is no slowdown";
  EXPECT_EQ(slowdown_text(kHardwareSlowdown), "the hardware cut them");
  EXPECT_EQ(slowdown_text(kThermalSlowdown | kHardwareSlowdown), "too hot, the hardware cut them");
  EXPECT_EQ(slowdown_text(kPowerBrake | kSoftwareThermalSlowdown),
            "the power supply asked for less; too hot, the driver keeps them low");
}

}  // namespace
}  // namespace entrain::health
