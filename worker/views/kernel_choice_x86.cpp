#include "worker/views/kernels.hpp"

namespace entrain::worker {

const ViewKernels* const* usable_kernels() {
  static constexpr const ViewKernels* kAll[] = {&kKernelsAvx512, &kKernelsAvx2, &kKernelsBaseline, nullptr};
  // x86-64-v4 and -v3 are what the two variants are compiled for.
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  return avx512 && avx2 ? kAll : avx2 ? kAll + 1 : kAll + 2;
}

}  // namespace entrain::worker
