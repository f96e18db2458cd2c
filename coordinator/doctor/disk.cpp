#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "configs/cat.hpp"
#include "configs/process.hpp"
#include "coordinator/doctor/finding.hpp"

namespace entrain::doctor {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kBytes = 64 << 20;
constexpr double kSlow = 50e6;        // bytes per second: a checkpoint of R50x1 would take five seconds
constexpr double kLeastSpace = 10e9;  // bytes
constexpr std::time_t kMostSkew = 2;  // seconds between this clock and the file system's

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string number(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

// Removes what it made, whatever happens.
class Probe {
 public:
  explicit Probe(const std::string& folder)
      : path_(cat(folder, "/.entrain-doctor-", host_name(), '-', ::getpid())) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  }
  ~Probe() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(path_.c_str());
    ::unlink((path_ + "2").c_str());
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_ = -1;
};

Finding speed_of(const Probe& probe) {
  const std::string block(1 << 20, 'x');
  const double began = now();
  for (std::size_t done = 0; done < kBytes; done += block.size())
    if (::write(probe.fd(), block.data(), block.size()) != static_cast<ssize_t>(block.size()))
      return {Finding::Grade::kBad, "disk", cat("64 MB cannot be written: ", std::strerror(errno)),
              "free some space, or choose another run.dir"};
  if (::fsync(probe.fd()) != 0)
    return {Finding::Grade::kBad, "disk", cat("fsync fails: ", std::strerror(errno)),
            "choose a file system that can sync"};
  const double seconds = now() - began, speed = kBytes / seconds;
  const std::string what =
      cat("writes 64 MB in ", number("%.2f s", seconds), " with fsync, ", number("%.0f MB/s", speed / 1e6));
  if (speed >= kSlow) return {Finding::Grade::kFine, "disk", what, ""};
  return {Finding::Grade::kMind, "disk", what,
          "commits will be slow here; training goes on meanwhile, but what a crash loses grows"};
}

Finding locks_of(const Probe& probe) {
  if (::flock(probe.fd(), LOCK_EX | LOCK_NB) == 0)
    return {Finding::Grade::kFine, "disk", "flock works; O_EXCL works", ""};
  return {Finding::Grade::kMind, "disk", cat("flock does not work here (", std::strerror(errno), ")"),
          "O_EXCL alone then guards a run's folder; on Lustre, mount with -o flock. For HDF5 set "
          "HDF5_USE_FILE_LOCKING=FALSE"};
}

Finding rename_of(const Probe& probe, const std::string& folder) {
  if (std::rename(probe.path().c_str(), (probe.path() + "2").c_str()) != 0)
    return {Finding::Grade::kBad, "disk", cat("rename fails: ", std::strerror(errno)),
            "commits need it; choose another run.dir"};
  const int dir = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = dir >= 0 && ::fsync(dir) == 0;
  if (dir >= 0) ::close(dir);
  if (synced) return {Finding::Grade::kFine, "disk", "rename, and fsync of the folder, work", ""};
  return {Finding::Grade::kMind, "disk", cat("a folder cannot be synced: ", std::strerror(errno)),
          "after a power loss the newest checkpoint may be missing; the one before is used then"};
}

Finding clock_of(const Probe& probe) {
  struct stat info {};
  ::fstat(probe.fd(), &info);
  const std::time_t skew = std::time(nullptr) - info.st_mtime;
  if (skew <= kMostSkew && skew >= -kMostSkew)
    return {Finding::Grade::kFine, "clock", "agrees with the file system's", ""};
  return {Finding::Grade::kMind, "clock", cat("is ", skew, " s ahead of the file system's"),
          "Entrain never compares clocks of two machines, but people who read logs do; look at NTP"};
}

}  // namespace

Findings look_at_disk(const std::string& folder) {
  std::error_code error;
  const auto space = fs::space(folder, error);
  if (error)
    return {{Finding::Grade::kBad, "disk", cat(folder, ": ", error.message()),
             "name a folder that is there: entrain doctor FOLDER"}};
  Findings out;
  const auto free = static_cast<double>(space.available);
  out.push_back(
      {free < kLeastSpace ? Finding::Grade::kMind : Finding::Grade::kFine, "disk",
       cat(fs::absolute(folder).lexically_normal().string(), ": ", number("%.0f GB free", free / 1e9)),
       free < kLeastSpace ? "entrain plan CONFIG says what a run needs" : ""});
  const Probe probe(folder);
  if (probe.fd() < 0) {
    out.push_back({Finding::Grade::kBad, "disk",
                   cat("no file can be made in ", folder, ": ", std::strerror(errno)),
                   "choose a run.dir that you may write to"});
    return out;
  }
  out.push_back(speed_of(probe));
  if (out.back().grade == Finding::Grade::kBad) return out;
  out.push_back(locks_of(probe));
  out.push_back(clock_of(probe));
  out.push_back(rename_of(probe, folder));
  return out;
}

}  // namespace entrain::doctor
