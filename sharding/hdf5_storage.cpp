#include "sharding/hdf5_storage.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <limits>
#include <numeric>

#include "sharding/hdf5_library.hpp"
#include "sharding/hdf5_types.hpp"

namespace entrain::sharding {
namespace {
using Layout = StorageDescription::Layout;
constexpr std::uint64_t kLargestElement = std::uint64_t{1} << 20, kLargestCompact = std::uint64_t{1} << 16;

// Types whose elements are whole in their place: not those that only refer to what lies elsewhere in the file.
bool lies_in_place(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
    case H5T_FLOAT:
    case H5T_ENUM:
    case H5T_OPAQUE:
    case H5T_BITFIELD:
      return true;
    case H5T_STRING:
      return H5Tis_variable_str(type) == 0;
    case H5T_COMPOUND: {
      const int members = H5Tget_nmembers(type);
      for (int i = 0; i < members; ++i) {
        const H5T_class_t member = H5Tget_member_class(type, static_cast<unsigned>(i));
        if (member != H5T_INTEGER && member != H5T_FLOAT) return false;
      }
      return members > 0;
    }
    default:
      return false;
  }
}

Layout layout_of(hid_t properties) {
  switch (H5Pget_layout(properties)) {
    case H5D_COMPACT:
      return Layout::kCompact;
    case H5D_CHUNKED:
      return Layout::kChunked;
    case H5D_CONTIGUOUS:
      return H5Pget_external_count(properties) > 0 ? Layout::kExternal : Layout::kContiguous;
    default:
      return Layout::kVirtual;
  }
}

std::vector<Filter> filters_of(hid_t properties) {
  std::vector<Filter> filters;
  const int count = H5Pget_nfilters(properties);
  for (int i = 0; i < count; ++i) {
    std::vector<unsigned> values(64);
    std::size_t num_values = values.size();
    std::array<char, 128> name{};
    unsigned flags = 0, config = 0;
    const auto ask = [&] {
      return H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &num_values, values.data(),
                            name.size(), name.data(), &config);
    };
    H5Z_filter_t id = ask();
    if (num_values > values.size()) {
      values.resize(num_values);
      id = ask();
    }
    name.back() = '\0';
    filters.push_back({id,
                       (flags & H5Z_FLAG_OPTIONAL) != 0,
                       {values.begin(), values.begin() + static_cast<std::ptrdiff_t>(num_values)},
                       name.data()});
  }
  return filters;
}

std::vector<std::byte> fill_of(hid_t properties, hid_t type, std::size_t bytes, const std::string& where) {
  std::vector<std::byte> fill(bytes);
  H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
  if (H5Pfill_value_defined(properties, &defined) < 0 ||
      (defined != H5D_FILL_VALUE_UNDEFINED && H5Pget_fill_value(properties, type, fill.data()) < 0))
    throw DataError(cat(where, ": cannot read its fill value: ", hdf5_reason()));
  return fill;
}

std::string file_of(hid_t object, const std::string& where) {
  const ssize_t length = H5Fget_name(object, nullptr, 0);
  std::string name(static_cast<std::size_t>(std::max<ssize_t>(length, 0)) + 1, '\0');
  if (length < 0 || H5Fget_name(object, name.data(), name.size()) < 0)
    throw DataError(cat(where, ": cannot tell in which file it lies: ", hdf5_reason()));
  name.resize(static_cast<std::size_t>(length));
  return name;
}

bool is_plain_file(hid_t object, const std::string& where) {
  const H5File file(H5Iget_file_id(object), where);
  return H5Pget_driver(H5Properties(H5Fget_access_plist(file), where)) == H5FD_SEC2;
}

// One file that holds all of it is read like a contiguous dataset.
void describe_external(hid_t properties, StorageDescription& storage) {
  std::string name(4096, '\0');
  off_t offset = 0;
  hsize_t bytes = 0;
  const int count = H5Pget_external_count(properties);
  if (H5Pget_external(properties, 0, name.size() - 1, name.data(), &offset, &bytes) < 0)
    hdf5_reason(), name.clear();
  name.resize(std::min(name.find('\0'), name.size()));
  std::error_code none;
  const char* prefix = std::getenv("HDF5_EXTFILE_PREFIX");
  if (count != 1)
    storage.needs_library = cat("its data lie in ", count, " external files");
  else if (prefix && *prefix)
    storage.needs_library = "its data lie in an external file, and HDF5_EXTFILE_PREFIX is set";
  else if (const auto size = std::filesystem::file_size(name, none);
           none || offset < 0 || size < static_cast<std::uint64_t>(offset) ||
           size - static_cast<std::uint64_t>(offset) < storage.raw_bytes())
    storage.needs_library =
        cat("its data lie in the external file ", name, ", which is ", none ? "not there" : "too short");
  if (!storage.needs_library.empty()) return;
  storage.file = name;
  storage.offset = static_cast<std::uint64_t>(offset);
}
}  // namespace

struct StoredDataset::Handles {
  H5File file;
  H5Dataset dataset;
  H5Type type;
  H5Space space;
  H5Properties made;
};

std::uint64_t StorageDescription::raw_bytes() const {
  std::uint64_t bytes = element_bytes;
  for (const auto d : dims)
    if (d == 0) return 0;
  for (const auto d : dims)
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(d), &bytes))
      return std::numeric_limits<std::uint64_t>::max();
  return bytes;
}

std::uint64_t StorageDescription::chunk_bytes() const {
  std::uint64_t bytes = element_bytes;  // libhdf5 keeps this below 4 GiB
  for (const auto c : chunk) bytes *= static_cast<std::uint64_t>(c);
  return bytes;
}

StoredDataset::StoredDataset(const std::string& path, const std::string& dataset)
    : where_(cat(path, ":", dataset)), handles_(std::make_unique<Handles>()) {
  const DatasetInfo info = Hdf5File(path).info(dataset);  // with its messages for what is not there
  const Hdf5Lock lock;
  Handles& h = *handles_;
  h.file = H5File(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), path);
  h.dataset = H5Dataset(H5Dopen2(h.file, dataset.c_str(), H5P_DEFAULT), where_);
  h.type = H5Type(H5Dget_type(h.dataset), where_);
  h.space = H5Space(H5Dget_space(h.dataset), where_);
  h.made = H5Properties(H5Dget_create_plist(h.dataset), where_);

  StorageDescription& s = storage_;
  s.file = file_of(h.dataset, where_);
  s.dims = info.dims;
  s.chunk = info.chunk;
  s.kind = info.kind;
  s.element_bytes = info.element_bytes;
  s.big_endian = H5Tget_order(h.type) == H5T_ORDER_BE;
  s.type_name = info.type_name;
  s.layout = layout_of(h.made);
  H5O_info_t object;
  if (H5Oget_info2(h.dataset, &object, H5O_INFO_BASIC) < 0)
    throw DataError(cat(where_, ": cannot tell where its header lies: ", hdf5_reason()));
  s.object_header = object.addr;
  if (!is_plain_file(h.dataset, where_))
    s.needs_library = "its file is not read through plain system calls (is HDF5_DRIVER set?)";
  else if (H5Sget_simple_extent_type(h.space) == H5S_NULL)
    s.needs_library = "it has no elements";
  else if (!lies_in_place(h.type) || s.element_bytes == 0 || s.element_bytes > kLargestElement)
    s.needs_library = cat("its elements are ", s.type_name);
  else if (s.layout == Layout::kVirtual)
    s.needs_library = "it is a virtual dataset";
  if (!s.needs_library.empty()) return;

  s.fill = fill_of(h.made, h.type, s.element_bytes, where_);
  s.filters = filters_of(h.made);
  unsigned options = 0;
  if (s.layout == Layout::kChunked && H5Pget_chunk_opts(h.made, &options) >= 0)
    s.raw_edge_chunks = (options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS) != 0;
  // In a file with a user block the offset of what was never written is no sign of that: it wraps.
  if (s.layout == Layout::kContiguous && H5Dget_storage_size(h.dataset) > 0) {
    const haddr_t offset = H5Dget_offset(h.dataset);
    if (offset == HADDR_UNDEF)
      throw DataError(cat(where_, ": cannot tell where its data lie: ", hdf5_reason()));
    s.offset = offset;
  }
  if (s.layout == Layout::kExternal) describe_external(h.made, s);
  if (s.layout == Layout::kCompact) {
    if (s.raw_bytes() > kLargestCompact)
      throw DataError(cat(where_, ": is compact, yet has ", s.raw_bytes(), " bytes; the file is damaged"));
    s.compact.resize(s.raw_bytes());
    if (!s.compact.empty() && H5Dread(h.dataset, h.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, s.compact.data()) < 0)
      throw DataError(cat(where_, ": cannot read: ", hdf5_reason()));
  }
}
StoredDataset::~StoredDataset() = default;

bool StoredDataset::read(std::span<const std::int64_t> first, std::span<const std::int64_t> count,
                         std::span<std::byte> out) const {
  const Hdf5Lock lock;
  const std::vector<hsize_t> start(first.begin(), first.end()), counts(count.begin(), count.end());
  const std::size_t elements =
      std::accumulate(counts.begin(), counts.end(), std::size_t{1}, std::multiplies<>());
  if (out.size() != elements * storage_.element_bytes)
    throw DataError(cat(where_, ": ", elements, " elements do not have ", out.size(), " bytes"));
  const H5Space space(H5Dget_space(handles_->dataset), where_);
  const hsize_t flat = elements;
  const H5Space memory(H5Screate_simple(1, &flat, nullptr), where_);
  const bool done = (start.empty() || H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr,
                                                          counts.data(), nullptr) >= 0) &&
                    H5Dread(handles_->dataset, handles_->type, memory, space, H5P_DEFAULT, out.data()) >= 0;
  if (!done) hdf5_reason();
  return done;
}

std::optional<std::pair<std::vector<std::byte>, std::uint32_t>> StoredDataset::stored_chunk(
    std::span<const std::int64_t> first) const {
  const Hdf5Lock lock;
  const std::vector<hsize_t> start(first.begin(), first.end());
  hsize_t bytes = 0;
  std::uint32_t mask = 0;
  if (H5Dget_chunk_storage_size(handles_->dataset, start.data(), &bytes) < 0 || bytes == 0 ||
      bytes > std::numeric_limits<std::uint32_t>::max()) {
    hdf5_reason();
    return std::nullopt;
  }
  std::vector<std::byte> stored(bytes);
#if H5_VERSION_GE(2, 0, 0)
  const herr_t status = H5Dread_chunk1(handles_->dataset, H5P_DEFAULT, start.data(), &mask, stored.data());
#else
  const herr_t status = H5Dread_chunk(handles_->dataset, H5P_DEFAULT, start.data(), &mask, stored.data());
#endif
  if (status < 0) {
    hdf5_reason();
    return std::nullopt;
  }
  return std::pair(std::move(stored), mask);
}

bool StoredDataset::has_filters() const {
  const Hdf5Lock lock;
  return std::all_of(storage_.filters.begin(), storage_.filters.end(),
                     [](const Filter& f) { return H5Zfilter_avail(f.id) > 0; });
}

std::size_t StoredDataset::num_chunks() const {
  const Hdf5Lock lock;
  hsize_t count = 0;
  if (H5Dget_num_chunks(handles_->dataset, handles_->space, &count) < 0)
    throw DataError(cat(where_, ": cannot count its chunks: ", hdf5_reason()));
  return count;
}

// The oldest releases of each line that have H5Dchunk_iter.
#if H5_VERSION_GE(1, 14, 0) || (H5_VERSION_GE(1, 12, 3) && !H5_VERSION_GE(1, 13, 0))
#define ENTRAIN_CHUNK_ITER 1
#else
#define ENTRAIN_CHUNK_ITER 0
#endif

bool StoredDataset::lists_chunks_fast() { return ENTRAIN_CHUNK_ITER != 0; }

void StoredDataset::each_chunk(
    const std::function<void(std::span<const std::int64_t>, const StoredChunk&)>& use) const {
  const Hdf5Lock lock;
  const std::size_t rank = storage_.dims.size();
  std::vector<std::int64_t> first(rank);
  const auto hand_out = [&](const hsize_t* offset, std::uint32_t mask, haddr_t address, hsize_t bytes) {
    std::copy_n(offset, rank, first.begin());
    if (bytes > std::numeric_limits<std::uint32_t>::max())
      throw DataError(cat(where_, ": a chunk has ", bytes, " bytes"));
    use(first, {address, static_cast<std::uint32_t>(bytes), mask});
  };
#if ENTRAIN_CHUNK_ITER
  // libhdf5 is no place to throw through. The types of mask and size differ between its releases.
  std::pair state(&hand_out, std::exception_ptr{});
  using State = decltype(state);
  const auto step = [](const hsize_t* offset, auto mask, haddr_t address, auto bytes, void* data) -> int {
    auto& [take, thrown] = *static_cast<State*>(data);
    try {
      (*take)(offset, mask, address, bytes);
      return 0;
    } catch (...) {
      thrown = std::current_exception();
      return -1;
    }
  };
  const herr_t status = H5Dchunk_iter(handles_->dataset, H5P_DEFAULT, step, &state);
  if (state.second) std::rethrow_exception(state.second);
  if (status < 0) throw DataError(cat(where_, ": cannot list its chunks: ", hdf5_reason()));
#else
  const std::size_t count = num_chunks();
  std::vector<hsize_t> offset(rank);
  for (std::size_t i = 0; i < count; ++i) {
    unsigned mask = 0;
    haddr_t address = 0;
    hsize_t bytes = 0;
    if (H5Dget_chunk_info(handles_->dataset, handles_->space, i, offset.data(), &mask, &address, &bytes) < 0)
      throw DataError(cat(where_, ": cannot list its chunks: ", hdf5_reason()));
    hand_out(offset.data(), mask, address, bytes);
  }
#endif
}

}  // namespace entrain::sharding
