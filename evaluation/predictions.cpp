#include "evaluation/predictions.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::evaluation {
namespace {

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == text.npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

// Splits RFC 4180 records; quoted fields may hold line ends.
class CsvReader {
 public:
  CsvReader(const std::string& text, std::string name) : text_(text), name_(std::move(name)) {}
  int line() const { return line_; }

  bool next(std::vector<std::string>& fields) {
    if (at_ >= text_.size()) return false;
    fields.assign(1, "");
    ++line_;
    for (bool in_quotes = false; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (in_quotes && c == '"' && at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        fields.back() += text_[++at_];
      } else if (c == '"') {
        in_quotes = !in_quotes;
      } else if (c == ',' && !in_quotes) {
        fields.emplace_back();
      } else if (c == '\n' && !in_quotes) {
        ++at_;
        break;
      } else if (c != '\r' || in_quotes) {
        fields.back() += c;
      }
    }
    return true;
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(cat(name_, ':', line_, ": ", what));
  }

  template <typename Number>
  Number number(const std::string& field) const {
    Number value{};
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (error != std::errc() || end != field.data() + field.size())
      fail(cat("want a number, got \"", field, '"'));
    return value;
  }

 private:
  const std::string& text_;
  std::string name_;
  std::size_t at_ = 0;
  int line_ = 0;
};

}  // namespace

std::vector<std::int64_t> Predictions::group_ids() const {
  std::vector<std::int64_t> ids(size());
  const bool known = std::any_of(group.begin(), group.end(), [](const std::string& g) { return !g.empty(); });
  std::map<std::string, std::int64_t> seen;
  for (std::size_t i = 0; i < size(); ++i) {
    const auto next = static_cast<std::int64_t>(seen.size());
    ids[i] = known ? seen.emplace(group[i], next).first->second : static_cast<std::int64_t>(i);
  }
  return ids;
}

std::string to_csv(const Predictions& p) {
  std::string out = "file,row,group,label";
  for (int c = 0; c < p.classes; ++c) out += cat(",score_", c);
  out += '\n';
  char number[32];
  for (std::size_t i = 0; i < p.size(); ++i) {
    out += cat(quoted(p.file[i]), ',', p.row[i], ',', quoted(p.group[i]), ',', p.label[i]);
    for (int c = 0; c < p.classes; ++c) {
      std::snprintf(number, sizeof number, ",%.9g", static_cast<double>(p.logits[i * p.classes + c]));
      out += number;
    }
    out += '\n';
  }
  return out;
}

Predictions from_csv(const std::string& text, const std::string& name) {
  CsvReader csv(text, name);
  std::vector<std::string> fields;
  if (!csv.next(fields) || fields.size() < 6 || fields[0] != "file" || fields[1] != "row" ||
      fields[2] != "group" || fields[3] != "label")
    csv.fail("want the columns file,row,group,label,score_0,score_1,...");
  Predictions p;
  p.classes = static_cast<int>(fields.size()) - 4;
  for (std::size_t columns = fields.size(); csv.next(fields);) {
    if (fields.size() != columns) csv.fail(cat("want ", columns, " fields, got ", fields.size()));
    p.file.push_back(fields[0]);
    p.row.push_back(csv.number<std::int64_t>(fields[1]));
    p.group.push_back(fields[2]);
    p.label.push_back(csv.number<std::int64_t>(fields[3]));
    for (std::size_t c = 4; c < columns; ++c) p.logits.push_back(csv.number<float>(fields[c]));
  }
  return p;
}

}  // namespace entrain::evaluation
