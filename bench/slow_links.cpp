// Network links with a latency and a rate, as tc's netem makes them, also where the kernel has none. Joins network namespaces: each gets a device eth0
// with address 10.77.0.1, 10.77.0.2, ... What it sends leaves at `rate` and arrives `latency` later.
//
//   slow_links NAMESPACE NAMESPACE...        as root
//
// Reads lines "LATENCY_US RATE_MBIT" (0: none) from stdin and answers each with "ok"; ends at the end of stdin.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kMtu = 9000;
constexpr const char* kSubnet = "10.77.0.";

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "slow_links: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(69);
}

struct Packet {
  Clock::time_point due;
  std::vector<char> bytes;
};

struct Port {
  int descriptor = -1;
  Clock::time_point free{};      // when the last packet has left
  std::deque<Packet> under_way;  // in order of `due`
};

void set_up(int socket, const ifreq& request, const std::string& address) {
  ifreq r = request;
  auto* a = reinterpret_cast<sockaddr_in*>(&r.ifr_addr);
  a->sin_family = AF_INET;
  ::inet_pton(AF_INET, address.c_str(), &a->sin_addr);
  if (::ioctl(socket, SIOCSIFADDR, &r) != 0) fail("address " + address);
  ::inet_pton(AF_INET, "255.255.255.0", &a->sin_addr);
  if (::ioctl(socket, SIOCSIFNETMASK, &r) != 0) fail("netmask");
  r.ifr_mtu = kMtu;
  if (::ioctl(socket, SIOCSIFMTU, &r) != 0) fail("mtu");
  r.ifr_qlen = 20000;
  if (::ioctl(socket, SIOCSIFTXQLEN, &r) != 0) fail("queue length");
  r.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket, SIOCSIFFLAGS, &r) != 0) fail("link up");
}

// Opens the device inside the namespace; the descriptor stays good outside of it.
Port open_port(const std::string& name_of_namespace, std::size_t number) {
  const int home = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  const int there = ::open(("/var/run/netns/" + name_of_namespace).c_str(), O_RDONLY | O_CLOEXEC);
  if (there < 0 || ::setns(there, CLONE_NEWNET) != 0) fail("namespace " + name_of_namespace);
  Port port;
  port.descriptor = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ifreq request{};
  std::strncpy(request.ifr_name, "eth0", IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (port.descriptor < 0 || ::ioctl(port.descriptor, TUNSETIFF, &request) != 0) fail("/dev/net/tun");
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  set_up(socket, request, kSubnet + std::to_string(number + 1));
  ::close(socket);
  if (::setns(home, CLONE_NEWNET) != 0) fail("own namespace");
  ::close(home);
  ::close(there);
  return port;
}

struct Link {
  std::chrono::nanoseconds latency{0};
  double ns_per_byte = 0;
};

void take_in(Port& port, const Link& link) {
  std::vector<char> buffer(kMtu + 64);
  for (;;) {
    const ssize_t n = ::read(port.descriptor, buffer.data(), buffer.size());
    if (n <= 0) return;
    const auto takes =
        std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(n) * link.ns_per_byte));
    port.free = std::max(port.free, Clock::now()) + takes;
    port.under_way.push_back({port.free + link.latency, {buffer.begin(), buffer.begin() + n}});
  }
}

// The last byte of an IPv4 packet's destination is the number of its port; all else (IPv6) is dropped.
void hand_out(std::vector<Port>& ports) {
  for (Port& from : ports)
    while (!from.under_way.empty() && from.under_way.front().due <= Clock::now()) {
      const auto& bytes = from.under_way.front().bytes;
      if (bytes.size() >= 20 && bytes[0] >> 4 == 4) {
        const auto to = static_cast<std::size_t>(static_cast<unsigned char>(bytes[19])) - 1;
        if (to < ports.size() && ::write(ports[to].descriptor, bytes.data(), bytes.size()) < 0 &&
            errno == EIO)
          fail("write");
      }
      from.under_way.pop_front();
    }
}

std::optional<Clock::time_point> next_due(const std::vector<Port>& ports) {
  std::optional<Clock::time_point> next;
  for (const Port& port : ports)
    if (!port.under_way.empty() && (!next || port.under_way.front().due < *next))
      next = port.under_way.front().due;
  return next;
}

void wait(std::vector<pollfd>& polled, const std::optional<Clock::time_point>& until) {
  timespec left{};
  if (until) {
    const auto ns = std::max<std::int64_t>(0, std::chrono::nanoseconds(*until - Clock::now()).count());
    left = {ns / 1'000'000'000, ns % 1'000'000'000};
  }
  ::ppoll(polled.data(), polled.size(), until ? &left : nullptr, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Port> ports;
  std::vector<pollfd> polled{{STDIN_FILENO, POLLIN, 0}};
  for (int i = 1; i < argc; ++i) {
    ports.push_back(open_port(argv[i], ports.size()));
    polled.push_back({ports.back().descriptor, POLLIN, 0});
  }
  if (ports.size() < 2) {
    std::fprintf(stderr, "slow_links: want two namespaces or more\n");
    return 64;
  }
  ::prctl(PR_SET_TIMERSLACK, 1);  // nanosecond: else every packet is 50 us late
  const sched_param first{1};
  ::sched_setscheduler(0, SCHED_FIFO, &first);  // a switch does not wait for a core
  Link link;
  std::string line;
  for (;;) {
    wait(polled, next_due(ports));
    if (polled[0].revents & (POLLIN | POLLHUP)) {
      char byte = 0;
      if (::read(STDIN_FILENO, &byte, 1) <= 0) return 0;
      line += byte;
      if (byte == '\n') {
        const double latency_us = std::atof(line.c_str()),
                     rate = std::atof(line.substr(line.find(' ') + 1).c_str());
        link = {std::chrono::nanoseconds(static_cast<std::int64_t>(latency_us * 1e3)),
                rate > 0 ? 8e3 / rate : 0};
        line.clear();
        std::puts("ok");
        std::fflush(stdout);
      }
    }
    for (Port& port : ports) take_in(port, link);
    hand_out(ports);
  }
}
