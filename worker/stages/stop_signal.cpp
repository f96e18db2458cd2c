#include "worker/stages/stop_signal.hpp"

#include <csignal>

#include "coordinator/control/progress.hpp"

namespace entrain::worker {
namespace {

volatile std::sig_atomic_t caught = 0;

extern "C" void remember(int signal) {
  caught = signal;
  control::progress().caught_signal(signal);
}

}  // namespace

void install_stop_signals() {
  struct sigaction action {};
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART;
  sigset_t stops;
  sigemptyset(&stops);
  for (const int signal : {SIGTERM, SIGUSR1, SIGINT}) {
    sigaction(signal, &action, nullptr);
    sigaddset(&stops, signal);
  }
  sigprocmask(SIG_UNBLOCK, &stops, nullptr);  // the front door held back what came before
}

std::string stop_reason() {
  switch (caught) {
    case 0:
      return control::progress().stop_asked() ? control::progress().stop_reason() : "";
    case SIGTERM:
      return "SIGTERM";
    case SIGUSR1:
      return "SIGUSR1";
    default:
      return "SIGINT";
  }
}

}  // namespace entrain::worker
