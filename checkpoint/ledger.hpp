#pragma once
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/file_system.hpp"

namespace entrain::checkpoint {

/// RUN/ledger.jsonl
std::string ledger_path(const std::string& run_dir);

/// The records of RUN/ledger.jsonl, one JSON object a line, record i in line i + 1. Each line begins with what the
/// record says ("kind": START, COMMIT, ABORT, ATTEMPT, BAD, END; "time": "2026-03-02T10:04:11Z"; "generation"), holds
/// "prev", the SHA-256 of the line before (64 zeros in the first), and ends in "sum", the XXH3-128 of the line up to
/// there: "prev" sees every change of another line, "sum" one of the last line.
struct LedgerText {
  std::vector<nlohmann::json> records;  ///< without "sum"
  std::vector<std::string> digests;     ///< SHA-256 of each line without its newline
  std::uint64_t bytes = 0;              ///< of the whole records; what comes behind is torn
  std::string torn;                     ///< "line 9 .."; empty: nothing is
  bool cut_short = false;  ///< the torn line has no newline: it may be what a crash left of an append
};

/// Reads and checks every line and changes nothing. No file is an empty ledger. CheckpointError names the first line
/// that is not what was written or does not follow the one before.
LedgerText read_ledger(const std::string& run_dir);

/// What to do about a ledger that a resume refuses.
std::string ledger_advice(const std::string& run_dir);

/// The one place where a resume refuses a ledger: CheckpointError of `why` and ledger_advice().
[[noreturn]] void refuse_ledger(const std::string& run_dir, const std::string& why);

/// The sample ledger of a run, for the one process that holds its run.lock; one thread at a time.
class Ledger {
 public:
  /// read_ledger(), and cuts a torn last line off, with a warning. CheckpointError as of refuse_ledger().
  explicit Ledger(const std::string& run_dir, FileSystem& files = real_file_system());

  /// Without the spans of COMMITs, which only grow (read_ledger() has them).
  const std::vector<nlohmann::json>& records() const { return records_; }
  /// SHA-256 of the last line; 64 zeros while there is none.
  const std::string& head() const { return head_; }
  /// The generation of the last START; 0: none.
  std::int64_t generation() const { return generation_; }

  /// Adds "prev", and where the record has none "time" (now) and "generation" (that of the last START; a START begins
  /// the next), and writes the line: one write, one fsync. Text that is not UTF-8 is mended, a number that is none
  /// becomes null. CheckpointError; nothing was appended then, and what half an append left is cut off by the next.
  void append(nlohmann::json record);

 private:
  void write(std::string_view line);

  std::string run_dir_;
  FileSystem& files_;
  std::vector<nlohmann::json> records_;
  std::string head_;
  std::int64_t generation_ = 0;
  std::uint64_t bytes_ = 0;           // of the whole records
  std::unique_ptr<OutputFile> file_;  // null: to be opened, at bytes_, by the next append
};

}  // namespace entrain::checkpoint
