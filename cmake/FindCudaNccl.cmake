# What a build for GPUs links besides LibTorch's CPU libraries, as the target entrain_cuda: the CUDA runtime, NCCL and LibTorch's
# CUDA libraries. Of the wheel that `make cuda` unpacks into .deps/torch, unless CUDAToolkit_ROOT or NCCL_ROOT name others:
# LibTorch brings an NCCL of its own, and a process must load only one.
get_filename_component(_torch_lib ${LibTorch_CPU_LIBRARY} DIRECTORY)
set(_wheel ${_torch_lib}/../../nvidia)
find_path(CUDA_RUNTIME_INCLUDE_DIR cuda_runtime_api.h HINTS ${CUDAToolkit_ROOT}/include ${_wheel}/cu13/include /usr/local/cuda/include)
find_file(CUDA_RUNTIME_LIBRARY NAMES libcudart.so.13 libcudart.so
  HINTS ${CUDAToolkit_ROOT}/lib64 ${_wheel}/cu13/lib /usr/local/cuda/lib64)
find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${NCCL_ROOT}/include ${_wheel}/nccl/include)
find_file(NCCL_LIBRARY NAMES libnccl.so.2 HINTS ${NCCL_ROOT}/lib ${_wheel}/nccl/lib)
find_library(LibTorch_CUDA_LIBRARY torch_cuda HINTS ${_torch_lib} NO_DEFAULT_PATH)
find_library(LibTorch_C10_CUDA_LIBRARY c10_cuda HINTS ${_torch_lib} NO_DEFAULT_PATH)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CudaNccl
  REQUIRED_VARS CUDA_RUNTIME_LIBRARY CUDA_RUNTIME_INCLUDE_DIR NCCL_LIBRARY NCCL_INCLUDE_DIR LibTorch_CUDA_LIBRARY LibTorch_C10_CUDA_LIBRARY
  REASON_FAILURE_MESSAGE "run `make cuda`, which installs them")
if(CudaNccl_FOUND AND NOT TARGET entrain_cuda)
  add_library(entrain_cuda INTERFACE)
  target_include_directories(entrain_cuda SYSTEM INTERFACE ${CUDA_RUNTIME_INCLUDE_DIR} ${NCCL_INCLUDE_DIR})
  # Nothing calls into torch_cuda by name: it registers its kernels when it is loaded.
  target_link_libraries(entrain_cuda INTERFACE -Wl,--no-as-needed ${LibTorch_CUDA_LIBRARY} ${LibTorch_C10_CUDA_LIBRARY}
    -Wl,--as-needed ${NCCL_LIBRARY} ${CUDA_RUNTIME_LIBRARY})
endif()
mark_as_advanced(CUDA_RUNTIME_INCLUDE_DIR CUDA_RUNTIME_LIBRARY NCCL_INCLUDE_DIR NCCL_LIBRARY LibTorch_CUDA_LIBRARY LibTorch_C10_CUDA_LIBRARY)
