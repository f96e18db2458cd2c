#include "worker/collectives/peer_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "configs/process.hpp"

namespace entrain::worker {
namespace {

// Host and pid namespace: a pid means the same process only where both are equal.
std::string place_of_self() {
  char space[64] = {};
  if (::readlink("/proc/self/ns/pid", space, sizeof space - 1) < 0) space[0] = '?';
  return cat(host_name(), ' ', space);
}

}  // namespace

std::string PeerWatch::describe_self() { return cat(place_of_self(), ' ', ::getpid()); }

PeerWatch::PeerWatch(const std::vector<std::string>& ranks, int my_rank)
    : stop_fd_(::eventfd(0, EFD_CLOEXEC)) {
  const std::string here = place_of_self() + ' ';
  for (int r = 0; r < static_cast<int>(ranks.size()); ++r) {
    if (r == my_rank || ranks[r].compare(0, here.size(), here) != 0) continue;
    const int pid = std::stoi(ranks[r].substr(here.size()));
    const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (fd >= 0)
      peers_.push_back({r, fd, cat("rank ", r, " (pid ", pid, " on ", here.substr(0, here.find(' ')), ")")});
  }
  if (!peers_.empty() && stop_fd_ >= 0) thread_ = std::thread([this] { watch(); });
}

PeerWatch::~PeerWatch() {
  stop();
  if (thread_.joinable()) thread_.join();
  for (const Peer& peer : peers_) ::close(peer.fd);
  if (stop_fd_ >= 0) ::close(stop_fd_);
}

void PeerWatch::stop() noexcept {
  const std::uint64_t one = 1;
  if (stop_fd_ >= 0 && ::write(stop_fd_, &one, sizeof one) < 0) return;
}

void PeerWatch::watch() {
  std::vector<pollfd> fds{{stop_fd_, POLLIN, 0}};
  for (const Peer& peer : peers_) fds.push_back({peer.fd, POLLIN, 0});
  while (::poll(fds.data(), fds.size(), -1) < 0) {
  }
  if (fds[0].revents != 0) return;
  for (std::size_t i = 0; i < peers_.size(); ++i)
    if (fds[i + 1].revents != 0)
      log(Level::kError, cat(peers_[i].who,
                             " has ended; this rank cannot go on without it and ends too (exit 76). "
                             "The same command resumes from the newest checkpoint"));
  ::_exit(static_cast<int>(ExitCode::kComm));
}

}  // namespace entrain::worker
