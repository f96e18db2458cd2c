#include "sharding/ingest/image_rows.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/ingest/csv.hpp"
#include "sharding/ingest/images.hpp"

namespace entrain::sharding {
namespace {

std::string clean_path(std::string path) {
  std::replace(path.begin(), path.end(), '\\', '/');
  return path.starts_with("./") ? path.substr(2) : path;
}

bool looks_like_image(const std::string& name) {
  std::string end = name.substr(std::min(name.size(), name.find_last_of('.')));
  std::transform(end.begin(), end.end(), end.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return end == ".jpg" || end == ".jpeg" || end == ".png" || end == ".bmp";
}

void mark_bad(ImageRow& row, const std::string& why) {
  row.verdict = ImageRow::Verdict::kBad;
  row.why = why;
}

std::vector<ImageRow> rows_of_csv(const IngestImagesOptions& o) {
  const CsvTable table = read_csv(o.csv);
  const auto column = [&](const std::string& name, const char* option) {
    return name.empty() ? std::nullopt : std::optional(table.column(name, option));
  };
  const std::size_t path = table.column(o.path_column, "--path-column");
  const auto group = column(o.group_column, "--group-column"),
             label = column(o.label_column, "--label-column"),
             split = column(o.split_column, "--split-column"), site = column(o.site_column, "--site-column");
  std::vector<ImageRow> rows;
  for (const auto& fields : table.rows) {
    ImageRow& row = rows.emplace_back();
    const auto take = [&](const std::optional<std::size_t>& at, std::string& field, const std::string& name) {
      if (!at) return;
      field = fields[*at];
      if (field.empty()) mark_bad(row, cat("column \"", name, "\" is empty"));
    };
    row.file = clean_path(fields[path]);
    take(group, row.group, o.group_column);
    take(label, row.label, o.label_column);
    take(split, row.split, o.split_column);
    take(site, row.site, o.site_column);
  }
  return rows;
}

std::vector<ImageRow> rows_of_source(const FileSource& source) {
  std::vector<ImageRow> rows;
  for (const auto& name : source.names())
    if (looks_like_image(name)) rows.emplace_back().file = name;
  if (rows.empty()) throw DataError("no file of the source ends in .jpg, .jpeg, .png or .bmp");
  return rows;
}

void name_by_folder(const IngestImagesOptions& o, ImageRow& row) {
  const std::size_t last = row.file.rfind('/'), first = row.file.find('/');
  if (last == std::string::npos) return mark_bad(row, "lies in no folder");
  const std::size_t before = row.file.rfind('/', last - 1);
  if (o.label_from_folder)
    row.label = row.file.substr(before == std::string::npos ? 0 : before + 1,
                                last - (before == std::string::npos ? 0 : before + 1));
  if (o.split_from_folder) row.split = row.file.substr(0, first);
}

void mark_missing_and_repeated(std::vector<ImageRow>& rows, const FileSource& source) {
  std::set<std::string> seen;
  for (auto& row : rows) {
    if (row.verdict == ImageRow::Verdict::kBad) continue;
    if (!seen.insert(row.file).second)
      mark_bad(row, "a second row for the same file");
    else if (!source.has(row.file))
      mark_bad(row, "no such file in the source");
  }
}

// A published split is often by image. Named: how many groups, and the first few.
void refuse_straddling(const std::vector<ImageRow>& rows, const std::string& advice) {
  std::map<std::string, std::set<std::string>> splits;
  for (const auto& row : rows)
    if (row.verdict != ImageRow::Verdict::kBad && !row.group.empty()) splits[row.group].insert(row.split);
  std::int64_t straddling = 0;
  std::string first;
  for (const auto& [group, names] : splits) {
    if (names.size() < 2) continue;
    if (straddling++ >= 3) continue;
    first += cat(first.empty() ? "" : "; ", group, " in");
    for (const auto& name : names) first += " " + name;
  }
  if (straddling > 0)
    throw DataError(cat(straddling, " of ", splits.size(), " groups stand in more than one split (", first,
                        straddling > 3 ? "; ..." : "",
                        "): a model would be tested on patients it was trained on. ", advice));
}
}  // namespace

std::vector<ImageRow> collect_rows(const IngestImagesOptions& o, const FileSource& source) {
  auto rows = o.csv.empty() ? rows_of_source(source) : rows_of_csv(o);
  if (o.label_from_folder || o.split_from_folder)
    for (auto& row : rows) name_by_folder(o, row);
  mark_missing_and_repeated(rows, source);
  if (!o.split_column.empty() || o.split_from_folder)
    refuse_straddling(rows, "Drop --split-column and use --make-split 70/10/20, which splits by group");
  return rows;
}

}  // namespace entrain::sharding
