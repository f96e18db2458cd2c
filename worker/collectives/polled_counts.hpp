#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace entrain::worker {

/// Every rank's number, in rank order, by MPI but without waiting inside of it: `check` is called again and again and may
/// throw, which is then what this throws. MPI is of no use for anything but MPI_Abort after that. CommError where MPI fails.
std::vector<std::int64_t> polled_counts(std::int64_t mine, int ranks, const std::function<void()>& check);

/// For loops that wait: short waits cost no sleep, long ones no core.
class Pause {
 public:
  void operator()();

 private:
  int rounds_ = 0;
};

}  // namespace entrain::worker
