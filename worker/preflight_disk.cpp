#include "worker/preflight_disk.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>
#include <thread>

#include "checkpoint/atomic_file.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::worker {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kBytes = 1 << 20;
constexpr std::chrono::seconds kPatience(20);  // a busy file system answers in milliseconds to seconds

struct File {
  explicit File(const std::string& path) : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd >= 0) ::close(fd);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  const int fd;
};

std::string read_back(const std::string& path) {
  const File file(path);
  if (file.fd < 0) throw CheckpointError(cat(std::strerror(errno), " opening ", path));
  ::posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED);  // from the disk, where the system lets us
  std::string text(kBytes + 1, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t n = ::read(file.fd, text.data() + have, text.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw CheckpointError(cat(std::strerror(errno), " reading ", path));
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  text.resize(have);
  return text;
}

// No two blocks are alike, so that one in another's place is seen.
std::string bytes_of(const std::string& node) {
  std::string text;
  while (text.size() < kBytes) text += cat(node, ' ', text.size(), '\n');
  text.resize(kBytes);
  return text;
}

DiskTest test(const std::string& path, const std::string& node) try {
  const std::string want = bytes_of(node);
  const auto began = Clock::now();
  checkpoint::write_file_atomically(path, want);
  const std::string got = read_back(path);
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  checkpoint::real_file_system().remove_file(path);
  if (got.size() != want.size())
    return {seconds, cat(path, ": ", want.size(), " bytes were written, ", got.size(), " are read")};
  return {seconds, got == want ? "" : cat(path, ": other bytes are read than were written")};
} catch (const std::exception& e) {
  return {0, e.what()};
}

}  // namespace

DiskTest write_and_read_back(const std::string& folder, const std::string& node) {
  const std::string path = cat(folder, "/.preflight-", node);
  std::packaged_task<DiskTest()> task([path, node] { return test(path, node); });
  auto done = task.get_future();
  std::thread(std::move(task)).detach();
  if (done.wait_for(kPatience) == std::future_status::ready) return done.get();
  const double seconds = std::chrono::duration<double>(kPatience).count();
  return {seconds, cat(path, ": not written and read back within ", seconds, " s")};
}

}  // namespace entrain::worker
