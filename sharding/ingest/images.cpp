#include "sharding/ingest/images.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <set>
#include <span>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/sha256.hpp"
#include "sharding/hdf5_writer.hpp"
#include "sharding/ingest/duplicates.hpp"
#include "sharding/ingest/image_rows.hpp"
#include "sharding/ingest/parallel.hpp"
#include "sharding/ingest/picture.hpp"
#include "sharding/ingest/verdicts.hpp"

namespace entrain::sharding {
namespace {
using Verdict = ImageRow::Verdict;
constexpr std::int64_t kBlock = 256;  // images decoded at a time

void check(const IngestImagesOptions& o) {
  if (o.tar.empty() == o.folder.empty())
    throw ConfigError("ingest images: want one of --tar FILE and --folder DIR");
  if (o.out.empty()) throw ConfigError("ingest images: --out is missing: the HDF5 file to write");
  if (o.px < 8 || o.px > 4096) throw ConfigError(cat("ingest images: --px: want 8 to 4096, got ", o.px));
  if (o.csv.empty() && !(o.group_column + o.label_column + o.site_column + o.split_column).empty())
    throw ConfigError("ingest images: columns are named but there is no --csv");
  if (o.make_split && (!o.split_column.empty() || o.split_from_folder))
    throw ConfigError("ingest images: --make-split and a given split exclude each other");
  if (o.label_from_folder && !o.label_column.empty())
    throw ConfigError("ingest images: --label-from-folder and --label-column exclude each other");
  const bool whole = o.window.low == 0 && o.window.high == 0;
  if (!whole &&
      !(std::isfinite(o.window.low) && std::isfinite(o.window.high) && o.window.low < o.window.high))
    throw ConfigError(
        cat("ingest images: --window: want LOW below HIGH, got ", o.window.low, " and ", o.window.high));
}

template <typename T>
bool read_whole(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

std::int64_t error_budget(const std::optional<std::string>& text, std::int64_t rows) {
  if (!text) return std::max<std::int64_t>(10, rows / 1000);
  double percent = -1;
  std::int64_t files = -1;
  if (text->ends_with('%')) {
    if (read_whole(std::string_view(*text).substr(0, text->size() - 1), percent) && percent >= 0 &&
        percent <= 100)
      return static_cast<std::int64_t>(percent * static_cast<double>(rows) / 100);
  } else if (read_whole(*text, files) && files >= 0) {
    return files;
  }
  throw ConfigError(
      cat("ingest images: --limit-errors: want a whole number of files, or a percentage from 0% to 100%, "
          "got \"",
          *text, "\""));
}

// Whether two names lead to one file that is there.
bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error) && !error;
}

// Sources are never changed, whatever --overwrite says.
void require_no_source(const std::string& out, const IngestImagesOptions& o,
                       const std::vector<ImageRow>& rows) {
  std::error_code none;
  if (!std::filesystem::exists(out, none)) return;
  bool is_source = same_file(out, o.csv) || same_file(out, o.tar);
  if (!o.folder.empty())
    for (const auto& row : rows)
      is_source = is_source || same_file(out, (std::filesystem::path(o.folder) / row.file));
  if (is_source)
    throw ConfigError(cat("ingest images: --out: ", out, " is what the command reads; name another file"));
}

/// One file, decoded and resized, or why not.
struct Decoded {
  std::string error;
  PixelDigest digest;
  bool is_grey = true, is_dim = false;
  std::vector<std::uint8_t> pixels;
};

bool is_dim(const Picture& p) {
  return p.white == 65535 && *std::max_element(p.values.begin(), p.values.end()) < 8192;
}

Decoded decode(const IngestImagesOptions& o, const FileSource& source, const std::string& name, bool grey) {
  Decoded out;
  try {
    const Picture picture = decode_picture(source.read(name));
    out.digest = digest_of(picture);
    out.is_grey = picture.is_grey();
    out.is_dim = o.window.high == 0 && is_dim(picture);
    out.pixels = resize(grey ? picture.to_grey() : picture.to_rgb(), o.px, o.fit, o.window);
  } catch (const DataError& error) {
    out.error = error.what();
  }
  return out;
}

bool choose_grey(const IngestImagesOptions& o, const FileSource& source, const std::vector<ImageRow>& rows) {
  if (o.colour != IngestImagesOptions::Colour::kAuto) return o.colour == IngestImagesOptions::Colour::kGrey;
  std::size_t looked = 0;
  for (const auto& row : rows) {
    if (row.verdict != Verdict::kKept) continue;
    const Decoded image = decode(o, source, row.file, true);
    if (!image.error.empty()) continue;
    if (!image.is_grey) return false;
    if (++looked == 32) break;
  }
  return true;
}

/// Decodes row after row, block by block, and appends what is good and new.
class Pipeline {
 public:
  Pipeline(const IngestImagesOptions& o, const FileSource& source, std::vector<ImageRow>& rows,
           IngestReport& report)
      : options_(o), source_(source), rows_(rows), report_(report), grey_(choose_grey(o, source, rows)) {
    report_.colour = grey_ ? "grey" : "rgb";
  }

  void run(Hdf5Writer* file) {
    if (file)
      file->create_images("/images", {options_.px, options_.px, grey_ ? 1 : 3, ElementType::kU8},
                          static_cast<std::int64_t>(rows_.size()), Hdf5Writer::Storage::kRowChunks);
    for (std::size_t first = 0; first < rows_.size(); first += kBlock) {
      const std::size_t count = std::min<std::size_t>(kBlock, rows_.size() - first);
      std::vector<Decoded> block(count);
      parallel_for(static_cast<std::int64_t>(count), [&](std::int64_t i) {
        const ImageRow& row = rows_[first + static_cast<std::size_t>(i)];
        if (row.verdict == Verdict::kKept)
          block[static_cast<std::size_t>(i)] = decode(options_, source_, row.file, grey_);
      });
      std::vector<std::uint8_t> pixels;
      for (std::size_t i = 0; i < count; ++i)
        if (rows_[first + i].verdict == Verdict::kKept && judge(first + i, block[i]))
          pixels.insert(pixels.end(), block[i].pixels.begin(), block[i].pixels.end());
      const auto bytes = std::as_bytes(std::span(pixels));
      if (file && !pixels.empty())
        file->append_images(bytes.data(), static_cast<std::int64_t>(bytes.size() / block_bytes()));
    }
  }
  const GroupUnions& unions() const { return unions_; }
  std::string digest() { return sha_.hex(); }

 private:
  std::size_t block_bytes() const {
    return static_cast<std::size_t>(options_.px * options_.px * (grey_ ? 1 : 3));
  }

  // Whether the row is written.
  bool judge(std::size_t index, const Decoded& image) {
    ImageRow& row = rows_[index];
    if (!image.error.empty()) {
      row.verdict = Verdict::kBad;
      row.why = image.error;
      return false;
    }
    if (!options_.keep_duplicates)
      if (const auto first = duplicates_.seen_before(image.digest, index))
        return drop_duplicate(row, rows_[*first]);
    report_.coloured += grey_ && !image.is_grey ? 1 : 0;
    report_.dim_16_bit += image.is_dim ? 1 : 0;
    sha_.add(std::as_bytes(std::span(&image.digest, 1)));
    return true;
  }

  bool drop_duplicate(ImageRow& row, const ImageRow& first) {
    row.verdict = Verdict::kDuplicate;
    row.why = cat("same pixels as ", first.file);
    if (row.label != first.label) {
      row.why += cat(", but labelled ", row.label, " there ", first.label);
      ++report_.duplicates_of_other_label;
    }
    if (row.group != first.group) {
      row.why += cat(", of group ", first.group, " instead of ", row.group);
      unions_.join(row.group, first.group);
      report_.group_aliases.emplace(row.group, first.group);
      if (report_.joined_groups.size() < 10)
        report_.joined_groups.push_back(cat(first.group, " + ", row.group));
    }
    return false;
  }

  const IngestImagesOptions& options_;
  const FileSource& source_;
  std::vector<ImageRow>& rows_;
  IngestReport& report_;
  const bool grey_;
  DuplicateFinder duplicates_;
  GroupUnions unions_;
  Sha256 sha_;
};

void make_split(std::vector<ImageRow>& rows, const IngestImagesOptions& o, const GroupUnions& unions) {
  for (auto& row : rows)
    row.split = split_of(unions.of(row.group.empty() ? row.file : row.group), *o.make_split, o.split_seed);
}

void count(const std::vector<ImageRow>& rows, IngestReport& report) {
  std::map<std::pair<std::string, std::string>, std::set<std::string>> groups;
  std::set<std::string> all_groups, classes, splits;
  for (const auto& row : rows) {
    report.bad += row.verdict == Verdict::kBad;
    report.duplicates += row.verdict == Verdict::kDuplicate;
    if (row.verdict == Verdict::kBad && report.first_bad.size() < 10)
      report.first_bad.push_back(cat(row.file, ": ", row.why));
    if (row.verdict != Verdict::kKept) continue;
    ++report.kept;
    ++report.table[{row.split, row.label}].first;
    groups[{row.split, row.label}].insert(row.group);
    if (!row.group.empty()) all_groups.insert(row.group);
    if (!row.label.empty()) classes.insert(row.label);
    if (!row.split.empty()) splits.insert(row.split);
  }
  for (auto& [key, counts] : report.table) counts.second = static_cast<std::int64_t>(groups[key].size());
  report.groups = static_cast<std::int64_t>(all_groups.size());
  report.class_names.assign(classes.begin(), classes.end());
  report.split_names.assign(splits.begin(), splits.end());
}

void write_tables(Hdf5Writer& file, const std::vector<ImageRow>& rows, const IngestReport& report,
                  const std::string& digest) {
  std::vector<std::string> groups, splits, sites;
  std::vector<std::int64_t> labels;
  for (const auto& row : rows) {
    if (row.verdict != Verdict::kKept) continue;
    groups.push_back(row.group);
    splits.push_back(row.split);
    sites.push_back(row.site);
    const auto at = std::lower_bound(report.class_names.begin(), report.class_names.end(), row.label);
    labels.push_back(at - report.class_names.begin());
  }
  if (report.groups > 0) file.texts("/group", groups);
  if (!report.group_aliases.empty()) {
    std::vector<std::string> aliases;
    for (const auto& [alias, kept] : report.group_aliases) aliases.push_back(cat(alias, '\t', kept));
    file.texts("/group_alias", aliases);
  }
  if (!report.split_names.empty()) file.texts("/split", splits);
  if (std::any_of(sites.begin(), sites.end(), [](const auto& s) { return !s.empty(); }))
    file.texts("/site", sites);
  if (!report.class_names.empty()) {
    file.integers("/label", labels);
    file.attribute("/label", "class_names", report.class_names);
  }
  file.attribute("/", "schema_version", 1);
  file.attribute("/", "creator", std::string("entrain ingest images"));
  file.attribute("/", "source_digest", digest);
}

std::int64_t count_unnamed(const FileSource& source, const std::vector<ImageRow>& rows) {
  std::set<std::string> named;
  for (const auto& row : rows) named.insert(row.file);
  return std::count_if(source.names().begin(), source.names().end(),
                       [&](const auto& name) { return !named.contains(name); });
}
}  // namespace

IngestReport ingest_images(const IngestImagesOptions& o) {
  check(o);
  const auto begin = std::chrono::steady_clock::now();
  IngestReport report;
  const auto source = o.tar.empty() ? open_folder(o.folder) : open_tar(o.tar);
  auto rows = collect_rows(o, *source);
  const std::string verdicts = o.out + ".verdicts.jsonl";
  require_no_source(o.out, o, rows);
  require_no_source(verdicts, o, rows);
  std::unique_ptr<Hdf5Writer> file;
  if (!o.dry_run) file = std::make_unique<Hdf5Writer>(o.out, o.overwrite);
  report.rows = static_cast<std::int64_t>(rows.size());
  report.not_in_csv = count_unnamed(*source, rows);
  const std::int64_t budget = error_budget(o.limit_errors, report.rows);
  Pipeline pipeline(o, *source, rows, report);
  pipeline.run(file.get());
  if (o.make_split) make_split(rows, o, pipeline.unions());
  count(rows, report);
  report.out = o.out;
  std::optional<VerdictsFile> judged;
  if (!o.dry_run) {
    report.verdicts = verdicts;
    judged.emplace(verdicts, rows);
  }
  if (report.bad > budget || report.kept == 0) {
    if (judged) judged->commit();
    throw DataError(cat(report.bad, " of ", report.rows, " files are bad, the budget is ", budget,
                        " (--limit-errors): nothing was written. First: ", report.first_bad.front(),
                        report.verdicts.empty() ? "" : cat("; all: ", report.verdicts)));
  }
  if (file) {
    write_tables(*file, rows, report, pipeline.digest());
    file->commit();
    judged->commit();
    report.bytes = static_cast<std::int64_t>(std::filesystem::file_size(o.out));
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

}  // namespace entrain::sharding
