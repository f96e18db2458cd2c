#include "worker/views/kernels.hpp"

namespace entrain::worker {

const ViewKernels* const* usable_kernels() {
  static constexpr const ViewKernels* kAll[] = {&kKernelsBaseline, nullptr};
  return kAll;
}

}  // namespace entrain::worker
