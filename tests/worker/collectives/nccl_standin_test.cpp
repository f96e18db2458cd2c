// The stand-in sees each mistake that is made on purpose and none in right programs; and what the production nccl.cpp does
// under faults. ENTRAIN_SCHEDULES: how many random schedules of faults (8).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <sstream>

#include "configs/cat.hpp"
#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int kMisuse = 86;

Ran victim(int ranks, const std::string& words, const std::string& fault = "", double timeout_s = 100) {
  return run(cat("mpirun --oversubscribe -n ", ranks, " env OMP_NUM_THREADS=1 ENTRAIN_STANDIN_FAULT='", fault,
                 "' nccl_victim ", words),
             timeout_s);
}

struct Mistake {
  const char* name;
  int ranks;  // that it takes
};
std::ostream& operator<<(std::ostream& out, const Mistake& m) { return out << m.name; }

class Mistakes : public testing::TestWithParam<Mistake> {};
TEST_P(Mistakes, AreSeenAndNamed) {
  const auto [name, ranks] = GetParam();
  const Ran ran = victim(ranks, cat("misuse ", name));
  EXPECT_THAT(ran.output, HasSubstr(cat("standin: misuse ", name[0], ": "))) << ran.code;
  EXPECT_THAT(ran.output, Not(HasSubstr("passed")));
  if (ranks == 1) {
    EXPECT_EQ(ran.code, kMisuse);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Standin, Mistakes,
    testing::Values(Mistake{"1_no_event", 1}, Mistake{"1_old_event", 1}, Mistake{"2_read_early", 1},
                    Mistake{"2_never_waited", 1}, Mistake{"2_event_before", 1}, Mistake{"2_passed_on", 1},
                    Mistake{"3_left_open", 1}, Mistake{"3_never_opened", 1}, Mistake{"4_after_abort", 1},
                    Mistake{"4_event_gone", 1}, Mistake{"5_sum", 2}, Mistake{"5_send", 1},
                    Mistake{"6_other_call", 2}, Mistake{"6_other_order", 2}, Mistake{"6_one_left_out", 2},
                    Mistake{"7_freed", 1}, Mistake{"7_sent_is_written", 1},
                    Mistake{"7_sent_is_written_unguarded", 1}, Mistake{"7_result_is_written", 1},
                    Mistake{"8_host_is_written", 1}, Mistake{"8_host_is_written_unguarded", 1},
                    Mistake{"9_not_settled", 1}),
    [](const auto& one) { return std::string("Misuse") + one.param.name; });

TEST(Standin, DoesNotBlameTheSameProgramsWithoutTheirMistake) {
  for (const int ranks : {1, 2, 3}) {
    const Ran ran = victim(ranks, "misuse right");
    EXPECT_EQ(ran.code, 0) << ran.output;
    std::size_t passed = 0;
    for (auto at = ran.output.find("passed "); at != std::string::npos;
         at = ran.output.find("passed ", at + 1))
      ++passed;
    EXPECT_EQ(passed, 22U) << ran.output;
  }
}

struct Schedule {
  int ranks = 2;
  int dies = -1;  // this rank does, if any
  bool fatal = false;
  std::string fault{};
  double init_limit = 60, limit = 60;  // a busy machine must not be taken for a fault
};

// One fault, sometimes two on two ranks; a rank that dies is the only one, or it might live.
Schedule draw(unsigned seed) {
  std::mt19937 draws(seed);
  const auto below = [&](unsigned n) { return static_cast<int>(draws() % n); };
  Schedule s;
  s.ranks = 2 + below(3);
  const int count = 1 + below(4) / 3, first = below(static_cast<unsigned>(s.ranks));
  for (int i = 0; i < count && s.dies < 0; ++i) {
    const int rank = (first + i) % s.ranks, at = 1 + below(24);
    std::string one;
    switch (below(6)) {
      case 0:
        one = cat("hang@", rank, ':', at);
        break;
      case 1:
        one = cat("crash@", rank, ':', at);
        s.dies = rank;
        s.fault.clear();
        s.init_limit = 60;
        break;
      case 2:
        one = cat("async@", rank, ':', at, ':', 1 + below(6));
        break;
      case 3:
        one = cat("fail@", rank, ':', at, ':', 1 + below(6));
        break;
      case 4: {
        const bool too_late = below(2) == 0;
        one = cat("late@", rank, ':', too_late ? 30 : 1);
        if (too_late) s.init_limit = 2;
        if (!too_late) {
          s.fault += (s.fault.empty() ? "" : ",") + one;
          continue;
        }
        break;
      }
      default:
        one = cat("refuse@", rank);
        s.init_limit = 2;
    }
    s.fatal = true;
    s.fault += (s.fault.empty() ? "" : ",") + one;
  }
  if (s.fatal && s.dies < 0) {
    s.limit = 2;
    s.init_limit = std::min(s.init_limit, 8.);
  }
  return s;
}

// How each rank ended, or nothing where it was killed.
std::string end_of(const TemporaryFolder& folder, int rank) {
  const std::string path = folder / cat("rank", rank);
  return std::filesystem::exists(path) ? read_file(path) : "";
}

void check_schedule(unsigned seed) {
  const Schedule s = draw(seed);
  const std::string what = cat("schedule ", seed, ": ", s.ranks, " ranks, ", s.fault);
  const TemporaryFolder folder;
  const Ran ran = victim(
      s.ranks, cat("rounds ", folder.path(), ' ', s.dies < 0 ? 0 : 1, ' ', s.init_limit, ' ', s.limit, " 6"),
      s.fault);
  EXPECT_NE(ran.code, -1) << what << " hangs: " << ran.output;
  EXPECT_THAT(ran.output, Not(HasSubstr("standin: misuse"))) << what;
  EXPECT_EQ(ran.code == 0, !s.fatal) << what << ": " << ran.code << ' ' << ran.output;
  for (int r = 0; r < s.ranks; ++r) {
    const std::string end = end_of(folder, r);
    if (!s.fatal) {
      EXPECT_EQ(end, "done") << what;
    } else if (end.empty() &&
               s.dies >= 0) {  // the watch on processes, or mpirun, was faster than the deadline
      EXPECT_THAT(ran.output, testing::AnyOf(HasSubstr(cat("rank ", s.dies, " (pid")),
                                             HasSubstr(cat("process rank ", s.dies, " with PID"))))
          << what;
    } else {
      EXPECT_NE(r, s.dies) << what << ": it lives";
      EXPECT_THAT(end, testing::StartsWith("comm ")) << what << ", rank " << r << '\n' << ran.output;
      double seconds = 1e9;
      std::istringstream(end.substr(std::min<std::size_t>(5, end.size()))) >> seconds;
      EXPECT_LT(seconds, std::max(s.init_limit, s.limit) + 30) << what << ", rank " << r << ": " << end;
    }
  }
  std::cout << what << " -> " << ran.code << ' ' << end_of(folder, 0) << std::endl;
}

TEST(Faults, EndInACommErrorOnEveryRankWithinTheDeadline) {
  const char* wanted = std::getenv("ENTRAIN_SCHEDULES");
  const unsigned count = wanted ? static_cast<unsigned>(std::atoi(wanted)) : 8;
  ASSERT_GT(count, 0U);
  for (unsigned seed = 1; seed <= count; ++seed) check_schedule(seed);
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm"))
    EXPECT_THAT(entry.path().string(), Not(HasSubstr("standin")));
}

// The others wait for it in NCCL, or in MPI, where no error of NCCL's reaches them.
TEST(Faults, ARankThatFailsElsewhereEndsTheOthersInTime) {
  for (const auto& [place, reason] :
       {std::pair{"nccl", "all_to_all (collective 14 of NCCL's): not done within 2 s"},
        std::pair{"counts", "not all ranks came within 2 s"}}) {
    const TemporaryFolder folder;
    const Ran ran = victim(3, cat("rounds ", folder.path(), " 0 60 2 6 1 ", place));
    EXPECT_THAT(ran.output, Not(HasSubstr("standin: misuse"))) << "it must abort, not leave in order";
    EXPECT_THAT(end_of(folder, 1), HasSubstr("this rank fails elsewhere")) << ran.output;
    for (const int r : {0, 2}) EXPECT_THAT(end_of(folder, r), HasSubstr(reason)) << ran.output;
  }
}

TEST(Faults, AnErrorThatNcclReportsLaterIsHeardLongBeforeTheDeadline) {
  const TemporaryFolder folder;
  const Ran ran = victim(1, cat("rounds ", folder.path(), " 0 600 600 6"), "async@0:9:2");
  EXPECT_EQ(ran.code, 76);
  EXPECT_THAT(end_of(folder, 0), HasSubstr("NCCL: unhandled system error")) << ran.output;
}

TEST(Faults, NoneWithoutAFault) {
  const TemporaryFolder folder;
  const Ran ran = victim(3, cat("rounds ", folder.path(), " 0 60 60 6"));
  EXPECT_EQ(ran.code, 0) << ran.output;
  for (int r = 0; r < 3; ++r) EXPECT_EQ(end_of(folder, r), "done") << ran.output;
}

}  // namespace
}  // namespace entrain::tests
