// Compiled in a CUDA build only, with the real headers in the include path: all that we call has the same types, values and
// layout in them and in the stand-in's. Nothing here runs.
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <cstddef>
#include <type_traits>

namespace {
constexpr ncclConfig_t kRealConfig = NCCL_CONFIG_INITIALIZER;
constexpr auto kRealCudaHostAllocDefault = cudaHostAllocDefault;
constexpr auto kRealCudaStreamNonBlocking = cudaStreamNonBlocking;
constexpr auto kRealCudaEventDisableTiming = cudaEventDisableTiming;
constexpr auto kRealNcclMajor = NCCL_MAJOR;
constexpr auto kRealNcclMinor = NCCL_MINOR;
constexpr auto kRealNcclPatch = NCCL_PATCH;
constexpr auto kRealNcclVersionCode = NCCL_VERSION_CODE;
constexpr auto kRealNcclUniqueIdBytes = NCCL_UNIQUE_ID_BYTES;
constexpr auto kRealNcclConfigUndefInt = NCCL_CONFIG_UNDEF_INT;
static_assert(CUDART_VERSION / 1000 == 13, "the stand-in is of CUDA 13");
}  // namespace

#undef cudaHostAllocDefault
#undef cudaStreamNonBlocking
#undef cudaEventDisableTiming
#undef NCCL_MAJOR
#undef NCCL_MINOR
#undef NCCL_PATCH
#undef NCCL_VERSION_CODE
#undef NCCL_UNIQUE_ID_BYTES
#undef NCCL_CONFIG_UNDEF_INT
#undef CUDART_VERSION
#undef NCCL_CONFIG_INITIALIZER

// The same names again, in a namespace and without C linkage: other types, to be compared with the real ones.
#define ENTRAIN_ABI_PARITY
namespace ours {
#include "tests/standin/include/cuda_runtime_api.h"
// (nccl.h includes the CUDA header by its short name: the real one, which is here already)
#include "tests/standin/include/nccl.h"
}  // namespace ours

namespace {

// The real type for each of ours.
template <typename T>
struct Real {
  using type = T;
};
template <typename T>
using RealOf = typename Real<T>::type;
template <typename T>
struct Real<T*> {
  using type = RealOf<T>*;
};
template <typename T>
struct Real<const T> {
  using type = const RealOf<T>;
};
template <typename R, typename... A>
struct Real<R(A...)> {
  using type = RealOf<R>(RealOf<A>...);
};
#define SAME_TYPE(name)     \
  template <>               \
  struct Real<ours::name> { \
    using type = ::name;    \
  };
SAME_TYPE(cudaError)
SAME_TYPE(cudaMemcpyKind)
SAME_TYPE(cudaDeviceProp)
SAME_TYPE(ncclUniqueId)
SAME_TYPE(ncclResult_t)
SAME_TYPE(ncclConfig_t)
SAME_TYPE(ncclRedOp_t)
SAME_TYPE(ncclDataType_t)

// Unevaluated: picks the real function (of C++ overloads the C one) with our type, or does not compile.
#define SAME_FUNCTION(name) \
  static_assert(std::is_pointer_v<decltype(static_cast<RealOf<decltype(ours::name)>*>(&::name))>)
SAME_FUNCTION(cudaGetDeviceCount);
SAME_FUNCTION(cudaSetDevice);
SAME_FUNCTION(cudaGetDeviceProperties);
SAME_FUNCTION(cudaDriverGetVersion);
SAME_FUNCTION(cudaRuntimeGetVersion);
SAME_FUNCTION(cudaGetLastError);
SAME_FUNCTION(cudaGetErrorName);
SAME_FUNCTION(cudaGetErrorString);
SAME_FUNCTION(cudaHostAlloc);
SAME_FUNCTION(cudaFreeHost);
SAME_FUNCTION(cudaMemcpyAsync);
SAME_FUNCTION(cudaStreamCreateWithFlags);
SAME_FUNCTION(cudaStreamDestroy);
SAME_FUNCTION(cudaStreamWaitEvent);
SAME_FUNCTION(cudaEventCreateWithFlags);
SAME_FUNCTION(cudaEventDestroy);
SAME_FUNCTION(cudaEventRecord);
SAME_FUNCTION(cudaEventQuery);
SAME_FUNCTION(cudaMalloc);
SAME_FUNCTION(cudaFree);
SAME_FUNCTION(ncclGetVersion);
SAME_FUNCTION(ncclGetErrorString);
SAME_FUNCTION(ncclGetLastError);
SAME_FUNCTION(ncclGetUniqueId);
SAME_FUNCTION(ncclCommInitRankConfig);
SAME_FUNCTION(ncclCommGetAsyncError);
SAME_FUNCTION(ncclCommFinalize);
SAME_FUNCTION(ncclCommDestroy);
SAME_FUNCTION(ncclCommAbort);
SAME_FUNCTION(ncclGroupStart);
SAME_FUNCTION(ncclGroupEnd);
SAME_FUNCTION(ncclAllGather);
SAME_FUNCTION(ncclAllReduce);
SAME_FUNCTION(ncclBroadcast);
SAME_FUNCTION(ncclSend);
SAME_FUNCTION(ncclRecv);

#define SAME_VALUE(name) static_assert(static_cast<int>(ours::name) == static_cast<int>(::name))
SAME_VALUE(cudaSuccess);
SAME_VALUE(cudaErrorInvalidValue);
SAME_VALUE(cudaErrorMemoryAllocation);
SAME_VALUE(cudaErrorInsufficientDriver);
SAME_VALUE(cudaErrorNoDevice);
SAME_VALUE(cudaErrorInvalidDevice);
SAME_VALUE(cudaErrorNotReady);
SAME_VALUE(cudaMemcpyHostToDevice);
SAME_VALUE(ncclSuccess);
SAME_VALUE(ncclUnhandledCudaError);
SAME_VALUE(ncclSystemError);
SAME_VALUE(ncclInternalError);
SAME_VALUE(ncclInvalidArgument);
SAME_VALUE(ncclInvalidUsage);
SAME_VALUE(ncclRemoteError);
SAME_VALUE(ncclInProgress);
SAME_VALUE(ncclSum);
SAME_VALUE(ncclInt8);
SAME_VALUE(ncclUint8);
SAME_VALUE(ncclInt32);
SAME_VALUE(ncclInt64);
SAME_VALUE(ncclFloat16);
SAME_VALUE(ncclFloat32);
SAME_VALUE(ncclFloat64);
SAME_VALUE(ncclBfloat16);

static_assert(cudaHostAllocDefault == kRealCudaHostAllocDefault);
static_assert(cudaStreamNonBlocking == kRealCudaStreamNonBlocking);
static_assert(cudaEventDisableTiming == kRealCudaEventDisableTiming);
static_assert(NCCL_MAJOR == kRealNcclMajor);
static_assert(NCCL_MINOR == kRealNcclMinor);
static_assert(NCCL_PATCH == kRealNcclPatch);
static_assert(NCCL_VERSION_CODE == kRealNcclVersionCode);
static_assert(NCCL_UNIQUE_ID_BYTES == kRealNcclUniqueIdBytes);
static_assert(NCCL_CONFIG_UNDEF_INT == kRealNcclConfigUndefInt);

#define SAME_PLACE(type, field)                                          \
  static_assert(offsetof(ours::type, field) == offsetof(::type, field)); \
  static_assert(sizeof(ours::type::field) == sizeof(::type::field))
#define SAME_SIZE(type) \
  static_assert(sizeof(ours::type) == sizeof(::type) && alignof(ours::type) == alignof(::type))
SAME_SIZE(cudaDeviceProp);
SAME_SIZE(ncclUniqueId);
SAME_SIZE(ncclConfig_t);
SAME_SIZE(cudaError);
SAME_SIZE(cudaMemcpyKind);
SAME_SIZE(ncclResult_t);
SAME_SIZE(ncclRedOp_t);
SAME_SIZE(ncclDataType_t);
SAME_SIZE(cudaUUID_t);
SAME_PLACE(cudaDeviceProp, name);
SAME_PLACE(cudaDeviceProp, uuid);
SAME_PLACE(cudaDeviceProp, totalGlobalMem);
SAME_PLACE(cudaDeviceProp, major);
SAME_PLACE(cudaDeviceProp, minor);
SAME_PLACE(ncclConfig_t, size);
SAME_PLACE(ncclConfig_t, magic);
SAME_PLACE(ncclConfig_t, version);
SAME_PLACE(ncclConfig_t, blocking);
SAME_PLACE(ncclUniqueId, internal);
SAME_PLACE(cudaUUID_t, bytes);

constexpr ours::ncclConfig_t kOurConfig = NCCL_CONFIG_INITIALIZER;
static_assert(kOurConfig.size == kRealConfig.size && kOurConfig.magic == kRealConfig.magic &&
              kOurConfig.version == kRealConfig.version && kOurConfig.blocking == kRealConfig.blocking);
static_assert(kOurConfig.unset_1[0] == kRealConfig.cgaClusterSize &&
              kOurConfig.unset_1[2] == kRealConfig.maxCTAs);
static_assert(offsetof(ours::ncclConfig_t, unset_name_1) == offsetof(::ncclConfig_t, netName));
static_assert(offsetof(ours::ncclConfig_t, unset_name_2) == offsetof(::ncclConfig_t, commName));
static_assert(kOurConfig.unset_2[1] == kRealConfig.trafficClass &&
              kOurConfig.unset_3[0] == kRealConfig.collnetEnable &&
              kOurConfig.unset_3[7] == kRealConfig.numRmaCtx);

}  // namespace
