#include "sharding/ingest/csv.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"

namespace entrain::sharding {
namespace {

/// Takes one record off a text; knows the line for errors.
class CsvReader {
 public:
  CsvReader(const std::string& path, const std::string& text) : path_(path), text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }
  bool done() const { return at_ >= text_.size(); }
  std::int64_t line() const { return line_; }

  std::vector<std::string> record() {
    std::vector<std::string> fields(1);
    while (!done()) {
      const char c = text_[at_++];
      if (c == '"' && fields.back().empty())
        quoted(fields.back());
      else if (c == ',')
        fields.emplace_back();
      else if (c == '\n')
        break;
      else if (c != '\r' || (at_ < text_.size() && text_[at_] != '\n'))
        fields.back() += c;
    }
    ++line_;
    return fields;
  }

 private:
  void quoted(std::string& field) {
    const std::int64_t opened = line_;
    while (!done()) {
      const char c = text_[at_++];
      if (c == '\n') ++line_;
      if (c != '"')
        field += c;
      else if (at_ < text_.size() && text_[at_] == '"')
        field += text_[at_++];
      else
        return;
    }
    throw DataError(cat(path_, ":", opened, ": a quote is never closed"));
  }

  const std::string& path_;
  const std::string& text_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

// A picture, an archive or a workbook under the wrong name, or text of another encoding: names would come out wrong.
void require_text(const std::string& path, const std::string& text) {
  if (const std::size_t at = text.find('\0'); at != std::string::npos)
    throw DataError(cat(path, ": no CSV text: a zero byte at byte ", at, "; save the table as CSV in UTF-8"));
  if (is_utf8(text)) return;
  std::int64_t line = 1;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (!is_utf8(std::string_view(text).substr(at, end - at))) break;
    at = end + 1;
  }
  throw DataError(
      cat(path, ":", line, ": no UTF-8 text; save the table as CSV in UTF-8 (iconv -f latin1 -t utf-8)"));
}
}  // namespace

std::size_t CsvTable::column(const std::string& name, const std::string& option) const {
  const auto at = std::find(header.begin(), header.end(), name);
  if (std::count(header.begin(), header.end(), name) > 1)
    throw DataError(cat(path, ": has two columns \"", name, "\" (", option, "); rename one of them"));
  if (at != header.end()) return static_cast<std::size_t>(at - header.begin());
  const std::string near = nearest(name, header);
  constexpr std::size_t kNamed = 20;
  std::vector<std::string> named(
      header.begin(), header.begin() + static_cast<std::ptrdiff_t>(std::min(kNamed, header.size())));
  if (named.size() < header.size()) named.push_back(cat("... ", header.size(), " columns"));
  throw DataError(cat(path, ": no column \"", name, "\" (", option, ")",
                      near.empty() ? "" : cat("; did you mean \"", near, "\"?"),
                      " It has: ", printable(join(named))));
}

CsvTable read_csv(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw DataError(cat("cannot read ", path, ": ", std::strerror(errno)));
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (std::error_code none; std::filesystem::is_directory(path, none))
    throw DataError(cat("cannot read ", path, ": it is a folder"));
  require_text(path, text);
  CsvReader reader(path, text);
  if (reader.done())
    throw DataError(cat(path, ": is empty; want a header line with the names of the columns"));
  CsvTable table{path, reader.record(), {}};
  while (!reader.done()) {
    const std::int64_t line = reader.line();
    auto fields = reader.record();
    if (fields.size() == 1 && fields[0].empty()) continue;  // an empty line
    if (fields.size() != table.header.size())
      throw DataError(
          cat(path, ":", line, ": has ", fields.size(), " fields, the header has ", table.header.size()));
    table.rows.push_back(std::move(fields));
  }
  if (table.rows.empty()) throw DataError(cat(path, ": has a header but no rows"));
  return table;
}

}  // namespace entrain::sharding
