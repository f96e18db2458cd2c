#include "checkpoint/run_lock.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "checkpoint/file_system.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "configs/process.hpp"

namespace entrain::checkpoint {
namespace {

std::string read_all(const std::string& path) {
  std::error_code none;
  if (std::filesystem::is_directory(path, none)) return "a folder";  // of nobody's making
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

// When the kernel started a process, in ticks since boot (field 22 of /proc/PID/stat); -1: gone, or dead and only
// waiting for its parent to notice (state Z), which may take long where mpirun died first.
long long process_start_ticks(long pid) {
  const std::string stat = read_all(cat("/proc/", pid, "/stat"));
  const auto name_end = stat.rfind(')');
  if (name_end == stat.npos) return -1;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string state, field;
  fields >> state;
  if (state == "Z" || state == "X") return -1;
  for (int i = 4; i <= 22; ++i) fields >> field;
  return fields ? std::stoll(field) : -1;
}

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// As Slurm's programs take it: the plain id of an array's last element stands for all of them. Empty: no batch job.
std::string own_job() {
  const std::string array = variable("SLURM_ARRAY_JOB_ID");
  return array.empty() ? variable("SLURM_JOB_ID") : cat(array, '_', variable("SLURM_ARRAY_TASK_ID"));
}

// 0, then 1 after the first requeue, ...
long long own_start() { return std::strtoll(variable("SLURM_RESTART_COUNT").c_str(), nullptr, 10); }

// null: not a lock of ours.
nlohmann::json understand(const std::string& text) {
  auto holder = nlohmann::json::parse(text, nullptr, false);
  const bool ours = holder.is_object() && holder.contains("host") && holder["host"].is_string() &&
                    holder.contains("pid") && holder["pid"].is_number_integer() &&
                    holder.value("start_ticks", nlohmann::json(0)).is_number_integer() &&
                    holder.value("started", nlohmann::json("")).is_string() &&
                    holder.value("job", nlohmann::json("")).is_string() &&
                    holder.value("job_start", nlohmann::json(0)).is_number_integer();
  return ours ? holder : nlohmann::json();
}

// A supervisor that starts a new generation has given the old one up: whatever is left of it may not write any more.
bool is_older_lease(const nlohmann::json& holder, const std::optional<Lease>& mine) {
  if (!mine || !holder.contains("lease") || !holder["lease"].is_object()) return false;
  const auto& lease = holder["lease"];
  return lease.value("run_id", "") == mine->run_id &&
         lease.value("generation", mine->generation) < mine->generation;
}

bool holder_is_gone(const nlohmann::json& holder) {
  if (holder.value("host", "") != host_name()) return false;
  const long pid = holder.value("pid", 0L);
  if (pid <= 0 || (::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH)) return true;
  const long long then = holder.value("start_ticks", -1LL), now = process_start_ticks(pid);
  return now < 0 || (then >= 0 && then != now);
}

// Slurm starts a job again only once it has given up all that ran before.
bool is_of_an_earlier_start(const nlohmann::json& holder) {
  const std::string job = holder.value("job", "");
  return !job.empty() && job == own_job() && holder.value("job_start", 0LL) < own_start();
}

// Two starters that both find a stale lock must not both remove it, one of them removing the other's new
// lock.
class FolderGuard {
 public:
  explicit FolderGuard(const std::string& folder)
      : fd_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (fd_ >= 0) ::flock(fd_, LOCK_EX);  // file systems without flock: O_EXCL alone decides
  }
  ~FolderGuard() {
    if (fd_ >= 0) ::close(fd_);
  }
  FolderGuard(const FolderGuard&) = delete;
  FolderGuard& operator=(const FolderGuard&) = delete;

 private:
  int fd_;
};

[[noreturn]] void refuse(const std::string& path, const nlohmann::json& holder) {
  if (!holder.is_object())
    throw LaunchError(cat(
        path, ": cannot be understood, so somebody may be using this run; if nobody is, remove the file"));
  throw LaunchError(cat(path, ": this run is in use by process ", holder.value("pid", 0L), " on ",
                        holder.value("host", "?"), " since ", holder.value("started", "?"),
                        "; stop it, or choose another run.dir (if ", holder.value("host", "?"),
                        " is lost for good, remove the file)"));
}

}  // namespace

RunLock::RunLock(const std::string& run_dir, const std::optional<Lease>& lease, const std::string& name)
    : path_(cat(run_dir, '/', name)) {
  nlohmann::json mine{{"host", host_name()},
                      {"pid", ::getpid()},
                      {"start_ticks", process_start_ticks(::getpid())},
                      {"started", utc_now()}};
  if (const std::string job = own_job(); !job.empty()) mine["job"] = job, mine["job_start"] = own_start();
  if (lease) mine["lease"] = {{"run_id", lease->run_id}, {"generation", lease->generation}};
  mine_ = mine.dump() + '\n';
  real_file_system().make_folder(run_dir);
  const FolderGuard guard(run_dir);
  const std::string there = read_all(path_);
  if (!there.empty()) {
    const auto holder = understand(there);
    if (!holder.is_object() ||
        !(holder_is_gone(holder) || is_older_lease(holder, lease) || is_of_an_earlier_start(holder)))
      refuse(path_, holder);
  }
  // Empty: its owner died between creating and writing it, both of which happen under the guard.
  if (::access(path_.c_str(), F_OK) == 0 && ::unlink(path_.c_str()) != 0)
    throw CheckpointError(
        cat(std::strerror(errno), " removing ", path_, ", which a process that is gone has left"));

  const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0 && errno == EEXIST) refuse(path_, understand(read_all(path_)));
  if (fd < 0) throw CheckpointError(cat(std::strerror(errno), " creating ", path_));
  const bool written = ::write(fd, mine_.data(), mine_.size()) == static_cast<ssize_t>(mine_.size());
  const int error = errno;
  ::close(fd);
  if (written) return;
  ::unlink(path_.c_str());
  throw CheckpointError(cat(std::strerror(error), " writing ", path_));
}

void RunLock::require_held() const {
  if (read_all(path_) == mine_) return;
  throw CommError(
      cat(path_,
          ": is not this process' any more: the run was given to a later generation, so nothing is written"));
}

RunLock::~RunLock() {
  if (read_all(path_) == mine_) ::unlink(path_.c_str());
}

void remove_lock_of_ended_job(const std::string& run_dir, const std::string& name,
                              const std::function<bool(const std::string& job)>& is_over) {
  const std::string path = cat(run_dir, '/', name), there = read_all(path);
  const auto holder = there.empty() ? nlohmann::json() : understand(there);
  if (!holder.is_object() || holder.value("host", "") == host_name()) return;
  const std::string job = holder.value("job", "");
  if (job.empty() || job == own_job() || !is_over(job)) return;
  const FolderGuard guard(run_dir);
  if (read_all(path) != there) return;  // somebody has taken it meanwhile
  if (::unlink(path.c_str()) != 0)
    throw CheckpointError(cat(std::strerror(errno), " removing ", path, ", which job ", job, " has left"));
}

}  // namespace entrain::checkpoint
