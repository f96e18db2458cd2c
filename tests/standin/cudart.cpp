// The rest of libcudart_standin.so: devices, errors, memory. ENTRAIN_STANDIN_GPUS: how many there are (8);
// ENTRAIN_STANDIN_DRIVER: the CUDA that the driver knows (13000), 0 for no driver.
#include <cuda_runtime_api.h>
#include <stdlib.h>

#include <cstdio>
#include <cstring>

#include "tests/standin/engine.hpp"

using namespace entrain::standin;  // NOLINT(google-build-using-namespace): CUDA's names are global

namespace {

int number(const char* name, int otherwise) {
  const char* text = ::getenv(name);
  return text ? std::atoi(text) : otherwise;
}
int driver() { return number("ENTRAIN_STANDIN_DRIVER", CUDART_VERSION); }
int gpus() { return number("ENTRAIN_STANDIN_GPUS", 8); }

}  // namespace

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  if (driver() < CUDART_VERSION) return cudaErrorInsufficientDriver;
  *count = gpus();
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaSetDevice(int device) {
  return device >= 0 && device < gpus() ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* prop, int device) {
  if (device < 0 || device >= gpus()) return cudaErrorInvalidDevice;
  *prop = {};
  std::snprintf(prop->name, sizeof prop->name, "stand-in (host memory)");
  prop->uuid.bytes[0] = static_cast<char>(0xe7);
  prop->uuid.bytes[15] = static_cast<char>(device);
  prop->totalGlobalMem = std::size_t{1} << 34;
  prop->major = 9;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = driver();
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() { return cudaSuccess; }

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    default:
      return "an error of the stand-in";
  }
}
const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  const Lock lock(engine_mutex());
  *memory = allocate(bytes);
  return *memory ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFree(void* memory) {
  const Lock lock(engine_mutex());
  return release(memory) ? cudaSuccess : cudaErrorInvalidValue;
}
cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned int) { return cudaMalloc(memory, bytes); }
cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }

}  // extern "C"
