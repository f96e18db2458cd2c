// A build without CUDA: its programs have cuda_absent.cpp and nccl_absent.cpp.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "configs/error.hpp"
#include "tests/support/mpi_main.hpp"
#include "worker/collectives/nccl.hpp"
#include "worker/device/device.hpp"

namespace entrain::tests {
namespace {

using testing::HasSubstr;

template <typename Call>
std::string refusal_of(const Call& call) {
  try {
    call();
  } catch (const LaunchError& e) {
    EXPECT_EQ(e.code(), ExitCode::kLaunch);
    return e.what();
  }
  return "none";
}

TEST(WithoutCuda, AutoAndCpuAreTheCpu) {
  for (const char* wanted : {"auto", "cpu"}) {
    const auto device = worker::open_device(wanted, world());
    EXPECT_FALSE(device->is_gpu());
    EXPECT_EQ(device->facts().name, "cpu");
    const at::Tensor buffer = device->host_buffer({3}, at::kFloat).fill_(1);
    EXPECT_EQ(device->upload(buffer).const_data_ptr(), buffer.const_data_ptr());
  }
}

TEST(WithoutCuda, AskingForAGpuSaysHowToGetOne) {
  EXPECT_THAT(refusal_of([] { worker::open_device("cuda", world()); }), HasSubstr("make cuda"));
  const auto cpu = worker::open_device("cpu", world());
  EXPECT_THAT(refusal_of([&] { worker::make_nccl_collectives(*cpu, world()); }), HasSubstr("make cuda"));
}

}  // namespace
}  // namespace entrain::tests
