#include "coordinator/control/stack_probe.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>

#include "configs/cat.hpp"

namespace entrain::control {
namespace {

constexpr std::ptrdiff_t kMostFrames = 24;
constexpr std::ptrdiff_t kOfTheHandler = 8;  // at most: the handler itself, and what a sanitizer adds
constexpr std::size_t kLineBytes = 160;
constexpr auto kPatience = std::chrono::seconds(2);

enum State : int { kIdle, kAsked, kTaking, kTaken };
std::atomic<int> state{kIdle};
std::array<void*, kMostFrames + kOfTheHandler> addresses;
// Where the handler returns to; the frame above that is the interrupted one. Handed over by state, as the addresses are.
void* way_back = nullptr;
int num_addresses = 0;

void note_addresses(int) {
  const int saved = errno;
  int asked = kAsked;
  if (state.compare_exchange_strong(asked, kTaking)) {
    way_back = __builtin_return_address(0);
    num_addresses = ::backtrace(addresses.data(), static_cast<int>(addresses.size()));
    state.store(kTaken);
  }
  errno = saved;
}

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 ? text.get() : name;
}

// "function (library)", or "library+0x1234" for addr2line where the name is not exported.
std::string line_of(const char* address) {
  Dl_info info{};
  if (::dladdr(address, &info) == 0 || info.dli_fname == nullptr)
    return cat("0x", std::hex, reinterpret_cast<std::uintptr_t>(address));
  std::string_view file(info.dli_fname);
  file = file.substr(file.rfind('/') + 1);
  if (info.dli_sname == nullptr)
    return cat(file, "+0x", std::hex, address - static_cast<const char*>(info.dli_fbase));
  return cat(demangled(info.dli_sname).substr(0, kLineBytes), " (", file, ")");
}

std::string text_of_stack() {
  const auto end = addresses.begin() + num_addresses;
  const auto handler = std::find(addresses.begin(), end, way_back);
  const auto first = handler == end ? addresses.begin() : handler + 1;
  std::string text;
  for (auto at = first; at != end && at - first < kMostFrames; ++at) {
    const auto* address = static_cast<const char*>(*at);
    // A return address lies behind its call, perhaps in the next function already; only the innermost is none.
    text += line_of(at == first ? address : address - 1) + '\n';
  }
  return text;
}

}  // namespace

StackProbe::StackProbe() : target_(::pthread_self()) {
  void* first = nullptr;
  ::backtrace(&first, 1);  // loads libgcc now: a signal handler must not
  struct sigaction action {};
  action.sa_handler = note_addresses;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGUSR2, &action, &former_);
}

StackProbe::~StackProbe() { ::sigaction(SIGUSR2, &former_, nullptr); }

std::string StackProbe::take() const {
  state.store(kAsked);
  if (const int error = ::pthread_kill(target_, SIGUSR2); error != 0) {
    state.store(kIdle);
    return cat("the main thread cannot be asked for its stack (error ", error, ")\n");
  }
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (state.load() != kTaken) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    int asked = kAsked;
    if (std::chrono::steady_clock::now() > give_up && state.compare_exchange_strong(asked, kIdle))
      return "the main thread does not answer a signal: it waits in the kernel (a file system or a driver)\n";
  }
  std::string text = text_of_stack();
  state.store(kIdle);
  return text;
}

}  // namespace entrain::control
