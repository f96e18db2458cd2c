#include "sharding/corpus_tables.hpp"

#include <xxhash.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/file_list.hpp"

namespace entrain::sharding {
namespace {

// Which dataset holds a column in this file; none where it has none and was not asked for by name.
std::optional<std::string> find_column(const Hdf5File& file, const std::string& wanted,
                                       const std::string& usual) {
  if (wanted.empty()) return std::nullopt;
  if (wanted != "auto") return wanted;  // a missing one fails when it is read, with what the file has
  return file.has(usual) ? std::optional(usual) : std::nullopt;
}

// Before it is read: a few bytes can declare more rows than fit into memory.
void require_rows(const Hdf5File& file, const DatasetInfo& column, std::int64_t images) {
  if (!column.dims.empty() && column.dims[0] != images)
    throw DataError(cat(file.path(), ":", column.path, ": has ", column.dims[0], " rows but there are ",
                        images, " images"));
}

// A column must be in all files or in none: half a column would silently be a smaller corpus.
void require_same(bool has, bool first_has, const Hdf5File& file, const std::string& name,
                  const ImageReader& images) {
  if (images.num_files() > 1 && has != first_has)
    throw DataError(cat(file.path(), ": has ", has ? "a " : "no ", name, " but ", images.path(0), " has ",
                        has ? "none" : "one", "; name datasets that all files have, or set data.", name,
                        " to \"\""));
}

void read_text_column(const Hdf5File& file, const std::string& wanted, const std::string& name,
                      const ImageReader& images, std::int64_t num_rows, TextColumn& column) {
  const auto dataset = find_column(file, wanted, "/" + name);
  require_same(dataset.has_value(), column.present(), file, name, images);
  if (!dataset) return;
  require_rows(file, file.info(*dataset), num_rows);
  file.each_text(*dataset, [&](std::int64_t, std::string_view text) { column.append(text); });
}

void read_aliases(const Hdf5File& file, CorpusTables& tables) {
  if (!tables.groups.present() || !file.has("/group_alias")) return;
  file.each_text("/group_alias", [&](std::int64_t, std::string_view text) {
    const std::size_t tab = text.find('\t');
    if (tab == text.npos)
      throw DataError(cat(file.path(), ":/group_alias: want texts \"group<tab>group\", got \"", text, '"'));
    tables.group_aliases.emplace(text.substr(0, tab), text.substr(tab + 1));
  });
}

/// Labels of all files, before they become indices: texts, or the numbers of an integer dataset.
struct RawLabels {
  TextColumn texts;
  std::vector<std::int64_t> numbers;
  std::vector<std::string> class_names;
  std::string names_from;
  bool present() const { return texts.present() || !numbers.empty(); }
};

void read_labels(const Hdf5File& file, const std::string& wanted, const ImageReader& images,
                 std::int64_t num_rows, RawLabels& labels) {
  const auto dataset = find_column(file, wanted, "/label");
  require_same(dataset.has_value(), labels.present(), file, "label", images);
  if (!dataset) return;
  const auto info = file.info(*dataset);
  require_rows(file, info, num_rows);
  const bool is_text = info.kind == StoredKind::kText;
  const auto names = file.text_attribute(*dataset, "class_names");
  if (labels.present() && (is_text != labels.texts.present() || names != labels.class_names))
    throw DataError(cat(file.path(), ":", *dataset, ": type or class_names differ from those of ",
                        labels.names_from, "; all data.files must agree"));
  std::set<std::string> different;
  for (const auto& class_name : names)
    if (!different.insert(class_name).second)
      throw DataError(
          cat(file.path(), ":", *dataset, ": class_names has \"", class_name,
              "\" twice; two classes of one name would be one. Rename one, or give both one number"));
  labels.class_names = names;
  labels.names_from = cat(file.path(), ":", *dataset);
  if (is_text) {
    file.each_text(*dataset, [&](std::int64_t, std::string_view text) { labels.texts.append(text); });
  } else {
    const auto numbers = file.integers(*dataset);
    labels.numbers.insert(labels.numbers.end(), numbers.begin(), numbers.end());
  }
}

// Texts become classes in the order of the class_names attribute, else in sorted order; "" is no label.
void number_texts(RawLabels& raw, CorpusTables& tables) {
  if (tables.class_names.empty()) {
    const std::set<std::string> sorted(raw.texts.texts().begin(), raw.texts.texts().end());
    std::copy_if(sorted.begin(), sorted.end(), std::back_inserter(tables.class_names),
                 [](auto& t) { return !t.empty(); });
  }
  std::vector<std::int32_t> class_of;
  for (const auto& text : raw.texts.texts()) {
    const auto at = std::find(tables.class_names.begin(), tables.class_names.end(), text);
    if (at == tables.class_names.end() && !text.empty())
      throw DataError(cat(raw.names_from, ": label \"", text, "\" is not among its class_names"));
    class_of.push_back(text.empty() ? -1 : static_cast<std::int32_t>(at - tables.class_names.begin()));
  }
  tables.labels.reserve(static_cast<std::size_t>(raw.texts.size()));
  for (std::int64_t row = 0; row < raw.texts.size(); ++row)
    tables.labels.push_back(class_of[raw.texts.index(row)]);
}

// Numbers index class_names where there are some; else the different numbers, ascending, are the classes.
// Negative: no label.
void number_numbers(const RawLabels& raw, CorpusTables& tables) {
  std::map<std::int64_t, std::int32_t> class_of;
  for (const auto n : raw.numbers)
    if (n >= 0) class_of.emplace(n, 0);
  const bool named = !tables.class_names.empty();
  for (auto& [number, index] : class_of) {
    if (named && number >= static_cast<std::int64_t>(tables.class_names.size()))
      throw DataError(cat(raw.names_from, ": label ", number, " but class_names has ",
                          tables.class_names.size(), " names"));
    index = named ? static_cast<std::int32_t>(number) : static_cast<std::int32_t>(tables.class_names.size());
    if (!named) tables.class_names.push_back(std::to_string(number));
  }
  tables.labels.reserve(raw.numbers.size());
  for (const auto n : raw.numbers) tables.labels.push_back(n < 0 ? -1 : class_of.at(n));
}

std::string place(const ImageReader& images, std::int64_t row) {
  const std::size_t file = images.file_of(row);
  return cat(images.path(file), " row ", row - images.first_row(file));
}

void refuse_straddling_groups(const CorpusTables& t) {
  if (!t.groups.present() || !t.splits.present()) return;
  std::vector<std::int64_t> first_row(t.groups.texts().size(), -1);
  for (std::int64_t row = 0; row < t.groups.size(); ++row) {
    std::int64_t& first = first_row[t.groups.index(row)];
    if (first < 0) first = row;
    if (t.splits.index(first) == t.splits.index(row)) continue;
    throw DataError(cat(
        "group \"", t.groups.text(row), "\" stands in two splits: ", t.splits.text(first), " (",
        place(*t.images, first), ") and ", t.splits.text(row), " (", place(*t.images, row),
        "); a model tested on it would have seen it. Split by group (entrain ingest images --make-split)"));
  }
}
}  // namespace

void TextColumn::append(std::string_view text) {
  // Rows of one patient or split stand together in most files; no need to look those up again.
  if (!index_.empty() && texts_[index_.back()] == text) return index_.push_back(index_.back());
  auto at = number_.find(text);
  if (at == number_.end()) {
    at = number_.emplace(std::string(text), static_cast<std::uint32_t>(texts_.size())).first;
    texts_.emplace_back(text);
  }
  index_.push_back(at->second);
}

CorpusTables read_tables(const DataSection& data) {
  CorpusTables t;
  t.images = std::make_unique<ImageReader>(data.image, data.axes, kDecodedSlabs);
  RawLabels labels;
  for (const auto& path : expand_files(data.files)) {
    const Hdf5File file(path);
    const std::int64_t num_rows = t.images->add(file);
    read_text_column(file, data.group, "group", *t.images, num_rows, t.groups);
    if (data.group == "auto" || data.group == "/group") read_aliases(file, t);
    read_text_column(file, data.split, "split", *t.images, num_rows, t.splits);
    read_text_column(file, data.site, "site", *t.images, num_rows, t.sites);
    read_labels(file, data.label, *t.images, num_rows, labels);
  }
  t.class_names = labels.class_names;
  if (labels.texts.present()) number_texts(labels, t);
  if (!labels.numbers.empty()) number_numbers(labels, t);
  for (const auto& group : t.groups.texts())
    t.group_hashes.push_back(XXH3_64bits(group.data(), group.size()));
  refuse_straddling_groups(t);
  return t;
}

}  // namespace entrain::sharding
