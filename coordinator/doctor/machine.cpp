#include <sched.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "configs/cat.hpp"
#include "coordinator/doctor/finding.hpp"

namespace entrain::doctor {
namespace {

using Grade = Finding::Grade;

// cpu.max of the control group: "max 100000" or "200000 100000"; 0: no limit.
double cores_of_cgroup() {
  std::ifstream in("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(in >> quota >> period) || quota == "max" || period <= 0) return 0;
  return std::stod(quota) / period;
}

Finding cores() {
  const long there = ::sysconf(_SC_NPROCESSORS_ONLN);
  cpu_set_t mine;
  const long may = ::sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : there;
  const double quota = cores_of_cgroup();
  const std::string what = cat(there, " cores, this process may use ", may,
                               quota > 0 ? cat(", its control group ", quota, " at a time") : "");
  if (quota > 0 && quota < static_cast<double>(may))
    return {Grade::kMind, "machine", what,
            "set run.threads to what the control group allows, or threads wait for each other"};
  return {Grade::kFine, "machine", what, ""};
}

Finding memory() {
  std::ifstream in("/proc/meminfo");
  long available = 0;
  for (std::string line; std::getline(in, line);)
    if (line.rfind("MemAvailable:", 0) == 0) std::istringstream(line.substr(13)) >> available;
  return {Grade::kFine, "machine", cat(available / (1 << 20), " GiB of memory available"), ""};
}

Finding open_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max >= 1024)
    return {Grade::kFine, "machine", cat("a process may open ", limit.rlim_max, " files"), ""};
  return {Grade::kMind, "machine", cat("a process may open ", limit.rlim_max, " files at most"),
          "raise it (ulimit -n 1024): MPI, HDF5 and one handle per rank need them"};
}

// Open MPI's ranks of one node talk through it.
Finding shared_memory() {
  struct statvfs info {};
  if (::statvfs("/dev/shm", &info) != 0)
    return {Grade::kBad, "machine", "there is no /dev/shm",
            "ranks of one node talk through it; in a container, mount it"};
  const double bytes = static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize);
  const std::string what = cat("/dev/shm has ", static_cast<long>(bytes / 1e6), " MB free");
  if (bytes >= 256e6) return {Grade::kFine, "machine", what, ""};
  return {Grade::kMind, "machine", what, "give it 256 MB or more (docker run --shm-size=1g)"};
}

Finding clock() {
  timex state{};
  const int answer = ::adjtimex(&state);
  if (answer >= 0 && answer != TIME_ERROR) return {Grade::kFine, "clock", "is kept by NTP", ""};
  return {Grade::kMind, "clock", "is not kept by NTP, as far as the kernel knows",
          "times in logs of several nodes may not fit together; runs do not depend on it"};
}

}  // namespace

Findings look_at_machine() { return {cores(), memory(), open_files(), shared_memory(), clock()}; }

}  // namespace entrain::doctor
