#include "tests/support/mpi_main.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <iostream>

namespace entrain::tests {
namespace {
worker::MpiCollectives* the_world = nullptr;
}
worker::MpiCollectives& world() { return *the_world; }
}  // namespace entrain::tests

/// main() of every MPI test: refuses a world of another size than --ranks=N says, so that no test passes by
/// comparing one rank with itself; the result is the worst of all ranks'.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  int wanted = 0;
  for (int i = 1; i < argc; ++i)
    if (std::strncmp(argv[i], "--ranks=", 8) == 0) wanted = std::atoi(argv[i] + 8);
  const entrain::worker::MpiSession session;
  entrain::worker::MpiCollectives comm;
  if (comm.size() != wanted) {
    std::cerr << "world has " << comm.size() << " ranks, started with --ranks=" << wanted << '\n';
    return 1;
  }
  entrain::tests::the_world = &comm;
  if (comm.rank() > 0)
    delete testing::UnitTest::GetInstance()->listeners().Release(
        testing::UnitTest::GetInstance()->listeners().default_result_printer());
  const int failed = RUN_ALL_TESTS();
  const int ran = testing::UnitTest::GetInstance()->test_to_run_count();
  return static_cast<int>(comm.all_reduce_max(failed != 0 || ran == 0 ? 1 : 0));
}
