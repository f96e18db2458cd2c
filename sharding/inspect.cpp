#include "sharding/inspect.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"
#include "sharding/corpus.hpp"
#include "sharding/corpus_tables.hpp"
#include "sharding/file_list.hpp"
#include "sharding/row_checks.hpp"
#include "sharding/value_window.hpp"

namespace entrain::sharding {
namespace {
constexpr std::int64_t kSample = 256;

// Names under which public corpora keep a column, the usual one first.
const std::map<std::string, std::vector<std::string>> kColumnNames = {
    {"group",
     {"/group", "/groups", "/patient", "/patient_id", "/patients", "/subject", "/subject_id", "/lesion_id",
      "/slide", "/slide_id", "/case"}},
    {"label", {"/label", "/labels", "/y", "/target", "/targets", "/class", "/classes", "/diagnosis"}},
    {"split", {"/split", "/splits", "/fold", "/partition", "/subset"}},
    {"site", {"/site", "/sites", "/hospital", "/scanner", "/source", "/centre", "/center", "/lab"}},
};

bool can_be_images(const DatasetInfo& d) {
  try {
    as_images(d, "auto", d.path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// /images where there is one, else the largest dataset that can be read as images.
const DatasetInfo* find_images(const std::vector<DatasetInfo>& datasets) {
  const DatasetInfo* best = nullptr;
  for (const auto& d : datasets) {
    if (!can_be_images(d)) continue;
    if (d.path == "/images") return &d;
    if (!best || d.raw_bytes() > best->raw_bytes()) best = &d;
  }
  return best;
}

// What is wrong with /images, which runs read unless told otherwise; else that there is nothing like it.
std::string why_no_images(const std::string& path) {
  try {
    const Hdf5File file(path);
    if (file.has("/images")) as_images(file.info("/images"), "auto", cat(path, ":/images"));
  } catch (const Error& error) {
    return error.what();
  }
  return cat(
      path,
      ": no dataset can be read as images (N x H x W, or with 1 or 3 channels; uint8, uint16, float32)");
}

bool is_column(const DatasetInfo& d, std::int64_t rows) {
  const bool type =
      d.kind == StoredKind::kText || d.kind == StoredKind::kUnsigned || d.kind == StoredKind::kSigned;
  return type && !d.dims.empty() && d.dims[0] == rows &&
         std::all_of(d.dims.begin() + 1, d.dims.end(), [](auto n) { return n == 1; });
}

void find_columns(Inspection& i, std::int64_t rows_of_first) {
  for (const auto& [column, names] : kColumnNames)
    for (const auto& name : names)
      for (const auto& d : i.files.front().datasets)
        if (d.path == name && is_column(d, rows_of_first) && !i.columns.contains(column))
          i.columns[column] = name;
}

// As the corpus reads them: a negative label is none.
std::vector<std::string> texts_of(const Hdf5File& file, const std::string& dataset, bool is_label) {
  std::vector<std::string> texts;
  if (!is_label || file.info(dataset).kind == StoredKind::kText) {
    file.each_text(dataset, [&](std::int64_t, std::string_view text) { texts.emplace_back(text); });
    return texts;
  }
  const auto names = file.text_attribute(dataset, "class_names");
  for (const std::int64_t n : file.integers(dataset))
    texts.push_back(n < 0                                         ? ""
                    : n < static_cast<std::int64_t>(names.size()) ? names[static_cast<std::size_t>(n)]
                                                                  : std::to_string(n));
  return texts;
}

void read_columns(Inspection& i) {
  std::map<std::string, std::pair<std::int64_t, std::string>> groups;  // -> images, first split
  std::set<std::string> straddling, classes, splits, sites;
  for (const auto& f : i.files) {
    const Hdf5File file(f.path);
    if (!file.has(i.image)) continue;
    const auto rows = static_cast<std::size_t>(file.info(i.image).dims[0]);
    std::map<std::string, std::vector<std::string>> texts;
    for (const auto& [column, dataset] : i.columns) {
      if (file.has(dataset) && is_column(file.info(dataset), static_cast<std::int64_t>(rows)))
        texts[column] = texts_of(file, dataset, column == "label");
      texts[column].resize(rows);
    }
    const auto get = [&](const char* column, std::size_t row) {
      return texts.contains(column) ? texts[column][row] : std::string();
    };
    for (std::size_t row = 0; row < rows; ++row) {
      const std::string split = get("split", row), site = get("site", row), label = get("label", row);
      ++i.table[{split, site, label}];
      if (!split.empty()) splits.insert(split);
      if (!site.empty()) sites.insert(site);
      if (!label.empty()) classes.insert(label);
      if (!i.columns.contains("group")) continue;
      const auto at = groups.try_emplace(get("group", row), 0, split).first;
      i.largest_group = std::max(i.largest_group, ++at->second.first);
      if (at->second.second == split) continue;
      if (straddling.empty())
        i.straddling_example = cat(at->first, " in ", at->second.second, " and ", split);
      straddling.insert(at->first);
    }
  }
  i.groups = static_cast<std::int64_t>(groups.size());
  i.straddling_groups = static_cast<std::int64_t>(straddling.size());
  i.class_names.assign(classes.begin(), classes.end());
  i.split_names.assign(splits.begin(), splits.end());
  i.site_names.assign(sites.begin(), sites.end());
}

double value_at(const std::byte* pixels, ElementType type, std::int64_t at) {
  if (type == ElementType::kU8) return std::to_integer<int>(pixels[at]);
  if (type == ElementType::kU16) {
    std::uint16_t v = 0;
    std::memcpy(&v, pixels + 2 * at, 2);
    return v;
  }
  float v = 0;
  std::memcpy(&v, pixels + 4 * at, 4);
  return v;
}

void look_at(const std::vector<std::byte>& pixels, Inspection& i, double& sum, std::int64_t& count) {
  bool grey = i.shape.channels == 3;
  for (std::int64_t p = 0; p < i.shape.values(); ++p) {
    const double v = value_at(pixels.data(), i.shape.type, p);
    if (grey && p % 3 && v != value_at(pixels.data(), i.shape.type, p - 1)) grey = false;
    if (!std::isfinite(v)) continue;
    if (count == 0) i.low = i.high = v;
    i.low = std::min(i.low, v);
    i.high = std::max(i.high, v);
    sum += v;
    ++count;
  }
  i.grey_as_rgb += grey ? 1 : 0;
}

void sample_images(Inspection& i) {
  ImageReader images(i.image, i.axes, kDecodedSlabs);
  for (const auto& f : i.files) images.add(Hdf5File(f.path));
  i.shape = images.shape();
  i.rows = images.num_rows();
  std::vector<std::byte> pixels(i.shape.bytes());
  double sum = 0;
  std::int64_t count = 0;
  i.sampled = std::min(kSample, i.rows);
  for (std::int64_t s = 0; s < i.sampled; ++s) {
    try {
      images.read(s * i.rows / i.sampled, pixels.data());
    } catch (const DataError&) {
      ++i.unreadable;
      continue;
    }
    const RowState state = check_pixels(pixels.data(), i.shape);
    i.not_a_number += state == RowState::kNotANumber ? 1 : 0;
    i.constant += state == RowState::kConstant ? 1 : 0;
    look_at(pixels, i, sum, count);
  }
  i.mean = count > 0 ? sum / static_cast<double>(count) : 0;
}

void note_layout(const DatasetInfo& d, Inspection& i) {
  if (d.layout != "chunked") return;
  std::int64_t chunk_bytes = static_cast<std::int64_t>(d.element_bytes);
  for (const auto n : d.chunk) chunk_bytes *= n;
  bool cuts = false;
  for (std::size_t axis = 1; axis < d.dims.size(); ++axis) cuts = cuts || d.chunk[axis] < d.dims[axis];
  if (cuts)
    i.odd.push_back(cat(d.path,
                        ": chunks cut through images: one image takes several of them; rewrite with one "
                        "image per chunk to read faster"));
  else if (d.chunk[0] > 1 && chunk_bytes > (4 << 20))
    i.odd.push_back(cat(d.path, ": a chunk holds ", d.chunk[0], " images (", chunk_bytes >> 20,
                        " MiB): reading one image at random decodes them all"));
  if (std::any_of(d.filters.begin(), d.filters.end(),
                  [](const auto& f) { return f.starts_with("filter ") || f == "szip"; }))
    i.odd.push_back(cat(d.path, ": has a filter that needs a plug-in to read"));
}

// One that data.window_low and data.window_high can be.
bool needs_window(const Inspection& i) {
  return i.shape.type == ElementType::kF32 && (i.low < 0 || i.high > 255) && i.low >= -kWidestWindow &&
         i.high <= kWidestWindow;
}

void note_pixels(Inspection& i) {
  const auto of_sample = [&](std::int64_t n, const char* what) {
    if (n > 0) i.odd.push_back(cat(n, " of ", i.sampled, " sampled images ", what));
  };
  of_sample(i.unreadable, "cannot be read; data.on_corrupt=skip leaves such out");
  of_sample(i.not_a_number, "hold NaN or infinity; data.on_corrupt=skip leaves such out");
  of_sample(i.constant, "are constant (a failed conversion?); data.on_corrupt=skip leaves such out");
  if (i.grey_as_rgb > 0 && i.grey_as_rgb == i.sampled - i.unreadable)
    i.odd.emplace_back(
        "colour images with R = G = B in every sampled pixel: one channel would say the same in a third of "
        "the room");
  if (i.shape.type == ElementType::kU16 && i.high < 32768)
    i.odd.push_back(cat("16-bit values only reach ", i.high, ": set data.window_low and data.window_high"));
  if (needs_window(i))
    i.odd.push_back(
        cat("float values from ", i.low, " to ", i.high,
            ": data.window_low and data.window_high say which become black and white; those below take all"));
}

void note_tables(Inspection& i) {
  if (!i.columns.contains("group")) i.odd.emplace_back("no groups: nothing can be claimed by patient");
  if (i.straddling_groups > 0)
    i.odd.push_back(cat(i.straddling_groups, " of ", i.groups, " groups stand in two splits (",
                        i.straddling_example, "): refused for training"));
  for (const auto& split : i.split_names)
    for (const auto& label : i.class_names) {
      std::int64_t n = 0;
      for (const auto& [key, count] : i.table) n += key[0] == split && key[2] == label ? count : 0;
      if (n == 0) i.odd.push_back(cat("split ", split, " has no image of class ", label));
    }
}

// The keys that differ from the defaults, and whether a run with them would start.
void try_keys(Inspection& i) {
  DataSection data;
  for (const auto& f : i.files) data.files.push_back(f.path);
  data.image = i.image;
  if (i.image != "/images") i.keys.push_back("data.image=" + i.image);
  for (auto [column, field] : {std::pair{"group", &data.group},
                               {"label", &data.label},
                               {"split", &data.split},
                               {"site", &data.site}}) {
    const auto at = i.columns.find(column);
    if (at == i.columns.end() || at->second == cat("/", column)) continue;
    *field = at->second;
    i.keys.push_back(cat("data.", column, "=", at->second));
  }
  if (i.unreadable + i.not_a_number > 0) {
    data.on_corrupt = "skip";
    i.keys.emplace_back("data.on_corrupt=skip");
  }
  if (needs_window(i)) {
    data.window_low = i.low;
    data.window_high = i.high;
    i.keys.push_back(cat("data.window_low=", number_text(i.low)));
    i.keys.push_back(cat("data.window_high=", number_text(i.high)));
  }
  // Skipping reads every image. Of a large corpus the sample has to do.
  constexpr std::int64_t kReadWhole = std::int64_t{4} << 30;
  const bool large = i.rows * static_cast<std::int64_t>(i.shape.bytes()) > kReadWhole;
  if (data.on_corrupt == "skip" && large && i.unreadable + i.not_a_number + i.constant < i.sampled) return;
  try {
    value_window(data, Corpus::open(data));
  } catch (const Error& error) {
    i.refusal = error.what();
  }
}
}  // namespace

Inspection inspect_files(const std::vector<std::string>& patterns) {
  Inspection i;
  for (const auto& path : expand_files(patterns)) {
    const Hdf5File file(path);
    auto& f = i.files.emplace_back();
    f.path = path;
    f.bytes = static_cast<std::int64_t>(std::filesystem::file_size(path));
    for (const auto& name : file.datasets()) {
      try {
        f.datasets.push_back(file.info(name));
      } catch (const DataError& error) {  // a damaged one need not be one that a run reads
        i.odd.emplace_back(error.what());
      }
    }
  }
  const DatasetInfo* images = find_images(i.files.front().datasets);
  if (!images) {
    i.refusal = why_no_images(i.files.front().path);
    std::erase(i.odd, i.refusal);
    return i;
  }
  i.image = images->path;
  i.axes = images->dims.size() == 3                                           ? "NHW"
           : as_images(*images, "auto", "").shape.channels == images->dims[3] ? "NHWC"
                                                                              : "NCHW";
  note_layout(*images, i);
  find_columns(i, images->dims[0]);
  try {
    sample_images(i);
    read_columns(i);
  } catch (const DataError& error) {
    i.refusal = error.what();
    return i;
  }
  note_pixels(i);
  note_tables(i);
  try_keys(i);
  return i;
}

}  // namespace entrain::sharding
