// The ledger's chain: whatever happens to its bytes is seen, and whatever happens to the machine leaves whole records.
#include "checkpoint/ledger.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <functional>

#include "checkpoint/digest.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "tests/support/faulty_file_system.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

using checkpoint::Ledger;
using checkpoint::read_ledger;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string said(const std::function<void()>& act) {
  try {
    act();
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "";
}

void write_small_ledger(const std::string& run) {
  Ledger ledger(run);
  ledger.append({{"kind", "START"}, {"world", 2}});
  ledger.append({{"kind", "COMMIT"}, {"step", 8}, {"parent", 0}});
  ledger.append({{"kind", "ABORT"}, {"step", 16}, {"reason", "no space"}});
  ledger.append({{"kind", "START"}, {"world", 3}});
  ledger.append({{"kind", "END"}, {"code", 0}});
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    lines.push_back(text.substr(at, text.find('\n', at) + 1 - at));
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line;
  return text;
}

// Which line is said to be wrong; 0: none.
int line_blamed(const std::string& run) {
  std::string text;
  try {
    const auto ledger = read_ledger(run);
    text = ledger.torn;
  } catch (const CheckpointError& error) {
    text = error.what();
  }
  for (const std::string before : {"ledger.jsonl:", "line "})
    if (const auto at = text.find(before); at != std::string::npos)
      return std::stoi(text.substr(at + before.size()));
  return 0;
}

TEST(Ledger, IsOneChainedObjectALine) {
  const TemporaryFolder run;
  EXPECT_EQ(Ledger(run.path()).head(), std::string(64, '0'));
  EXPECT_FALSE(std::filesystem::exists(run / "ledger.jsonl")) << "looking writes nothing";
  write_small_ledger(run.path());
  const auto lines = lines_of(read_file(run / "ledger.jsonl"));
  ASSERT_EQ(lines.size(), 5U);
  std::string before(64, '0');
  for (const std::string& line : lines) {
    const auto record = nlohmann::json::parse(line);
    EXPECT_EQ(record["prev"], before);
    before = checkpoint::sha256_of(line.substr(0, line.size() - 1));
    EXPECT_THAT(record["time"], ::testing::MatchesRegex("20..-..-..T..:..:..Z"));
  }
  const Ledger again(run.path());
  EXPECT_EQ(again.head(), before);
  EXPECT_EQ(again.generation(), 2);
  ASSERT_EQ(again.records().size(), 5U);
  EXPECT_EQ(again.records()[2]["generation"], 1);
  EXPECT_EQ(again.records()[4]["generation"], 2);
  EXPECT_EQ(read_ledger(run.path()).digests[4], before);
}

TEST(Ledger, EveryFlippedByteIsSeenAndItsLineNamed) {
  const TemporaryFolder run;
  write_small_ledger(run.path());
  const std::string good = read_file(run / "ledger.jsonl");
  ASSERT_EQ(line_blamed(run.path()), 0);
  ASSERT_GT(good.size(), 700U);
  int line = 1;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int mask : {0x01, 0x20, 0x80}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ mask);
      write_file(run / "ledger.jsonl", bad);
      ASSERT_EQ(line_blamed(run.path()), line) << "byte " << at << " ^ " << mask;
    }
    line += good[at] == '\n';
  }
  EXPECT_EQ(line, 6);
}

TEST(Ledger, ARecordTakenOutPutInRepeatedOrMovedIsSeen) {
  const TemporaryFolder run;
  write_small_ledger(run.path());
  const auto good = lines_of(read_file(run / "ledger.jsonl"));
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto lines = good;
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(i));
    write_file(run / "ledger.jsonl", joined(lines));
    // What is cut off at the end leaves a whole chain: the audit holds it against the checkpoints.
    EXPECT_EQ(line_blamed(run.path()), i + 1 == good.size() ? 0 : static_cast<int>(i) + 1) << "dropped " << i;
    for (std::size_t to = 0; to <= good.size(); ++to) {
      lines = good;
      lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(to), good[i]);
      write_file(run / "ledger.jsonl", joined(lines));
      EXPECT_EQ(line_blamed(run.path()), static_cast<int>(to == i ? i + 1 : to) + 1)
          << i << " again at " << to;
    }
    for (std::size_t j = i + 1; j < good.size(); ++j) {
      lines = good;
      std::swap(lines[i], lines[j]);
      write_file(run / "ledger.jsonl", joined(lines));
      EXPECT_EQ(line_blamed(run.path()), static_cast<int>(i) + 1) << i << " and " << j;
    }
  }
}

TEST(Ledger, ATornLastLineIsToldAndCutOffWhenItIsOpenedToWrite) {
  const TemporaryFolder run;
  write_small_ledger(run.path());
  const std::string good = read_file(run / "ledger.jsonl");
  const std::size_t last = good.rfind('\n', good.size() - 2) + 1;
  for (std::size_t size = last + 1; size < good.size(); size += size + 12 < good.size() ? 11 : 1) {
    write_file(run / "ledger.jsonl", good.substr(0, size));
    const auto text = read_ledger(run.path());
    EXPECT_TRUE(text.cut_short);
    EXPECT_EQ(text.records.size(), 4U);
    EXPECT_EQ(read_file(run / "ledger.jsonl").size(), size) << "reading changes nothing";
    Ledger ledger(run.path());
    EXPECT_EQ(read_file(run / "ledger.jsonl"), good.substr(0, last));
    ledger.append({{"kind", "END"}, {"code", 75}});
    EXPECT_EQ(Ledger(run.path()).records().back()["code"], 75);
  }
  write_file(run / "ledger.jsonl", good.substr(0, last) + "{\"kind\":\n");
  EXPECT_FALSE(read_ledger(run.path()).cut_short);
  EXPECT_EQ(Ledger(run.path()).records().size(), 4U);
}

TEST(Ledger, AWriterDoesNotKeepWhatEachStepDid) {
  const TemporaryFolder run;
  {
    Ledger ledger(run.path());
    ledger.append({{"kind", "COMMIT"}, {"step", 1}, {"span", {{"batches", {"0a"}}}}});
    EXPECT_FALSE(ledger.records()[0].contains("span"));
  }
  EXPECT_FALSE(Ledger(run.path()).records()[0].contains("span"));
  EXPECT_EQ(read_ledger(run.path()).records[0]["span"]["batches"][0], "0a");
}

TEST(Ledger, ABreakElsewhereIsAnErrorThatNamesTheLineAndChangesNothing) {
  const TemporaryFolder run;
  write_small_ledger(run.path());
  std::string bad = read_file(run / "ledger.jsonl");
  bad[bad.find("no space")] = 'N';
  write_file(run / "ledger.jsonl", bad);
  EXPECT_THAT(said([&] { const Ledger ledger(run.path()); }),
              AllOf(HasSubstr("/ledger.jsonl:3: "), HasSubstr("its bytes were changed")));
  EXPECT_EQ(read_file(run / "ledger.jsonl"), bad);
}

TEST(Ledger, WhatAResumeRefusesEndsWithTheWayOutOnceAndAReaderGetsTheFlawAlone) {
  const TemporaryFolder run;
  write_small_ledger(run.path());
  const std::string whole = read_file(run / "ledger.jsonl"), advice = checkpoint::ledger_advice(run.path());
  const auto lines = lines_of(whole);
  const auto resumed = [&](const std::string& text) {
    write_file(run / "ledger.jsonl", text);
    return said([&] { const Ledger ledger(run.path()); });
  };
  EXPECT_EQ(resumed(whole), "");
  std::string flipped = whole;
  flipped[whole.size() / 2] ^= 1;
  for (const std::string& text : {flipped, joined({lines[0], lines[2], lines[3], lines[4]}),
                                  joined({lines[1], lines[2]}), "{}\n" + whole}) {
    const std::string error = resumed(text);
    EXPECT_THAT(error, ::testing::EndsWith(". " + advice));
    EXPECT_EQ(error.find(advice), error.rfind(advice));
    EXPECT_EQ(said([&] { read_ledger(run.path()); }) + ". " + advice, error);
  }
  std::filesystem::remove(run / "ledger.jsonl");
  std::filesystem::create_directory(run / "ledger.jsonl");
  EXPECT_THAT(said([&] { const Ledger ledger(run.path()); }),
              AllOf(HasSubstr("cannot be read"), ::testing::EndsWith(advice)));
}

TEST(Ledger, AFileCutBehindItsWritersBackIsAnError) {
  const TemporaryFolder run;
  write_small_ledger(run.path());
  Ledger ledger(run.path());
  write_file(run / "ledger.jsonl", "");
  EXPECT_THAT(said([&] { ledger.append({{"kind", "END"}}); }), HasSubstr("something else cut it"));
}

TEST(Ledger, TextThatIsNotUtf8AndNumbersThatAreNoneStillMakeALine) {
  const TemporaryFolder run;
  Ledger ledger(run.path());
  ledger.append({{"kind", "ABORT"}, {"reason", "\xff\xfe bad name"}, {"loss", std::nan("")}});
  EXPECT_THAT(read_ledger(run.path()).records.at(0)["reason"], HasSubstr("bad name"));
}

// Appends two records to a ledger of five, however often something stops it, on `files`.
void append_two(const std::string& run, checkpoint::FileSystem& files) {
  Ledger ledger(run, files);
  ledger.append({{"kind", "ATTEMPT"}, {"step", 8}});
  ledger.append({{"kind", "ABORT"}, {"step", 9}});
}

class LedgerCrash : public ::testing::Test {
 protected:
  // With half a line at the end, so that opening cuts; or no file at all.
  void restore(bool fresh) {
    std::filesystem::remove(run_ / "ledger.jsonl");
    if (fresh) return;
    write_small_ledger(run_.path());
    write_file(run_ / "ledger.jsonl", read_file(run_ / "ledger.jsonl") + "{\"code\":");
  }
  std::size_t records_left() {
    const Ledger ledger(run_.path());
    return ledger.records().size();
  }
  std::vector<std::string> undisturbed(bool fresh) {
    restore(fresh);
    FaultyFileSystem files(-1, Fault::kFail);
    append_two(run_.path(), files);
    return files.operations();
  }
  TemporaryFolder run_;
};

TEST_F(LedgerCrash, EndOfProcessOrPowerAtEveryOperationLeavesWholeRecords) {
  for (const bool fresh : {false, true}) {
    const std::size_t had = fresh ? 0 : 5;
    const auto operations = undisturbed(fresh);
    ASSERT_GE(operations.size(), 6U);
    for (const Fault fault : {Fault::kDie, Fault::kPower}) {
      std::size_t synced = 0;  // records whose write and sync were done before operation `at`
      bool written = false;
      for (std::size_t at = 0; at < operations.size(); ++at) {
        restore(fresh);
        const pid_t child = ::fork();
        if (child == 0) {
          FaultyFileSystem files(static_cast<std::int64_t>(at), fault);
          try {
            append_two(run_.path(), files);
          } catch (const PowerLoss&) {
            ::_exit(9);
          }
          ::_exit(0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 9) << operations[at];
        const std::size_t left = records_left();
        if (fault == Fault::kPower && fresh && operations[at].rfind("sync_folder", 0) == 0)
          EXPECT_EQ(left, 0U) << "a new name is lost with its folder";
        else if (fault == Fault::kPower)
          EXPECT_EQ(left, had + synced) << "power lost before " << operations[at];
        else
          EXPECT_EQ(left, had + synced + (written ? 1 : 0)) << "ended before " << operations[at];
        if (operations[at].rfind("write", 0) == 0) written = true;
        if (operations[at].rfind("sync ", 0) == 0 && written) ++synced, written = false;
      }
      EXPECT_EQ(synced, 2U);
    }
  }
}

TEST_F(LedgerCrash, AnErrorAtEveryOperationAppendsNothingAndTheNextAppendHeals) {
  const auto operations = undisturbed(false);
  int thrown = 0;
  for (std::size_t at = 0; at < operations.size(); ++at) {
    restore(false);
    FaultyFileSystem files(static_cast<std::int64_t>(at), Fault::kFail);
    std::unique_ptr<Ledger> ledger;
    if (!said([&] { ledger = std::make_unique<Ledger>(run_.path(), files); }).empty()) {
      ++thrown;
      continue;
    }
    const std::string head = ledger->head();
    if (!said([&] { ledger->append({{"kind", "ATTEMPT"}, {"step", 8}}); }).empty()) {
      ++thrown;
      EXPECT_EQ(ledger->head(), head);
      EXPECT_EQ(ledger->records().size(), 5U);
    }
    const std::size_t before = ledger->records().size();
    if (!said([&] { ledger->append({{"kind", "END"}, {"code", 1}}); }).empty()) ++thrown;
    ledger->append({{"kind", "END"}, {"code", 2}});
    EXPECT_THAT(ledger->records().size(), ::testing::AnyOf(before + 1, before + 2));
    const auto text = read_ledger(run_.path());
    EXPECT_EQ(text.torn, "");
    EXPECT_EQ(text.records, ledger->records()) << operations[at];
  }
  EXPECT_EQ(thrown, static_cast<int>(operations.size()));
}

}  // namespace
}  // namespace entrain::tests
