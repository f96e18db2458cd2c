# LibTorch as the imported target LibTorch::torch (CPU libraries only).
# Looked for in LIBTORCH_ROOT, then in .deps/torch/torch (the PyPI wheel that `make setup` unpacks). A LibTorch
# zip and a distribution's package have the same layout: include/, lib/libtorch_cpu.so, lib/libc10.so.
set(LIBTORCH_ROOT "" CACHE PATH "Folder that holds LibTorch's include/ and lib/")
set(_libtorch_hints ${LIBTORCH_ROOT} $ENV{LIBTORCH_ROOT} ${PROJECT_SOURCE_DIR}/.deps/torch/torch)
find_path(LibTorch_INCLUDE_DIR ATen/core/Tensor.h HINTS ${_libtorch_hints} PATH_SUFFIXES include)
find_library(LibTorch_CPU_LIBRARY torch_cpu HINTS ${_libtorch_hints} PATH_SUFFIXES lib)
find_library(LibTorch_C10_LIBRARY c10 HINTS ${_libtorch_hints} PATH_SUFFIXES lib)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "run `make setup`, or pass -DLIBTORCH_ROOT=...")
if(LibTorch_FOUND AND NOT TARGET LibTorch::torch)
  get_filename_component(_libtorch_lib ${LibTorch_CPU_LIBRARY} DIRECTORY)
  # The CUDA wheel's libtorch_cpu names libcudart and libcupti; the linker needs to see them, a CPU run only loads them.
  file(GLOB _libtorch_nvidia ${_libtorch_lib}/../../nvidia/*/lib)
  add_library(LibTorch::torch INTERFACE IMPORTED)
  set_target_properties(LibTorch::torch PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIR};${LibTorch_INCLUDE_DIR}/torch/csrc/api/include"
    INTERFACE_LINK_LIBRARIES "${LibTorch_CPU_LIBRARY};${LibTorch_C10_LIBRARY}")
  foreach(dir IN LISTS _libtorch_nvidia)
    target_link_options(LibTorch::torch INTERFACE "LINKER:-rpath-link,${dir}")
  endforeach()
endif()
mark_as_advanced(LibTorch_INCLUDE_DIR LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY)
