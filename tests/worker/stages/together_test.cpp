#include <gtest/gtest.h>

#include <atomic>

#include "configs/error.hpp"
#include "tests/support/ranks.hpp"
#include "worker/stages/together.hpp"

namespace entrain::tests {
namespace {

TEST(Together, OneRanksErrorIsThrownOnAllWithItsNumber) {
  std::atomic<int> told = 0;
  run_ranks(3, [&](worker::Collectives& comm) {
    try {
      worker::together(comm, [&] {
        if (comm.rank() == 2) throw DataError("a.h5: row 7 is damaged");
      });
      ADD_FAILURE() << "rank " << comm.rank() << " went on";
    } catch (const Error& e) {
      EXPECT_STREQ(e.what(), "rank 2: a.h5: row 7 is damaged");
      EXPECT_EQ(e.code(), ExitCode::kData);
      EXPECT_TRUE(e.on_all_ranks());
      ++told;
    }
  });
  EXPECT_EQ(told, 3);
}

TEST(Together, TheSameErrorOfAllIsToldWithoutANumber) {
  run_ranks(2, [](worker::Collectives& comm) {
    try {
      worker::together(comm, [] { throw ConfigError("no such key"); });
      ADD_FAILURE();
    } catch (const Error& e) {
      EXPECT_STREQ(e.what(), "no such key");
    }
  });
}

TEST(Together, GoesOnWhereNobodyFailed) {
  std::atomic<int> done = 0;
  run_ranks(2, [&](worker::Collectives& comm) { worker::together(comm, [&] { ++done; }); });
  EXPECT_EQ(done, 2);
}

}  // namespace
}  // namespace entrain::tests
