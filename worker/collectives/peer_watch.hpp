#pragma once
#include <string>
#include <thread>
#include <vector>

namespace entrain::worker {

/// Watches the processes of the other ranks on this host, by pidfd, so that a dead rank is noticed at once
/// even while this one waits inside MPI. On a death it logs which rank it was and ends this process with 76.
class PeerWatch {
 public:
  /// What a rank tells the others of itself: host, pid namespace and pid.
  static std::string describe_self();

  /// `ranks`: describe_self() of every rank, in rank order.
  PeerWatch(const std::vector<std::string>& ranks, int my_rank);
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

  /// From now on others may end. Any thread, more than once.
  void stop() noexcept;

 private:
  struct Peer {
    int rank, fd;
    std::string who;
  };
  void watch();

  std::vector<Peer> peers_;
  int stop_fd_ = -1;
  std::thread thread_;
};

}  // namespace entrain::worker
