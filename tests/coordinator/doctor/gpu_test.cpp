// What `entrain doctor` says of GPUs, of the stand-in's and of none.
#include <gmock/gmock.h>

#include "configs/cat.hpp"
#include "coordinator/doctor/finding.hpp"
#include "tests/coordinator/health/standin_gpus.hpp"
#include "tests/support/command.hpp"

namespace entrain::doctor {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Grade = Finding::Grade;

class DoctorOfGpus : public tests::StandinGpus {
 protected:
  // A worker that says what it is built with.
  std::string worker(const std::string& cuda) {
    const std::string path = folder_ / ("worker" + cuda);
    tests::write_file(path, cat("#!/bin/sh\necho '{\"cuda\":\"", cuda, "\",\"nccl\":\"2.29.7\"}'\n"));
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  // The driver first, then the GPUs.
  Findings look(const std::string& lines) {
    tell(lines);
    return look_at_gpu(worker("13.0"), "/no/such/file", NVML_STANDIN);
  }
  tests::TemporaryFolder folder_;
};

TEST_F(DoctorOfGpus, HealthyOnesAreDescribed) {
  const Findings findings = look("memory=1e8\n");
  ASSERT_THAT(findings, SizeIs(9));
  for (const auto& finding : findings) {
    EXPECT_EQ(finding.grade, Grade::kFine) << finding.what;
    EXPECT_EQ(finding.fix, "");
  }
  EXPECT_EQ(findings[0].what, "driver 580.65.06 knows CUDA 13.0; this build has CUDA 13.0 and NCCL 2.29.7");
  EXPECT_EQ(findings[2].what,
            "GPU 1: stand-in (host memory), 0.1 GB of 17.2 GB in use, 61 C, 250 W, 1980 MHz, ECC on");
}

TEST_F(DoctorOfGpus, EachThingThatIsWrongHasItsFix) {
  const Findings findings = look(
      "memory=1e8\nuncorrected@1=4\nslowdown@2=128\nslowdown@3=32\nmemory@4=9e9\necc@5=0\nslowdown@6=4\n"
      "nvmlDeviceGetHandleByIndex_v2@0=15\n");
  ASSERT_THAT(findings, SizeIs(9));
  const auto expect = [&](std::size_t i, Grade grade, const std::string& what, const std::string& fix) {
    EXPECT_EQ(findings[i].grade, grade) << findings[i].what;
    EXPECT_THAT(findings[i].what, HasSubstr(what));
    EXPECT_THAT(findings[i].fix, HasSubstr(fix));
  };
  expect(1, Grade::kBad, "GPU 1: stand-in", "reset it");  // 0 is lost
  expect(1, Grade::kBad, "4 memory errors that ECC could not correct", "replaced");
  expect(2, Grade::kBad, "its clocks are low: the power supply asked for less", "power supply");
  expect(3, Grade::kMind, "its clocks are low: too hot, the driver keeps them low", "cooling");
  expect(4, Grade::kMind, "9.0 GB of 17.2 GB in use", "nvidia-smi lists who");
  expect(5, Grade::kMind, "ECC off", "nvidia-smi -e 1");
  EXPECT_EQ(findings[6].grade, Grade::kFine) << "the power limit is how it is run";
  expect(8, Grade::kBad, "1 of 8 GPUs do not answer", "dmesg");
}

TEST_F(DoctorOfGpus, ADriverThatIsTooOldOrAbsentIsSaidWithWhatToDo) {
  const Findings old = look("cuda=12040\n");
  EXPECT_EQ(old[0].grade, Grade::kBad);
  EXPECT_THAT(old[0].what, HasSubstr("knows CUDA 12.4; this build has CUDA 13.0"));
  EXPECT_THAT(old[0].fix, HasSubstr("knows CUDA 13.0"));
  EXPECT_EQ(look("cuda=13010\nmemory=0\n")[0].grade, Grade::kFine) << "a newer one will do";
  const Findings none = look_at_gpu(worker("13.0"), "/no/such/file", "libno-such-library.so.1");
  ASSERT_THAT(none, SizeIs(1));
  EXPECT_EQ(none[0].grade, Grade::kMind);
  EXPECT_THAT(none[0].what, HasSubstr("this build has CUDA 13.0, but no libno-such-library.so.1 is here"));
  EXPECT_THAT(none[0].fix, HasSubstr("computes on CPUs"));
  EXPECT_THAT(look("nvmlDeviceGetCount_v2=999\n").back().what, HasSubstr("sees no GPU"));
}

TEST_F(DoctorOfGpus, ABuildForCpusHasNoUseForADriver) {
  const std::string no_file = folder_ / "version", no_library = "libno-such-library.so.1";
  const Findings none = look_at_gpu(worker(""), no_file, no_library);
  ASSERT_THAT(none, SizeIs(1));
  EXPECT_EQ(none[0].grade, Grade::kFine);
  EXPECT_THAT(none[0].what, HasSubstr("this build has no CUDA; "));
  EXPECT_EQ(none[0].fix, "");
  const Findings library = look_at_gpu(worker(""), no_file, "libm.so.6");
  ASSERT_THAT(library, SizeIs(1));
  EXPECT_EQ(library[0].grade, Grade::kMind);
  EXPECT_THAT(library[0].what, HasSubstr("an NVIDIA driver is here (libm.so.6)"));
  tests::write_file(no_file, "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.1\nGCC version: 12\n");
  const Findings file = look_at_gpu(worker(""), no_file, no_library);
  EXPECT_EQ(file[0].grade, Grade::kMind);
  EXPECT_THAT(file[0].what,
              HasSubstr("(NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.1), but this build"));
  EXPECT_THAT(file[0].fix, HasSubstr("make cuda"));
}

TEST(DoctorOfThisBuild, TheWorkerTellsWhatItIsBuiltWith) {
  const auto told = tests::run("entrain-worker versions");
  EXPECT_EQ(told.code, 0) << told.output;
  EXPECT_THAT(told.output, AllOf(HasSubstr("\"cuda\":\""), HasSubstr("\"nccl\":\"")));
}

}  // namespace
}  // namespace entrain::doctor
