// A sick node, for tests. With this library in LD_PRELOAD a rank takes TEST_SLOW_MS longer for each large message, and its
// wall clock is TEST_CLOCK_SECONDS ahead.
#include <mpi.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

namespace {

constexpr int kLarge = 100000;

int number_of(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::atoi(text);
}

}  // namespace

extern "C" int MPI_Send(const void* data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm) {
  if (count >= kLarge) ::usleep(1000U * static_cast<unsigned>(number_of("TEST_SLOW_MS")));
  return PMPI_Send(data, count, type, to, tag, comm);
}

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result = ::syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += number_of("TEST_CLOCK_SECONDS");
  return static_cast<int>(result);
}
