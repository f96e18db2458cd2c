#pragma once
#include <string>

namespace entrain::worker {

struct DiskTest {
  double seconds = 0;
  std::string error{};  ///< why it failed, in the system's words; empty: it did not
};

/// One megabyte into the folder, the way commits are written (synced, renamed), read back, compared, taken away. Nothing
/// is thrown. A file system that hangs is an error after twenty seconds; the thread that waits for it is left behind.
/// `node`: part of the file's name, so that nodes do not meet.
DiskTest write_and_read_back(const std::string& folder, const std::string& node);

}  // namespace entrain::worker
