#include <ATen/ATen.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "worker/device/gpu.hpp"
#include "worker/device/gpu_stream.hpp"

namespace entrain::worker {
namespace {

void check_cuda(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // an error that is told must not come back from a later launch
  throw CommError(cat(what, ": ", cudaGetErrorString(code), " (", cudaGetErrorName(code), ')'));
}

class CudaUpload final : public Upload {
 public:
  CudaUpload(at::Tensor tensor, GpuEvent arrived)
      : tensor_(std::move(tensor)), arrived_(std::move(arrived)) {}
  // The tensor's memory may go to other computations now, which the copy must not write into.
  ~CudaUpload() override {
    if (held_) return;
    try {
      tensor();
    } catch (const Error&) {  // the device has failed: whoever waits for it is told
      return;
    }
  }
  at::Tensor tensor() override {
    if (!std::exchange(held_, true)) arrived_.hold(kComputeStream);
    return tensor_;
  }

 private:
  at::Tensor tensor_;
  GpuEvent arrived_;
  bool held_ = false;
};

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(DeviceFacts facts) : facts_(std::move(facts)) {}
  // The host's memory goes only when no upload reads it any more; where the GPU never gets there, it stays.
  ~CudaDevice() override {
    try {
      const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
      wait_uploads([&] {
        if (std::chrono::steady_clock::now() > until) throw CommError("uploads do not end");
      });
    } catch (const std::exception& e) {
      log(Level::kWarning, cat("leaving the GPU: ", e.what()));
      new std::vector<at::Tensor>(std::move(sources_));
    }
  }
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  at::Device tensors() const override { return tensors_of_gpu(facts_.index); }
  const DeviceFacts& facts() const override { return facts_; }
  bool is_gpu() const override { return true; }

  at::Tensor host_buffer(at::IntArrayRef sizes, at::ScalarType type) override {
    const auto bytes = static_cast<std::size_t>(c10::multiply_integers(sizes)) * c10::elementSize(type);
    void* memory = nullptr;
    check_cuda(cudaHostAlloc(&memory, std::max<std::size_t>(bytes, 1), cudaHostAllocDefault),
               "pinned memory of the host");
    return at::from_blob(
        memory, sizes, [](void* p) { cudaFreeHost(p); }, at::TensorOptions(type));
  }

  std::unique_ptr<Upload> start_upload(const at::Tensor& from) override {
    TORCH_CHECK(from.is_contiguous() && from.device().is_cpu(),
                "upload: want a contiguous tensor of the host");
    at::Tensor to = at::empty(from.sizes(), from.options().device(tensors()));
    GpuEvent ready, arrived;
    ready.record(kComputeStream);  // the memory of `to` may still be read by what was computed in it before
    ready.hold(uploads_.get());
    check_cuda(cudaMemcpyAsync(to.mutable_data_ptr(), from.const_data_ptr(), from.nbytes(),
                               cudaMemcpyHostToDevice, uploads_.get()),
               "an upload");
    arrived.record(uploads_.get());
    sources_.push_back(from);
    return std::make_unique<CudaUpload>(std::move(to), std::move(arrived));
  }

  void wait_uploads(const WaitCheck& check) override {
    if (sources_.empty()) return;
    const GpuEvent all;
    all.record(uploads_.get());
    wait_for(all, check);
    sources_.clear();
  }

  void synchronize(const WaitCheck& check) override {
    const GpuEvent all;
    all.record(kComputeStream);
    wait_for(all, check);
  }

 private:
  DeviceFacts facts_;
  GpuStream uploads_{"the stream of the uploads"};
  std::vector<at::Tensor> sources_;  // of uploads that may still read them
};

// As nvidia-smi writes it.
std::string uuid_text(const cudaUUID_t& uuid) {
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    std::array<char, 3> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", static_cast<unsigned char>(uuid.bytes[i]));
    text += hex.data();
    if (i == 3 || i == 5 || i == 7 || i == 9) text += '-';
  }
  return text;
}

DeviceFacts facts_of(int index) {
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, index), "the properties of the GPU");
  DeviceFacts facts;
  facts.name = properties.name;
  facts.uuid = uuid_text(properties.uuid);
  facts.index = index;
  facts.memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem);
  facts.capability = 10 * properties.major + properties.minor;
  check_cuda(cudaDriverGetVersion(&facts.driver_version), "the version of the driver");
  check_cuda(cudaRuntimeGetVersion(&facts.runtime_version), "the version of the CUDA runtime");
  return facts;
}

}  // namespace

GpuStream::GpuStream(const char* what) {
  check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), what);
}
GpuStream::~GpuStream() { cudaStreamDestroy(stream_); }

GpuEvent::GpuEvent() {
  check_cuda(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "an event of the GPU");
}
GpuEvent::~GpuEvent() {
  if (event_) cudaEventDestroy(event_);
}
GpuEvent::GpuEvent(GpuEvent&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
GpuEvent& GpuEvent::operator=(GpuEvent&& other) noexcept {
  std::swap(event_, other.event_);
  return *this;
}
void GpuEvent::record(StreamHandle stream) const {
  check_cuda(cudaEventRecord(event_, stream), "recording an event");
}
void GpuEvent::hold(StreamHandle stream) const {
  check_cuda(cudaStreamWaitEvent(stream, event_, 0), "a stream that waits for an event");
}
bool GpuEvent::done() const {
  const cudaError_t code = cudaEventQuery(event_);
  if (code == cudaErrorNotReady) return false;
  check_cuda(code, "the GPU");
  return true;
}

void wait_for(const GpuEvent& event, const WaitCheck& check) {
  for (auto pause = std::chrono::microseconds(5); !event.done();
       pause = std::min(pause * 2, std::chrono::microseconds(500))) {
    if (check) check();
    std::this_thread::sleep_for(pause);
  }
  if (check) check();  // an abort, too, lets the GPU come to its end
}

std::string built_cuda() { return cat(CUDART_VERSION / 1000, '.', CUDART_VERSION % 1000 / 10); }

GpusSeen gpus_seen() {
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code == cudaSuccess && count > 0) return {count, ""};
  cudaGetLastError();
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  const char* way_out = "; on a machine without, set run.device=cpu";
  if (driver == 0)
    return {0, cat("no NVIDIA driver is loaded here, so no GPU can be used (CUDA ", runtime / 1000, '.',
                   runtime % 1000 / 10, " is built in)", way_out)};
  if (code == cudaErrorInsufficientDriver)
    return {
        0, cat("the NVIDIA driver knows CUDA ", driver / 1000, '.', driver % 1000 / 10, ", this build wants ",
               runtime / 1000, '.', runtime % 1000 / 10, "; update the driver, or set run.device=cpu")};
  return {0, cat("no GPU is visible to this process (", cudaGetErrorString(code),
                 "; CUDA_VISIBLE_DEVICES and the job's --gpus-per-node say which are)", way_out)};
}

std::unique_ptr<Device> open_gpu(int index) {
  try {
    check_cuda(cudaSetDevice(index), "taking the GPU");
    return std::make_unique<CudaDevice>(facts_of(index));
  } catch (const CommError& e) {
    throw LaunchError(cat("GPU ", index, ": ", e.what()));
  }
}

}  // namespace entrain::worker
