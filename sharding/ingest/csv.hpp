#pragma once
#include <string>
#include <vector>

namespace entrain::sharding {

/// A CSV file with a header line: RFC 4180 quoting, CRLF or LF, an optional byte order mark.
struct CsvTable {
  std::string path;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  ///< each as long as the header

  /// Index of a named column; DataError that lists the columns and the nearest name, and for a name that two columns
  /// have. `option` asked for it.
  std::size_t column(const std::string& name, const std::string& option) const;
};

/// DataError for a missing file, what is no UTF-8 text, an unclosed quote, or a row whose number of fields is not the header's.
CsvTable read_csv(const std::string& path);

}  // namespace entrain::sharding
