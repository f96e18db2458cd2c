#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "coordinator/control/progress.hpp"

namespace entrain::control {

/// Who a node's ranks are, and how long they go on without a supervisor.
struct ClientOptions {
  std::string run_dir{};
  std::string host{};
  std::int32_t world = 1;
  std::uint32_t generation = 0;
  std::string build_digest{}, config_digest{}, corpus_digest{};
  double orphan_seconds = 60;
};

/// The node's end of the control plane: a thread in its lowest rank. It looks for the supervisor in RUN/control.json
/// and RUN/.token anew at every attempt, sends a heartbeat a second from the board, and carries out what it is told:
/// a stop or a fence appears in the board, and after a fence this process ends with 76 within two seconds. Training
/// does not depend on it: while there is no supervisor it tries again, and after `orphan_seconds` it asks for a stop.
class ControlClient {
 public:
  /// All ranks of the node have joined the board, whose memory outlives the client.
  ControlClient(const ClientOptions& options, const ProgressBoard& board);
  /// Within two seconds, whatever the network or a file system does.
  ~ControlClient();
  ControlClient(const ControlClient&) = delete;
  ControlClient& operator=(const ControlClient&) = delete;

  /// Tells the supervisor how this node's lowest rank ends; once. Waits for at most a second.
  void bye(int code, const std::string& reason);

 private:
  class Link;
  std::shared_ptr<Link> link_;
  std::thread thread_;
  bool said_bye_ = false;
};

}  // namespace entrain::control
