#pragma once
#include <memory>

#include "tests/support/mpi_main.hpp"
#include "worker/collectives/nccl.hpp"
#include "worker/device/device.hpp"

namespace entrain::tests {

/// A stand-in GPU and NCCL over it for the world of an MPI test.
struct NcclWorld {
  explicit NcclWorld(const worker::NcclLimits& limits = {})
      : device(worker::open_device("cuda", world())),
        comm(worker::make_nccl_collectives(*device, world(), limits)) {}
  std::unique_ptr<worker::Device> device;
  std::unique_ptr<worker::NcclCollectives> comm;
};

}  // namespace entrain::tests
