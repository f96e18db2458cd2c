#include "worker/stages/gpu_modes.hpp"

#include <ATen/Context.h>

#include <cstdlib>

namespace entrain::worker {

void set_gpu_modes(bool strict) {
  // Read when cuBLAS is first used; without it its sums depend on how streams share its workspace.
  if (strict) ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/1);
  at::Context& context = at::globalContext();
  context.setDeterministicCuDNN(strict);
  context.setBenchmarkCuDNN(!strict);
  context.setDeterministicAlgorithms(strict, /*warn_only=*/false);
  context.setDeterministicFillUninitializedMemory(false);
  context.setAllowTF32CuBLAS(!strict);
  context.setAllowTF32CuDNN(!strict);
}

}  // namespace entrain::worker
