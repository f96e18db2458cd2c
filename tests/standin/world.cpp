#include "tests/standin/world.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "configs/cat.hpp"
#include "tests/standin/misuse.hpp"

namespace entrain::standin {
namespace {

// Pages that nobody writes cost nothing.
constexpr std::size_t kArea = std::size_t{1} << 30, kHead = (sizeof(Shared) + 4095) / 4096 * 4096;

}  // namespace

std::string World::make() {
  const int file = ::memfd_create("entrain_standin", MFD_CLOEXEC);
  if (file < 0) misuse(Misuse::kUnsupported, "memfd_create fails");
  return cat("/proc/", ::getpid(), "/fd/", file);
}

World::World(const std::string& text, int ranks)
    : ranks_(ranks), bytes_(kHead + kArea * static_cast<std::size_t>(ranks) * (2 + ranks)) {
  const int file = ::open(text.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0 || ::ftruncate(file, static_cast<off_t>(bytes_)) != 0)
    misuse(Misuse::kUnsupported, cat("cannot open ", text));
  void* memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
  ::close(file);
  if (memory == MAP_FAILED) misuse(Misuse::kUnsupported, cat("cannot map ", text));
  memory_ = static_cast<char*>(memory);
  shared_ = reinterpret_cast<Shared*>(memory_);  // all zeros is how it begins
}

World::~World() { ::munmap(memory_, bytes_); }

char* World::area(std::size_t index, std::size_t bytes) {
  if (bytes > kArea) misuse(Misuse::kUnsupported, cat("a call of ", bytes, " bytes; at most ", kArea));
  return memory_ + kHead + index * kArea;
}

char* World::collective_data(int r, std::uint64_t number, std::size_t bytes) {
  return area(2 * static_cast<std::size_t>(r) + number % 2, bytes);
}

char* World::channel_data(int from, int to, std::size_t bytes) {
  return area(static_cast<std::size_t>(ranks_) * (2 + from) + to, bytes);
}

bool is_running(int process) {
  std::ifstream file(cat("/proc/", process, "/stat"));
  std::string line;
  if (!std::getline(file, line)) return false;
  const auto name_end = line.rfind(')');
  return name_end != std::string::npos && line.substr(name_end).find(") Z") != 0;
}

}  // namespace entrain::standin
