#pragma once
/* Of NCCL 2.29.7's API exactly what worker/collectives/nccl.cpp calls, for libnccl_standin.so, which works on host memory
   between processes of one machine. abi_parity.cpp holds it against the real header. */
#include <cuda_runtime_api.h>
#include <limits.h>

#define NCCL_MAJOR 2
#define NCCL_MINOR 29
#define NCCL_PATCH 7
#define NCCL_VERSION_CODE 22907

#if defined(__cplusplus) && !defined(ENTRAIN_ABI_PARITY)
extern "C" {
#endif

typedef struct ncclComm* ncclComm_t;

#define NCCL_UNIQUE_ID_BYTES 128
typedef struct {
  char internal[NCCL_UNIQUE_ID_BYTES];
} ncclUniqueId;

typedef enum {
  ncclSuccess = 0,
  ncclUnhandledCudaError = 1,
  ncclSystemError = 2,
  ncclInternalError = 3,
  ncclInvalidArgument = 4,
  ncclInvalidUsage = 5,
  ncclRemoteError = 6,
  ncclInProgress = 7
} ncclResult_t;

#define NCCL_CONFIG_UNDEF_INT INT_MIN

typedef struct {
  size_t size;
  unsigned int magic;
  unsigned int version;
  int blocking;
  int unset_1[3];
  const char* unset_name_1;
  int unset_2[2];
  const char* unset_name_2;
  int unset_3[8];
} ncclConfig_t;

#define NCCL_UNDEF_ ((int)NCCL_CONFIG_UNDEF_INT)
#define NCCL_CONFIG_INITIALIZER                                                                          \
  {                                                                                                      \
    sizeof(ncclConfig_t), 0xcafebeef, NCCL_VERSION_CODE, NCCL_UNDEF_,                                    \
        {NCCL_UNDEF_, NCCL_UNDEF_, NCCL_UNDEF_}, NULL, {NCCL_UNDEF_, NCCL_UNDEF_}, NULL, {               \
      NCCL_UNDEF_, NCCL_UNDEF_, NCCL_UNDEF_, NCCL_UNDEF_, NCCL_UNDEF_, NCCL_UNDEF_, NCCL_UNDEF_, NCCL_UNDEF_ \
    }                                                                                                    \
  }

typedef enum { ncclSum = 0, ncclRedOpMax_ = 0x7fffffff } ncclRedOp_t;

typedef enum {
  ncclInt8 = 0,
  ncclUint8 = 1,
  ncclInt32 = 2,
  ncclInt64 = 4,
  ncclFloat16 = 6,
  ncclFloat32 = 7,
  ncclFloat64 = 8,
  ncclBfloat16 = 9
} ncclDataType_t;

ncclResult_t ncclGetVersion(int* version);
const char* ncclGetErrorString(ncclResult_t result);
const char* ncclGetLastError(ncclComm_t comm);

ncclResult_t ncclGetUniqueId(ncclUniqueId* id);
ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int nranks, ncclUniqueId id, int rank, ncclConfig_t* config);
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error);
ncclResult_t ncclCommFinalize(ncclComm_t comm);
ncclResult_t ncclCommDestroy(ncclComm_t comm);
ncclResult_t ncclCommAbort(ncclComm_t comm);

ncclResult_t ncclGroupStart(void);
ncclResult_t ncclGroupEnd(void);
ncclResult_t ncclAllGather(const void* send, void* receive, size_t send_count, ncclDataType_t type, ncclComm_t comm,
                           cudaStream_t stream);
ncclResult_t ncclAllReduce(const void* send, void* receive, size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream);
ncclResult_t ncclBroadcast(const void* send, void* receive, size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                           cudaStream_t stream);
ncclResult_t ncclSend(const void* send, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream);
ncclResult_t ncclRecv(void* receive, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t stream);

#if defined(__cplusplus) && !defined(ENTRAIN_ABI_PARITY)
}
#endif
