#include "sharding/hdf5_library.hpp"

#include <cstdlib>

namespace entrain::sharding {
namespace {
// Leaked on purpose: an H5Id may die after statics do.
std::recursive_mutex& hdf5_mutex() {
  static auto* mutex = new std::recursive_mutex;
  return *mutex;
}

herr_t keep_innermost(unsigned depth, const H5E_error2_t* error, void* out) {
  if (depth == 0 && error->desc) *static_cast<std::string*>(out) = error->desc;
  return 0;
}
}  // namespace

Hdf5Lock::Hdf5Lock() : lock_(hdf5_mutex()) {
  static const bool started = [] {
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);  // read once, when the library starts
    H5open();
    return true;
  }();
  // Thread-safe builds keep an error stack, and whether it is printed, per thread.
  thread_local const bool silenced = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  static_cast<void>(started);
  static_cast<void>(silenced);
}

std::string hdf5_reason() {
  std::string reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &reason);
  H5Eclear2(H5E_DEFAULT);
  return reason.empty() ? "libhdf5 gave no reason" : reason;
}

}  // namespace entrain::sharding
