#include "sharding/hdf5_file.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "configs/section.hpp"
#include "sharding/hdf5_library.hpp"
#include "sharding/hdf5_types.hpp"

namespace entrain::sharding {
namespace {
constexpr std::int64_t kBlockRows = 65536;  // of a text or integer dataset, read at a time

herr_t collect_dataset(hid_t, const char* name, const H5O_info_t* object, void* out) {
  auto& [names, limit] = *static_cast<std::pair<std::vector<std::string>, std::size_t>*>(out);
  if (object->type == H5O_TYPE_DATASET) names.push_back(cat("/", name));
  return names.size() >= limit ? 1 : 0;
}

H5File open_file(const std::string& path) {
  if (std::error_code none; !std::filesystem::exists(path, none))
    throw DataError(cat(path, ": no such file"));
  const Hdf5Lock lock;
  const htri_t is_hdf5 = H5Fis_hdf5(path.c_str());
  if (is_hdf5 < 0) throw DataError(cat("cannot open ", path, ": ", hdf5_reason()));
  if (is_hdf5 == 0) throw DataError(cat(path, ": not an HDF5 file (no HDF5 signature)"));
  return H5File(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), path);
}
}  // namespace

std::int64_t DatasetInfo::raw_bytes() const {
  return std::accumulate(dims.begin(), dims.end(), static_cast<std::int64_t>(element_bytes),
                         std::multiplies<>());
}

std::string DatasetInfo::dims_text() const {
  std::string text;
  for (const auto d : dims) text += cat(text.empty() ? "" : " x ", d);
  return text.empty() ? "scalar" : text;
}

struct Hdf5File::Handles {
  std::string path;
  H5File file;

  H5Dataset dataset(const std::string& name) const {
    return {H5Dopen2(file, name.c_str(), H5P_DEFAULT), cat(path, ":", name)};
  }
};

Hdf5File::Hdf5File(const std::string& path) : handles_(std::make_unique<Handles>()) {
  handles_->path = path;
  handles_->file = open_file(path);
}
Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File& Hdf5File::operator=(Hdf5File&&) noexcept = default;
Hdf5File::~Hdf5File() = default;

const std::string& Hdf5File::path() const { return handles_->path; }

std::vector<std::string> Hdf5File::datasets(std::size_t limit) const {
  const Hdf5Lock lock;
  std::pair<std::vector<std::string>, std::size_t> found{{}, limit};
  if (H5Ovisit2(handles_->file, H5_INDEX_NAME, H5_ITER_NATIVE, collect_dataset, &found, H5O_INFO_BASIC) < 0)
    throw DataError(cat(path(), ": cannot list its datasets: ", hdf5_reason()));
  return found.first;
}

bool Hdf5File::has(const std::string& dataset) const {
  const Hdf5Lock lock;
  // H5Lexists wants every group on the way to exist, so ask for each in turn.
  for (std::size_t end = 0; end < dataset.size();) {
    end = std::min(dataset.find('/', end + 1), dataset.size());
    if (H5Lexists(handles_->file, dataset.substr(0, end).c_str(), H5P_DEFAULT) <= 0) {
      hdf5_reason();
      return false;
    }
  }
  return !dataset.empty() && dataset != "/";
}

DatasetInfo Hdf5File::info(const std::string& name) const {
  const Hdf5Lock lock;
  if (!has(name)) {
    auto names = datasets(200);
    const std::string near = nearest(name, names);
    if (names.size() > 12) names.resize(12), names.emplace_back("...");
    throw DataError(cat(path(), ": no dataset ", name, near.empty() ? "" : cat("; did you mean ", near, "?"),
                        " It has: ", names.empty() ? "no dataset at all" : join(names)));
  }
  const H5Object object(H5Oopen(handles_->file, name.c_str(), H5P_DEFAULT), cat(path(), ":", name));
  if (H5Iget_type(object) != H5I_DATASET)
    throw DataError(cat(path(), ":", name, ": is a group, not a dataset"));
  return describe(handles_->dataset(name), name);
}

void Hdf5File::each_text(const std::string& name,
                         const std::function<void(std::int64_t, std::string_view)>& take) const {
  const DatasetInfo i = info(name);
  if (i.kind == StoredKind::kUnsigned || i.kind == StoredKind::kSigned) {
    const auto numbers = integers(name);
    for (std::size_t row = 0; row < numbers.size(); ++row)
      take(static_cast<std::int64_t>(row), std::to_string(numbers[row]));
    return;
  }
  const std::string where = cat(path(), ":", name);
  if (i.kind != StoredKind::kText)
    throw DataError(cat(where, ": want text or integers, found ", i.type_name));
  require_one_per_row(i, where);
  const Hdf5Lock lock;
  const H5Dataset dataset = handles_->dataset(name);
  const TextReader reader(dataset, where);
  for (std::int64_t first = 0; first < i.dims[0]; first += kBlockRows)
    reader.read(first, std::min(kBlockRows, i.dims[0] - first), take);
}

std::vector<std::int64_t> Hdf5File::integers(const std::string& name) const {
  const DatasetInfo i = info(name);
  const std::string where = cat(path(), ":", name);
  if (i.kind != StoredKind::kUnsigned && i.kind != StoredKind::kSigned)
    throw DataError(cat(where, ": want integers, found ", i.type_name));
  require_one_per_row(i, where);
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(i.dims[0]));
  const Hdf5Lock lock;
  const H5Dataset dataset = handles_->dataset(name);
  if (H5Dread(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data()) < 0)
    throw DataError(cat(where, ": cannot read: ", hdf5_reason()));
  return numbers;
}

std::vector<std::uint64_t> Hdf5File::unsigned_integers(const std::string& name) const {
  const DatasetInfo i = info(name);
  const std::string where = cat(path(), ":", name);
  if (i.kind != StoredKind::kUnsigned || i.element_bytes != 8)
    throw DataError(cat(where, ": want unsigned 64-bit integers, found ", i.type_name));
  require_one_per_row(i, where);
  std::vector<std::uint64_t> numbers(static_cast<std::size_t>(i.dims[0]));
  const Hdf5Lock lock;
  const H5Dataset dataset = handles_->dataset(name);
  if (H5Dread(dataset, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data()) < 0)
    throw DataError(cat(where, ": cannot read: ", hdf5_reason()));
  return numbers;
}

std::vector<std::string> Hdf5File::text_attribute(const std::string& object, const std::string& name) const {
  const Hdf5Lock lock;
  const std::string where = cat(path(), ":", object, " attribute ", name);
  if (H5Aexists_by_name(handles_->file, object.c_str(), name.c_str(), H5P_DEFAULT) <= 0) {
    hdf5_reason();
    return {};
  }
  const H5Attribute attribute(
      H5Aopen_by_name(handles_->file, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), where);
  return read_text_attribute(attribute, where);
}

struct Hdf5File::Rows::Handles {
  std::string where;
  std::vector<hsize_t> start, count;
  hid_t memory_type = H5I_INVALID_HID;  // one of libhdf5's own, not to be closed
  H5Dataset dataset;
  H5Space file_space, memory_space;
};

Hdf5File::Rows::Rows(std::unique_ptr<Handles> handles) : handles_(std::move(handles)) {}
Hdf5File::Rows::Rows(Rows&&) noexcept = default;
Hdf5File::Rows& Hdf5File::Rows::operator=(Rows&&) noexcept = default;
Hdf5File::Rows::~Rows() = default;

Hdf5File::Rows Hdf5File::rows(const std::string& name) const {
  const DatasetInfo i = info(name);
  const Hdf5Lock lock;
  auto h = std::make_unique<Rows::Handles>();
  h->where = cat(path(), ":", name);
  h->memory_type = i.kind == StoredKind::kFloat ? H5T_NATIVE_FLOAT
                   : i.element_bytes == 1       ? H5T_NATIVE_UINT8
                                                : H5T_NATIVE_UINT16;
  // The default cache of 1 MiB decodes a larger chunk anew for every row of it.
  const H5Properties access(H5Pcreate(H5P_DATASET_ACCESS), "dataset access properties");
  std::size_t chunk_bytes = i.element_bytes;
  for (const auto d : i.chunk) chunk_bytes *= static_cast<std::size_t>(d);
  H5Pset_chunk_cache(access, 521, std::clamp<std::size_t>(4 * chunk_bytes, 1 << 20, 64 << 20), 0.75);
  h->dataset = H5Dataset(H5Dopen2(handles_->file, name.c_str(), access), h->where);
  h->file_space = H5Space(H5Dget_space(h->dataset), h->where);
  h->start.assign(i.dims.size(), 0);
  h->count.assign(i.dims.begin(), i.dims.end());
  h->count[0] = 1;
  h->memory_space =
      H5Space(H5Screate_simple(static_cast<int>(h->count.size()), h->count.data(), nullptr), h->where);
  return Rows(std::move(h));
}

void Hdf5File::Rows::read(std::int64_t row, std::byte* out) {
  Handles& h = *handles_;
  const Hdf5Lock lock;
  h.start[0] = static_cast<hsize_t>(row);
  if (H5Sselect_hyperslab(h.file_space, H5S_SELECT_SET, h.start.data(), nullptr, h.count.data(), nullptr) <
          0 ||
      H5Dread(h.dataset, h.memory_type, h.memory_space, h.file_space, H5P_DEFAULT, out) < 0)
    throw DataError(cat(h.where, " row ", row, ": cannot read: ", hdf5_reason()));
}

}  // namespace entrain::sharding
