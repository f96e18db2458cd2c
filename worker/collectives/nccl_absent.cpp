// Instead of nccl.cpp where Entrain is built without CUDA.
#include "configs/error.hpp"
#include "worker/collectives/nccl.hpp"

namespace entrain::worker {

std::string built_nccl() { return ""; }

std::unique_ptr<NcclCollectives> make_nccl_collectives(const Device&, MpiCollectives&, const NcclLimits&) {
  throw LaunchError("this entrain was built without NCCL; build it with `make cuda`, or set run.device=cpu");
}

}  // namespace entrain::worker
