#include "sharding/hdf5_file.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>

#include "configs/section.hpp"
#include "sharding/element_conversion.hpp"
#include "sharding/hdf5_library.hpp"
#include "sharding/hdf5_types.hpp"

namespace entrain::sharding {
namespace {
constexpr std::int64_t kMostRows = std::int64_t{1} << 32;  // of a table, 8 bytes each in memory

// Every name of a dataset, those behind soft links and in other files too: all of them can be read.
herr_t collect_dataset(hid_t group, const char* name, const H5L_info_t*, void* out) {
  auto& [names, limit] = *static_cast<std::pair<std::vector<std::string>, std::size_t>*>(out);
  H5O_info_t object;
  if (H5Oget_info_by_name2(group, name, &object, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
    H5Eclear2(H5E_DEFAULT);  // a link to what is not there
  else if (object.type == H5O_TYPE_DATASET)
    names.push_back(cat("/", name));
  return names.size() >= limit ? 1 : 0;
}

H5File open_file(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status))
    throw DataError(cat(
        path, ": ", status.type() == std::filesystem::file_type::none ? error.message() : "no such file"));
  if (std::filesystem::is_directory(status))
    throw DataError(cat(path, ": is a folder; name the HDF5 files in it, such as ", path,
                        path.ends_with('/') ? "" : "/", "*.h5"));
  if (!std::filesystem::is_regular_file(status)) throw DataError(cat(path, ": is no regular file"));
  const Hdf5Lock lock;
  require_memory_for_file();
  const htri_t is_hdf5 = H5Fis_hdf5(path.c_str());
  if (is_hdf5 < 0) throw DataError(cat("cannot open ", path, ": ", hdf5_reason()));
  if (is_hdf5 == 0) throw DataError(cat(path, ": not an HDF5 file (no HDF5 signature)"));
  return H5File(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), path);
}
}  // namespace

std::int64_t DatasetInfo::raw_bytes() const {
  auto bytes = static_cast<std::int64_t>(element_bytes);
  for (const auto d : dims)
    if (d == 0) return 0;
  for (const auto d : dims)
    if (__builtin_mul_overflow(bytes, d, &bytes)) return std::numeric_limits<std::int64_t>::max();
  return bytes;
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
  if (H5Lvisit(handles_->file, H5_INDEX_NAME, H5_ITER_NATIVE, collect_dataset, &found) < 0)
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

template <typename T>
void Hdf5File::read_numbers(const DatasetInfo& i, const std::string& where, std::int64_t type,
                            std::vector<T>& numbers) const {
  require_one_per_row(i, where);
  if (i.dims[0] > kMostRows)
    throw DataError(cat(where, ": has ", i.dims[0], " rows; more than ", kMostRows, " cannot be read"));
  numbers.resize(static_cast<std::size_t>(i.dims[0]));
  const Hdf5Lock lock;
  const H5Dataset dataset = handles_->dataset(i.path);
  if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data()) < 0)
    throw DataError(cat(where, ": cannot read: ", hdf5_reason()));
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
  return describe(handles_->dataset(name), name, path());
}

void Hdf5File::each_text(const std::string& name,
                         const std::function<void(std::int64_t, std::string_view)>& take) const {
  const DatasetInfo i = info(name);
  if (i.kind == StoredKind::kUnsigned && i.element_bytes == 8) {  // ids may fill all 64 bits
    const auto numbers = unsigned_integers(name);
    for (std::size_t row = 0; row < numbers.size(); ++row)
      take(static_cast<std::int64_t>(row), std::to_string(numbers[row]));
    return;
  }
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
  TextReader reader(dataset, where);
  const std::int64_t block = reader.rows_at_once();
  for (std::int64_t first = 0; first < i.dims[0]; first += block)
    reader.read(first, std::min(block, i.dims[0] - first), take);
}

// libhdf5 cuts a number that is too large for its type down to the largest that fits, without a word.
std::vector<std::int64_t> Hdf5File::integers(const std::string& name) const {
  const DatasetInfo i = info(name);
  const std::string where = cat(path(), ":", name);
  if (i.kind != StoredKind::kUnsigned && i.kind != StoredKind::kSigned)
    throw DataError(cat(where, ": want integers, found ", i.type_name));
  if (i.element_bytes > 8)
    throw DataError(cat(where, ": want integers of at most 64 bits, found ", i.type_name));
  if (i.kind == StoredKind::kUnsigned && i.element_bytes == 8) {
    const auto wide = unsigned_integers(name);
    constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
    const auto at = std::find_if(wide.begin(), wide.end(), [](std::uint64_t n) { return n > kLargest; });
    if (at != wide.end())
      throw DataError(cat(where, " row ", at - wide.begin(), ": ", *at, " is too large, the largest is ",
                          kLargest, "; is it a -1 that was stored without its sign?"));
    return {wide.begin(), wide.end()};
  }
  std::vector<std::int64_t> numbers;
  read_numbers(i, where, H5T_NATIVE_INT64, numbers);
  return numbers;
}

std::vector<std::uint64_t> Hdf5File::unsigned_integers(const std::string& name) const {
  const DatasetInfo i = info(name);
  const std::string where = cat(path(), ":", name);
  if (i.kind != StoredKind::kUnsigned || i.element_bytes != 8)
    throw DataError(cat(where, ": want unsigned 64-bit integers, found ", i.type_name));
  std::vector<std::uint64_t> numbers;
  read_numbers(i, where, H5T_NATIVE_UINT64, numbers);
  return numbers;
}

std::vector<std::string> Hdf5File::text_attribute(const std::string& object, const std::string& name) const {
  const Hdf5Lock lock;
  const std::string where = cat(path(), ":", object, " attribute ", name);
  // Of the object itself, which may lie in another file: its text does too.
  const H5Object owner(H5Oopen(handles_->file, object.c_str(), H5P_DEFAULT), where);
  if (H5Aexists(owner, name.c_str()) <= 0) {
    hdf5_reason();
    return {};
  }
  return read_text_attribute({H5Aopen(owner, name.c_str(), H5P_DEFAULT), where}, where);
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
  const auto type = handed_out_as({i.kind, i.element_bytes, false});
  h->memory_type = type == ElementType::kU8    ? H5T_NATIVE_UINT8
                   : type == ElementType::kU16 ? H5T_NATIVE_UINT16
                                               : H5T_NATIVE_FLOAT;
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

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return cat(major, '.', minor, '.', release);
}

}  // namespace entrain::sharding
