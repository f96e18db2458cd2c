#include "coordinator/control/client.hpp"

#include <chrono>

#include "configs/log.hpp"
#include "coordinator/control/client_link.hpp"
#include "coordinator/control/signals.hpp"

namespace entrain::control {
namespace {

constexpr auto kByePatience = std::chrono::seconds(1), kEndPatience = std::chrono::seconds(2);

}  // namespace

ControlClient::ControlClient(const ClientOptions& options, const ProgressBoard& board)
    : link_(std::make_shared<Link>(options, board)) {
  const SignalsBlocked blocked;
  thread_ = std::thread([link = link_] { link->run(); });
}

ControlClient::~ControlClient() {
  link_->end();
  if (link_->wait_until_ended(kEndPatience)) {
    thread_.join();
    return;
  }
  thread_.detach();
  log(Level::kWarning, "control: the client's thread is stuck in the file system and is left behind");
}

void ControlClient::bye(int code, const std::string& reason) {
  if (said_bye_) return;
  said_bye_ = true;
  link_->bye(code, reason).wait_for(kByePatience);
}

}  // namespace entrain::control
