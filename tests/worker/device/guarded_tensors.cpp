#include "tests/worker/device/guarded_tensors.hpp"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <cuda_runtime_api.h>

#include <cstdlib>

namespace entrain::tests {
namespace {

class GuardedAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* memory = nullptr;
    if (bytes > 0) TORCH_CHECK(cudaMalloc(&memory, bytes) == cudaSuccess, "no memory for ", bytes, " bytes");
    return {memory, memory, &give_back, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  static void give_back(void* memory) {
    if (memory) cudaFree(memory);
  }
};

const bool from_the_start = [] {
  const char* wanted = std::getenv("ENTRAIN_STANDIN_GUARD");
  if (wanted && *wanted == '1') guard_tensors();
  return true;
}();

}  // namespace

void guard_tensors() {
  static auto& allocator = *new GuardedAllocator;
  c10::SetAllocator(c10::kCPU, &allocator, 255);
}

}  // namespace entrain::tests
