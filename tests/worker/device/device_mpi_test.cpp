// open_device and uploads, with the stand-in's GPUs.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "tests/support/mpi_main.hpp"
#include "tests/worker/device/guarded_tensors.hpp"
#include "worker/device/device.hpp"

namespace entrain::tests {
namespace {

using testing::HasSubstr;

const bool guarded = [] {
  guard_tensors();
  return true;
}();

class Environment {
 public:
  Environment(const char* name, int value) : name_(name) { ::setenv(name, cat(value).c_str(), 1); }
  ~Environment() { ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

std::string refusal_of(const std::string& wanted) {
  try {
    worker::open_device(wanted, world());
  } catch (const LaunchError& e) {
    EXPECT_TRUE(e.on_all_ranks());
    return e.what();
  }
  return "none";
}

TEST(OpenDevice, EachRankOfANodeHasItsOwnGpu) {
  const auto device = worker::open_device("auto", world());
  EXPECT_TRUE(device->is_gpu());
  EXPECT_EQ(device->facts().index, world().local_rank());
  EXPECT_EQ(device->facts().uuid, cat("GPU-e7000000-0000-0000-0000-00000000000", world().local_rank()));
  EXPECT_EQ(device->facts().name, "stand-in (host memory)");
  EXPECT_EQ(device->facts().capability, 90);
  EXPECT_EQ(device->facts().runtime_version, 13000);
}

TEST(OpenDevice, WithoutGpusAutoIsTheCpuAndCudaAnErrorThatSaysWhy) {
  const Environment none("ENTRAIN_STANDIN_GPUS", 0);
  EXPECT_FALSE(worker::open_device("auto", world())->is_gpu());
  EXPECT_THAT(refusal_of("cuda"), HasSubstr("rank 0 cannot have a GPU: no GPU is visible to this process"));
}

TEST(OpenDevice, WithoutADriverOrWithAnOldOneItSaysSo) {
  {
    const Environment none("ENTRAIN_STANDIN_DRIVER", 0);
    EXPECT_THAT(refusal_of("cuda"), HasSubstr("no NVIDIA driver is loaded here"));
  }
  const Environment old("ENTRAIN_STANDIN_DRIVER", 12040);
  EXPECT_THAT(refusal_of("cuda"), HasSubstr("the NVIDIA driver knows CUDA 12.4, this build wants 13.0"));
}

TEST(OpenDevice, TwoRanksNeverShareAGpu) {
  const int ranks = world().size();
  if (ranks > 1) {
    const Environment one("ENTRAIN_STANDIN_GPUS", 1);
    EXPECT_THAT(refusal_of("auto"), HasSubstr("ranks 0 and 1 would share one GPU (GPU-e7"));
  }
  if (ranks > 2) {
    const Environment few("ENTRAIN_STANDIN_GPUS", ranks - 1);
    EXPECT_THAT(refusal_of("cuda"), HasSubstr(cat("has ", ranks - 1, " GPUs for ", ranks, " ranks")));
  }
  const Environment enough("ENTRAIN_STANDIN_GPUS", ranks);
  EXPECT_EQ(refusal_of("cuda"), "none");
}

TEST(Uploads, WhatIsComputedAfterwardsSeesTheNumbers) {
  const auto device = worker::open_device("cuda", world());
  const at::Tensor slot = device->host_buffer({2, 3}, at::kFloat),
                   other = device->host_buffer({4}, at::kLong);
  for (int step = 0; step < 3; ++step) {
    slot.fill_(step);
    other.fill_(10 * step);
    const auto under_way = device->start_upload(other);
    const at::Tensor on_device = device->upload(slot);
    EXPECT_NE(on_device.const_data_ptr(), slot.const_data_ptr());
    EXPECT_EQ(on_device.sum().item<float>(), 6.F * static_cast<float>(step));
    EXPECT_EQ(under_way->tensor().sum().item<std::int64_t>(), 40 * step);
    device->wait_uploads({});
  }
  device->synchronize({});
}

TEST(Uploads, ABufferThatNobodyKeepsLivesUntilItsUploadIsOver) {
  const auto device = worker::open_device("cuda", world());
  at::Tensor slot = device->host_buffer({1000}, at::kFloat);
  slot.fill_(3);
  const at::Tensor on_device = device->upload(slot);
  slot.reset();
  EXPECT_EQ(on_device.sum().item<float>(), 3000.F);
  device->start_upload(device->host_buffer({5}, at::kByte));  // dropped, never used
}

TEST(Waiting, ACheckThatThrowsEndsIt) {
  const auto device = worker::open_device("cuda", world());
  EXPECT_THROW(device->synchronize([] { throw CommError("a peer is gone"); }), CommError);
}

}  // namespace
}  // namespace entrain::tests
