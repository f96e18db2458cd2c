#include "coordinator/control/token.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/control/mac.hpp"

namespace entrain::control {
namespace {

class File {
 public:
  File(const std::string& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

std::string path_in(const std::string& run_dir) { return run_dir + "/.token"; }

void require_private(const std::string& path, int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw LaunchError(cat(path, ": ", std::strerror(errno)));
  if (!S_ISREG(info.st_mode))
    throw LaunchError(cat(path, ": not a plain file; remove it, and the supervisor makes a new one"));
  if (info.st_uid != ::geteuid())
    throw LaunchError(cat(path, ": belongs to user ", info.st_uid, ", this process runs as user ",
                          ::geteuid(), "; run as the one who started the run, or choose another run.dir"));
  if ((info.st_mode & 077) != 0)
    throw LaunchError(cat(path, ": others may read or change the secret of this run (mode ", std::oct,
                          info.st_mode & 07777, ", want 600); remove it, so that a new one is made"));
}

}  // namespace

std::string read_token(const std::string& run_dir) {
  const std::string path = path_in(run_dir);
  const File file(path, O_RDONLY | O_NONBLOCK);
  if (file.fd() < 0)
    throw LaunchError(
        cat(path, ": ", std::strerror(errno), "; `entrain run` makes it, no other command does"));
  require_private(path, file.fd());
  std::array<char, 2 * kSecretBytes + 2> text{};
  const ssize_t size = ::read(file.fd(), text.data(), text.size());
  if (size < 0) throw LaunchError(cat(path, ": ", std::strerror(errno)));
  std::string_view hex(text.data(), static_cast<std::size_t>(size));
  if (hex.ends_with('\n')) hex.remove_suffix(1);
  if (auto secret = secret_of_hex(hex)) return *secret;
  throw LaunchError(cat(path, ": holds no secret (", size,
                        " bytes, want 64 hex digits and a newline); remove it, ",
                        "and the supervisor makes a new one"));
}

std::string make_or_read_token(const std::string& run_dir) {
  const std::string path = path_in(run_dir);
  const File file(path, O_WRONLY | O_CREAT | O_EXCL);
  if (file.fd() < 0 && errno == EEXIST) return read_token(run_dir);
  if (file.fd() < 0)
    throw LaunchError(cat(path, ": ", std::strerror(errno), " while making the run's secret"));
  std::string secret = random_secret();
  const std::string text = hex_of(secret) + '\n';
  if (::write(file.fd(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file.fd()) == 0)
    return secret;
  const int why = errno;
  ::unlink(path.c_str());
  throw LaunchError(cat(path, ": ", std::strerror(why), " while writing the run's secret"));
}

}  // namespace entrain::control
