#include "checkpoint/ledger.hpp"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "checkpoint/digest.hpp"
#include "checkpoint/json_member.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"

namespace entrain::checkpoint {
namespace {

constexpr std::string_view kSum = R"(,"sum":")", kEnd = R"("})";
constexpr std::size_t kSumDigits = 32, kTail = kSum.size() + kSumDigits + kEnd.size();

std::string sha256_of_line(std::string_view line) {
  Sha256 sha;
  sha.add(line);
  return sha.hex();
}

// {"kind":"END",..} -> {"kind":"END",..,"sum":"0f.."}
std::string line_of(const nlohmann::json& record) {
  std::string line = record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  line.pop_back();
  const std::string sum = xxh3_128_of(line.data(), line.size());
  return line.append(kSum).append(sum).append(kEnd);
}

bool sum_holds(std::string_view line) {
  if (line.size() <= kTail || line.substr(line.size() - kTail, kSum.size()) != kSum ||
      line.substr(line.size() - kEnd.size()) != kEnd)
    return false;
  const std::size_t covered = line.size() - kTail;
  return line.substr(covered + kSum.size(), kSumDigits) == xxh3_128_of(line.data(), covered);
}

std::string text_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory) return "";
  std::ifstream in(path, std::ios::binary);
  std::string text(error ? 0 : size, '\0');
  if (error || !in || !in.read(text.data(), static_cast<std::streamsize>(size)))
    throw CheckpointError(cat(path, ": cannot be read", error ? cat(": ", error.message()) : ""));
  return text;
}

[[noreturn]] void broken(const std::string& path, std::size_t line, const std::string& why) {
  throw CheckpointError(cat(path, ":", line, ": ", why));
}

std::string start_of(const std::string& digest) { return digest.substr(0, 8) + ".."; }

// Throws unless `line` is whole and follows `head`.
nlohmann::json record_of(const std::string& path, std::size_t number, std::string_view line,
                         const std::string& head) {
  if (!sum_holds(line))
    broken(path, number, "this line is not what was written (its own sum differs); its bytes were changed");
  auto record = nlohmann::json::parse(line, nullptr, false);
  if (!record.is_object() || !record.contains("kind") || !record["kind"].is_string() ||
      !record.contains("prev"))
    broken(path, number, "is not a record of a ledger");
  if (record["prev"] != head) {
    const std::string says = record["prev"].is_string() ? record["prev"].get<std::string>() : "nothing";
    broken(path, number,
           cat("does not follow ", number == 1 ? "the beginning" : cat("line ", number - 1),
               ", whose SHA-256 is ", start_of(head), ": it was written behind ", start_of(says),
               ". A line was taken out, put in, repeated or moved here"));
  }
  record.erase("sum");
  return record;
}

LedgerText read_lines(const std::string& run_dir, bool with_spans) {
  const std::string path = ledger_path(run_dir), text = text_of(path);
  LedgerText ledger;
  std::string head(64, '0');
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t number = ledger.records.size() + 1, end = text.find('\n', at);
    const auto line = std::string_view(text).substr(at, end - at);
    if (end == std::string::npos) {
      ledger.torn = cat("line ", number, " has no end (", line.size(), " bytes)");
      ledger.cut_short = true;
      break;
    }
    if (end + 1 == text.size() && !nlohmann::json::accept(line)) {
      ledger.torn = cat("line ", number, " is not JSON (", line.size(), " bytes)");
      break;
    }
    ledger.records.push_back(record_of(path, number, line, head));
    if (!with_spans) ledger.records.back().erase("span");
    ledger.digests.push_back(head = sha256_of_line(line));
    at = end + 1;
    ledger.bytes = at;
  }
  return ledger;
}

}  // namespace

std::string ledger_path(const std::string& run_dir) { return run_dir + "/ledger.jsonl"; }

LedgerText read_ledger(const std::string& run_dir) { return read_lines(run_dir, true); }

std::string ledger_advice(const std::string& run_dir) {
  return cat("Restore it from a copy; or set it aside (mv ledger.jsonl ledger.broken, in ", run_dir,
             "): then the run goes on from the newest whole checkpoint with a new ledger, which proves "
             "nothing of the steps before");
}

void refuse_ledger(const std::string& run_dir, const std::string& why) {
  throw CheckpointError(cat(why, ". ", ledger_advice(run_dir)));
}

Ledger::Ledger(const std::string& run_dir, FileSystem& files) : run_dir_(run_dir), files_(files) {
  LedgerText text;
  try {
    text = read_lines(run_dir, false);
  } catch (const CheckpointError& error) {
    refuse_ledger(run_dir, error.what());
  }
  records_ = std::move(text.records);
  head_ = text.digests.empty() ? std::string(64, '0') : text.digests.back();
  bytes_ = text.bytes;
  for (const auto& record : records_)
    if (record["kind"] == "START") generation_ = integer_of(record, "generation", generation_);
  if (text.torn.empty()) return;
  log(Level::kWarning, cat(ledger_path(run_dir), ": ", text.torn, ", half an append: cut off"));
  file_ = files_.append(ledger_path(run_dir), bytes_);
  file_->sync();
}

void Ledger::append(nlohmann::json record) {
  if (!record.is_object() || !record.contains("kind"))
    throw std::logic_error(cat("not a record of a ledger: ", record.dump()));
  const bool start = record["kind"] == "START";
  record["prev"] = head_;
  record.emplace("time", utc_now());
  record.emplace("generation", start ? generation_ + 1 : generation_);
  const std::string line = line_of(record);
  try {
    write(line + '\n');
  } catch (...) {
    file_.reset();
    throw;
  }
  bytes_ += line.size() + 1;
  head_ = sha256_of_line(line);
  if (start) generation_ = integer_of(record, "generation", generation_);
  record.erase("span");
  records_.push_back(std::move(record));
}

void Ledger::write(std::string_view line) {
  const bool reopen = file_ == nullptr;
  if (reopen) file_ = files_.append(ledger_path(run_dir_), bytes_);
  file_->write(line.data(), line.size());
  file_->sync();
  if (reopen) files_.sync_folder(run_dir_);
}

}  // namespace entrain::checkpoint
