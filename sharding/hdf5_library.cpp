#include "sharding/hdf5_library.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "configs/section.hpp"

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

// libhdf5 prints its variables, over several lines. What the system said, or how far the file reaches, is enough.
std::string for_people(const std::string& reason) {
  constexpr std::string_view kSystem = "error message = '";
  if (const std::size_t at = reason.find(kSystem); at != std::string::npos) {
    const std::size_t begin = at + kSystem.size();
    return reason.substr(begin, reason.find('\'', begin) - begin);
  }
  unsigned long long end = 0, base = 0, wanted = 0;
  if (std::sscanf(reason.c_str(), "truncated file: eof = %llu, sblock->base_addr = %llu, stored_eof = %llu",
                  &end, &base, &wanted) == 3)
    return cat("truncated file: it has ", end, " bytes, its own header says ", wanted);
  return printable(reason.substr(0, std::min<std::size_t>(reason.find('\n'), 200)));
}
}  // namespace

Hdf5Lock::Hdf5Lock() : lock_(hdf5_mutex()) {
  static const bool started = [] {
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);  // read once, when the library starts
    // At exit libhdf5 1.10 closes what is open, and crashes where a file could not be closed (a full disk).
    H5dont_atexit();
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
  return reason.empty() ? "libhdf5 gave no reason" : for_people(reason);
}

void require_memory_for_file() {
  constexpr std::size_t kBytes = std::size_t{32} << 20;
  void* room = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) throw std::bad_alloc();
  ::munmap(room, kBytes);
}

}  // namespace entrain::sharding
