#include "sharding/corpus.hpp"

#include <xxhash.h>

#include <algorithm>
#include <numeric>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "configs/section.hpp"
#include "configs/sha256.hpp"
#include "sharding/corpus_tables.hpp"
#include "sharding/exclusion.hpp"
#include "sharding/row_checks.hpp"
#include "sharding/slab_ends.hpp"

namespace entrain::sharding {
namespace {

// Which split texts are wanted, by index; all of them where nothing was asked for or the files have no
// splits.
std::vector<char> wanted_splits(const DataSection& data, const CorpusTables& t) {
  std::vector<char> wanted(t.splits.texts().size(), data.use_splits.empty() ? 1 : 0);
  if (data.use_splits.empty()) return wanted;
  if (!t.splits.present()) {
    log(Level::kWarning, cat("data.use_splits asks for ", join(data.use_splits), " but ", t.images->path(0),
                             " has no splits: all rows are used"));
    return wanted;
  }
  for (const auto& name : data.use_splits) {
    const auto at = std::find(t.splits.texts().begin(), t.splits.texts().end(), name);
    if (at == t.splits.texts().end())
      throw DataError(cat("data.use_splits: no row is in split \"", name, "\"; ", t.images->path(0),
                          " has: ", join(t.splits.texts())));
    wanted[static_cast<std::size_t>(at - t.splits.texts().begin())] = 1;
  }
  return wanted;
}

void add_texts(Sha256& sha, std::string_view name, const TextColumn& column) {
  if (!column.present()) return;
  std::string texts = cat("\n", name, " ");
  for (const auto& text : column.texts()) texts.append(text) += '\0';
  sha.add(texts);
  sha.add(std::as_bytes(std::span(column.indices())));
}

std::string digest_of(const CorpusTables& t, std::span<const std::int64_t> rows) {
  Sha256 sha;
  sha.add("entrain corpus 1\n");
  for (const auto& file : t.file_digests) sha.add(file);
  add_texts(sha, "group", t.groups);
  add_texts(sha, "split", t.splits);
  add_texts(sha, "site", t.sites);
  if (!t.labels.empty()) {
    sha.add(cat("\nlabel ", join(t.class_names), " "));
    sha.add(std::as_bytes(std::span(t.labels)));
  }
  sha.add("\nrows ");
  sha.add(std::as_bytes(rows));
  return sha.hex();
}
}  // namespace

Corpus Corpus::open(const DataSection& data) {
  if (data.on_corrupt != "fail" && data.on_corrupt != "skip")
    throw ConfigError(cat("data.on_corrupt: want fail or skip, got \"", data.on_corrupt, "\""));
  const bool skip = data.on_corrupt == "skip";
  auto tables = std::make_shared<CorpusTables>(read_tables(data));
  for (std::size_t file = 0; file < tables->images->num_files(); ++file)
    tables->file_digests.push_back(digest_of_file(*tables->images, file, skip));
  std::vector<std::int64_t> rows;
  if (skip) {
    rows = good_rows(*tables);
  } else {
    rows.resize(static_cast<std::size_t>(tables->images->num_rows()));
    std::iota(rows.begin(), rows.end(), std::int64_t{0});
  }
  const auto wanted = wanted_splits(data, *tables);
  if (tables->splits.present())
    std::erase_if(rows, [&](std::int64_t row) { return !wanted[tables->splits.index(row)]; });
  if (rows.empty())
    throw DataError(cat("no image is left of ", tables->images->num_rows(), " after data.use_splits"));
  std::string digest = digest_of(*tables, rows);
  Corpus corpus(std::move(tables), std::move(rows), std::move(digest));
  if (data.exclude_groups.empty()) return corpus;
  return without_groups(corpus, read_exclusion(data.exclude_groups, corpus));
}

Corpus without_groups(const Corpus& corpus, Exclusion exclusion) {
  Corpus rest = corpus;
  if (exclusion.groups.empty()) {  // of a list of unknown ids the caller must still hear
    rest.excluded_.unknown = std::move(exclusion.unknown);
    return rest;
  }
  rest.samples_.clear();
  for (std::int64_t sample = 0; sample < corpus.size(); ++sample)
    if (!std::binary_search(exclusion.groups.begin(), exclusion.groups.end(), corpus.group_hash(sample)))
      rest.samples_.push_back(corpus.samples_[static_cast<std::size_t>(sample)]);
  if (rest.samples_.empty()) throw DataError(cat("data.exclude_groups leaves no image of ", corpus.size()));
  exclusion.images = corpus.size() - rest.size();
  Sha256 sha;
  sha.add(std::as_bytes(std::span(exclusion.groups)));
  exclusion.sha256 = sha.hex();
  rest.excluded_ = std::move(exclusion);
  return rest;
}

Corpus::Corpus(std::shared_ptr<const CorpusTables> tables, std::vector<std::int64_t> samples,
               std::string digest)
    : tables_(std::move(tables)), samples_(std::move(samples)), digest_(std::move(digest)) {}

std::int64_t Corpus::at(std::int64_t sample) const {
  if (sample < 0 || sample >= size())
    throw std::out_of_range(cat("sample ", sample, " of a corpus of ", size()));
  return samples_[static_cast<std::size_t>(sample)];
}

std::int64_t Corpus::size() const { return static_cast<std::int64_t>(samples_.size()); }
const ImageShape& Corpus::shape() const { return tables_->images->shape(); }
const std::string& Corpus::digest() const { return digest_; }
const Exclusion& Corpus::excluded() const { return excluded_; }
void Corpus::read(std::int64_t sample, std::byte* out) const { tables_->images->read(at(sample), out); }
std::vector<std::string> Corpus::kept_under(std::string_view group) const {
  std::vector<std::string> kept;
  const auto [first, last] = tables_->group_aliases.equal_range(group);
  for (auto at = first; at != last; ++at) kept.push_back(at->second);
  return kept;
}

bool Corpus::has_groups() const { return tables_->groups.present(); }
bool Corpus::has_labels() const { return !tables_->labels.empty(); }
bool Corpus::has_splits() const { return tables_->splits.present(); }
bool Corpus::has_sites() const { return tables_->sites.present(); }
const std::vector<std::string>& Corpus::class_names() const { return tables_->class_names; }
std::int64_t Corpus::num_skipped() const { return tables_->num_skipped; }

std::string_view Corpus::group(std::int64_t sample) const {
  return has_groups() ? std::string_view(tables_->groups.text(at(sample))) : std::string_view();
}
std::string_view Corpus::split(std::int64_t sample) const {
  return has_splits() ? std::string_view(tables_->splits.text(at(sample))) : std::string_view();
}
std::string_view Corpus::site(std::int64_t sample) const {
  return has_sites() ? std::string_view(tables_->sites.text(at(sample))) : std::string_view();
}
std::int64_t Corpus::label(std::int64_t sample) const {
  return has_labels() ? tables_->labels[static_cast<std::size_t>(at(sample))] : -1;
}

std::uint64_t Corpus::group_hash(std::int64_t sample) const {
  const std::int64_t row = at(sample);
  if (has_groups()) return tables_->group_hashes[tables_->groups.index(row)];
  const std::size_t file = tables_->images->file_of(row);
  const std::string key = cat(tables_->file_digests[file], ":", row - tables_->images->first_row(file));
  return XXH3_64bits(key.data(), key.size());
}

Place Corpus::place(std::int64_t sample) const {
  const std::int64_t row = at(sample);
  const std::size_t file = tables_->images->file_of(row);
  return {tables_->images->path(file), tables_->images->dataset(), row - tables_->images->first_row(file)};
}

Corpus Corpus::subset(std::span<const std::int64_t> samples) const {
  if (samples.empty()) throw DataError("a subset of the corpus has no image");
  std::vector<std::int64_t> rows;
  rows.reserve(samples.size());
  for (const auto sample : samples) rows.push_back(at(sample));
  Sha256 sha;
  sha.add(digest_);
  sha.add(std::as_bytes(samples));
  return {tables_, std::move(rows), sha.hex()};
}

std::string Corpus::how_read() const {
  const ImageReader& images = *tables_->images;
  std::size_t others = 0;
  for (std::size_t file = 1; file < images.num_files(); ++file)
    others += images.how(file) != images.how(0) ? 1 : 0;
  return others == 0 ? images.how(0)
                     : cat(images.how(0), " (", others, " of the other files in another way)");
}

std::vector<std::int64_t> Corpus::rows_per_slab() const {
  std::vector<std::int64_t> rows;
  for (std::size_t file = 0; file < tables_->images->num_files(); ++file)
    rows.push_back(tables_->images->rows_per_slab(file));
  return rows;
}

std::int64_t Corpus::slab_bytes() const {
  std::size_t most = 0;
  for (std::size_t file = 0; file < tables_->images->num_files(); ++file)
    most = std::max(most, tables_->images->slab_bytes(file));
  return static_cast<std::int64_t>(most);
}

std::vector<std::int64_t> Corpus::slab_ends(std::span<const std::int64_t> rows_per_slab) const {
  std::vector<std::int64_t> first_rows;
  for (std::size_t file = 0; file <= tables_->images->num_files(); ++file)
    first_rows.push_back(tables_->images->first_row(file));
  return sharding::slab_ends(samples_, first_rows, rows_per_slab);
}

std::vector<std::int64_t> Corpus::samples_of_split(std::string_view name) const {
  std::vector<std::int64_t> samples;
  for (std::int64_t sample = 0; sample < size(); ++sample)
    if (split(sample) == name) samples.push_back(sample);
  return samples;
}

}  // namespace entrain::sharding
