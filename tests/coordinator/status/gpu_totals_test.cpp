// What is told of GPUs: nothing where there are none, and the right sums where there are.
#include "coordinator/status/gpu_totals.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "coordinator/status/lag_table.hpp"
#include "coordinator/status/metrics.hpp"
#include "coordinator/status/status_text.hpp"
#include "tests/coordinator/status/fake_status.hpp"
#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::status {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Of 4863.5 views per second.
RunStatus on_gpus() {
  RunStatus s = tests::training(4);
  for (auto& rank : s.ranks) rank.beat.gpu = {0.9, 60e9, 61, 500, 1e6};
  s.ranks[2].beat.gpu = {0.7, 70e9, 78, 400, 2e6};
  return s;
}

TEST(GpuTotals, AreTheSumsOfWhatRanksTell) {
  const GpuTotals t = gpu_totals(on_gpus());
  EXPECT_EQ(t.gpus, 4);
  EXPECT_NEAR(t.utilization.value(), 0.85, 1e-12);
  EXPECT_EQ(t.hottest_celsius, 78);
  EXPECT_EQ(t.hottest_rank, 2);
  EXPECT_EQ(t.power_watts, 1900);
  EXPECT_EQ(t.energy_joules, 5e6);
  EXPECT_NEAR(t.joules_per_1000_images.value(), 1000 * 1900 / (4863.5 / 2), 1e-9) << "two views of an image";
  EXPECT_THAT(gpu_words(t), ElementsAre("4 GPUs", "85 % busy", "hottest 78 C (rank 2)", "1.9 kW",
                                        "781 J per 1,000 images", "5.0 MJ so far"));
}

TEST(GpuTotals, WithoutGpusNothingIsToldAnywhere) {
  const RunStatus s = tests::training(4);
  EXPECT_EQ(gpu_totals(s).gpus, 0);
  EXPECT_THAT(gpu_words(gpu_totals(s)), IsEmpty());
  EXPECT_THAT(metrics_text(s), AllOf(Not(HasSubstr("gpu")), Not(HasSubstr("energy"))));
  EXPECT_THAT(status_text(s, {}), Not(HasSubstr("GPU")));
  EXPECT_THAT(lag_table(s), Not(HasSubstr("GPU")));
  EXPECT_THAT(nlohmann::json(s).dump(), Not(HasSubstr("gpu")));
}

TEST(GpuTotals, WhatIsNotKnownIsLeftOut) {
  RunStatus s = tests::training(4);
  s.ranks[1].beat.gpu.temperature_celsius = 55;
  EXPECT_THAT(gpu_words(gpu_totals(s)), ElementsAre("1 GPU", "55 C"));
  s = on_gpus();
  s.ranks[3].beat.gpu.power_watts.reset();
  EXPECT_FALSE(gpu_totals(s).joules_per_1000_images) << "the images are of all ranks, the energy is not";
  s = on_gpus();
  s.state = "recovering";
  EXPECT_FALSE(gpu_totals(s).joules_per_1000_images);
  s = on_gpus();
  s.stage = "finetune";
  EXPECT_NEAR(gpu_totals(s).joules_per_1000_images.value(), 1000 * 1900 / 4863.5, 1e-9)
      << "one view of an image";
}

TEST(GpuTotals, AreInTheMetricsOfEachRankThatHasOne) {
  RunStatus s = on_gpus();
  s.ranks[0].beat.gpu = {};
  s.ranks[1].beat.gpu.power_watts.reset();
  const std::string text = metrics_text(s);
  const std::string labels = R"({run_id="a-1",stage="pretrain",rank=")";
  for (const auto& line : {"entrain_gpu_utilization_ratio" + labels + "2\"} 0.7\n",
                                  "entrain_gpu_memory_used_bytes" + labels + "2\"} 7e+10\n",
                                  "entrain_gpu_temperature_celsius" + labels + "2\"} 78\n",
                                  "entrain_gpu_power_watts" + labels + "2\"} 400\n",
                                  "entrain_energy_joules_total" + labels + "2\"} 2e+06\n",
                                  std::string("# TYPE entrain_energy_joules_total counter\n")})
    EXPECT_THAT(text, HasSubstr(line));
  EXPECT_THAT(text, AllOf(Not(HasSubstr("entrain_gpu_utilization_ratio" + labels + "0")),
                          Not(HasSubstr("entrain_gpu_power_watts" + labels + "1"))));
  if (tests::run("command -v promtool >/dev/null").code != 0)
    GTEST_SKIP() << "promtool is not installed (Debian package prometheus)";
  const tests::TemporaryFolder folder;
  for (const RunStatus& status : {s, on_gpus()}) {
    tests::write_file(folder / "m.prom", metrics_text(status));
    const auto ran = tests::run("promtool check metrics < " + folder / "m.prom");
    EXPECT_EQ(ran.code, 0) << ran.output;
    EXPECT_EQ(ran.output, "");
  }
}

TEST(GpuTotals, AreShownToPeople) {
  const std::string text = status_text(on_gpus(), {.columns = 120});
  EXPECT_THAT(text,
              HasSubstr("4 GPUs   85 % busy   hottest 78 C (rank 2)   1.9 kW   781 J per 1,000 images"));
  EXPECT_THAT(lag_table(on_gpus()), HasSubstr("alive, GPU 70 % busy\n"));
}

TEST(GpuTotals, AreInTheDocumentAndComeBackWithIt) {
  const nlohmann::json json = on_gpus();
  EXPECT_EQ(json["gpus"]["count"], 4);
  EXPECT_EQ(json["gpus"]["hottest_rank"], 2);
  EXPECT_EQ(json["gpus"]["power_watts"], 1900);
  EXPECT_EQ(json["ranks"][2]["gpu"]["temperature_celsius"], 78);
  EXPECT_EQ(nlohmann::json(json.get<RunStatus>()), json);
}

TEST(GpuTotals, OfAnEndedRunOnlyWhatItUsedIsLeft) {
  RunStatus s = on_gpus();
  s.state = "ended";
  EXPECT_THAT(gpu_words(gpu_totals(settled(s))), ElementsAre("4 GPUs", "5.0 MJ so far"));
}

}  // namespace
}  // namespace entrain::status
