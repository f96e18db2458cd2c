#pragma once
#include <hdf5.h>

#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "configs/cat.hpp"
#include "configs/error.hpp"

// Private to sharding: only hdf5_*.cpp include this header, so that no other file meets hdf5.h.
namespace entrain::sharding {

/// Holds the one mutex that guards libhdf5, which is not thread-safe in its usual builds. Recursive, so that
/// an H5Id may die while its owner holds the lock. The first one switches file locks off (they fail or hang
/// on NFS, Lustre and GPFS), keeps libhdf5 from closing files at exit, and silences the printed error stack.
class Hdf5Lock {
 public:
  Hdf5Lock();

 private:
  std::unique_lock<std::recursive_mutex> lock_;
};

/// The innermost reason of the last failed call, in one line for people, and forgets it. Call under the lock.
std::string hdf5_reason();

/// Call before a file is opened or made. libhdf5 1.10 takes about 8 MB for one and does not look whether it got them:
/// std::bad_alloc where there is no room.
void require_memory_for_file();

/// A handle that libhdf5 refused; writers turn the reason into an error of their own kind.
struct Hdf5Failure : DataError {
  Hdf5Failure(std::string_view what, const std::string& why)
      : DataError(cat("cannot open ", what, ": ", why)), reason(why) {}
  std::string reason;
};

/// Sole owner of one HDF5 identifier; `what` names the thing being opened and goes into the error.
template <herr_t (*Close)(hid_t)>
class H5Id {
 public:
  H5Id() = default;
  H5Id(hid_t id, std::string_view what) : id_(id) {
    if (id_ < 0) throw Hdf5Failure(what, hdf5_reason());
  }
  H5Id(H5Id&& o) noexcept : id_(std::exchange(o.id_, H5I_INVALID_HID)) {}
  H5Id& operator=(H5Id&& o) noexcept {
    std::swap(id_, o.id_);
    return *this;
  }
  ~H5Id() {
    if (id_ < 0) return;
    const Hdf5Lock lock;
    Close(id_);
  }
  /// Closes it now; false where that failed, as on a full disk.
  bool close() { return id_ < 0 || Close(std::exchange(id_, H5I_INVALID_HID)) >= 0; }
  /// Never closes it: after a failed write libhdf5 would try again, and may crash.
  void leak() noexcept { id_ = H5I_INVALID_HID; }
  operator hid_t() const noexcept { return id_; }  // NOLINT: the C interface takes it everywhere

 private:
  hid_t id_ = H5I_INVALID_HID;
};

using H5File = H5Id<H5Fclose>;
using H5Dataset = H5Id<H5Dclose>;
using H5Space = H5Id<H5Sclose>;
using H5Type = H5Id<H5Tclose>;
using H5Attribute = H5Id<H5Aclose>;
using H5Properties = H5Id<H5Pclose>;
using H5Object = H5Id<H5Oclose>;

}  // namespace entrain::sharding
