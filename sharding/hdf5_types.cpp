#include "sharding/hdf5_types.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace entrain::sharding {
namespace {
constexpr std::size_t kLongestText = std::size_t{1} << 20, kMostTexts = 65536;

void describe_type(hid_t type, DatasetInfo& info) {
  info.element_bytes = H5Tget_size(type);
  const std::size_t bits = 8 * info.element_bytes;
  const std::string order = H5Tget_order(type) == H5T_ORDER_BE ? " big-endian" : "";
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
    case H5T_ENUM: {  // h5py writes bool as an enum of int8
      const H5Type base =
          H5Tget_class(type) == H5T_ENUM ? H5Type(H5Tget_super(type), "enum") : H5Type(H5Tcopy(type), "");
      const bool is_signed = H5Tget_sign(base) == H5T_SGN_2;
      info.kind = is_signed ? StoredKind::kSigned : StoredKind::kUnsigned;
      info.type_name = cat(is_signed ? "int" : "uint", bits, bits > 8 ? order : "");
      break;
    }
    case H5T_FLOAT:
      info.kind = StoredKind::kFloat;
      info.type_name = cat("float", bits, order);
      break;
    case H5T_STRING:
      info.kind = StoredKind::kText;
      info.type_name =
          H5Tis_variable_str(type) > 0 ? "text (variable)" : cat("text (fixed, ", info.element_bytes, ")");
      break;
    case H5T_VLEN:
      info.kind = StoredKind::kRagged;
      info.type_name = "ragged (variable-length rows)";
      break;
    case H5T_COMPOUND:
      info.type_name = "compound";
      break;
    case H5T_OPAQUE:
      info.type_name = "opaque bytes";
      break;
    case H5T_REFERENCE:
      info.type_name = "references";
      break;
    default:
      info.type_name = "an unknown type";
      break;
  }
}

std::string filter_name(hid_t properties, unsigned index) {
  std::array<unsigned, 8> values{};
  std::size_t num_values = values.size();
  std::array<char, 64> name{};
  unsigned flags = 0, config = 0;
  const H5Z_filter_t id = H5Pget_filter2(properties, index, &flags, &num_values, values.data(), name.size(),
                                         name.data(), &config);
  switch (id) {
    case H5Z_FILTER_DEFLATE:
      return cat("gzip ", values[0]);
    case H5Z_FILTER_SHUFFLE:
      return "shuffle";
    case H5Z_FILTER_FLETCHER32:
      return "fletcher32";
    case H5Z_FILTER_SZIP:
      return "szip";
    default:
      return name[0] ? std::string(name.data()) : cat("filter ", id);
  }
}

void describe_layout(hid_t properties, DatasetInfo& info) {
  switch (H5Pget_layout(properties)) {
    case H5D_COMPACT:
      info.layout = "compact";
      return;
    case H5D_CONTIGUOUS:
      info.layout = "contiguous";
      return;
    case H5D_CHUNKED:
      break;
    default:
      info.layout = "virtual";
      return;
  }
  info.layout = "chunked";
  std::vector<hsize_t> chunk(info.dims.size());
  H5Pget_chunk(properties, static_cast<int>(chunk.size()), chunk.data());
  info.chunk.assign(chunk.begin(), chunk.end());
  const int num_filters = H5Pget_nfilters(properties);
  for (int i = 0; i < num_filters; ++i)
    info.filters.push_back(filter_name(properties, static_cast<unsigned>(i)));
}

std::string_view fixed_text(const std::byte* start, std::size_t bytes, bool space_padded) {
  const char* chars = reinterpret_cast<const char*>(start);
  std::string_view text(chars, strnlen(chars, bytes));
  while (space_padded && text.ends_with(' ')) text.remove_suffix(1);
  return text;
}
}  // namespace

DatasetInfo describe(const H5Dataset& dataset, const std::string& name, const std::string& path) {
  DatasetInfo info;
  info.path = name;
  const H5Space space(H5Dget_space(dataset), name);
  std::vector<hsize_t> dims, largest;
  if (H5Sget_simple_extent_type(space) != H5S_NULL) {
    dims.resize(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space))));
    largest.resize(dims.size());
    H5Sget_simple_extent_dims(space, dims.data(), largest.data());
    for (const hsize_t d : dims)
      info.dims.push_back(static_cast<std::int64_t>(
          std::min<hsize_t>(d, static_cast<hsize_t>(std::numeric_limits<std::int64_t>::max()))));
  }
  describe_type(H5Type(H5Dget_type(dataset), name), info);
  describe_layout(H5Properties(H5Dget_create_plist(dataset), name), info);
  // libhdf5 writes no such file, and 1.10 reads beyond the chunk where it is told one.
  for (std::size_t axis = 0; axis < info.chunk.size(); ++axis)
    if (static_cast<hsize_t>(info.chunk[axis]) > std::max(dims[axis], largest[axis]))
      throw DataError(cat(path, ":", name, ": a chunk is ", info.chunk[axis],
                          " long where all of the dataset is ", dims[axis],
                          "; the file is damaged, make or copy it again"));
  info.stored_bytes = static_cast<std::int64_t>(H5Dget_storage_size(dataset));
  return info;
}

void require_one_per_row(const DatasetInfo& info, const std::string& where) {
  const bool flat = !info.dims.empty() && std::all_of(info.dims.begin() + 1, info.dims.end(),
                                                      [](std::int64_t d) { return d == 1; });
  if (!flat) throw DataError(cat(where, ": want one value per image, found shape ", info.dims_text()));
}

TextReader::TextReader(const H5Dataset& dataset, const std::string& where)
    : dataset_(dataset), where_(where), type_(H5Dget_type(dataset), where) {
  space_padded_ = H5Tget_strpad(type_) == H5T_STR_SPACEPAD;
  bytes_ = H5Tget_size(type_);
  if (H5Tis_variable_str(type_) > 0) {
    heaps_.emplace(dataset, where);
    bytes_ = heaps_->reference_bytes();
  }
  if (bytes_ > kLongestText)
    throw DataError(cat(where, ": every text has ", bytes_, " bytes; want names, of at most ", kLongestText));
}

std::int64_t TextReader::rows_at_once() const {
  return std::clamp<std::int64_t>((std::int64_t{64} << 20) / static_cast<std::int64_t>(bytes_), 1, 65536);
}

void TextReader::read(std::int64_t first, std::int64_t count,
                      const std::function<void(std::int64_t, std::string_view)>& take) {
  const H5Space file_space(H5Dget_space(dataset_), where_);
  std::vector<hsize_t> start(static_cast<std::size_t>(H5Sget_simple_extent_ndims(file_space)), 0);
  std::vector<hsize_t> counts(start.size(), 1);
  start[0] = static_cast<hsize_t>(first);
  counts[0] = static_cast<hsize_t>(count);
  H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start.data(), nullptr, counts.data(), nullptr);
  const H5Space memory_space(H5Screate_simple(1, counts.data(), nullptr), where_);
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * bytes_);
  const hid_t type = heaps_ ? heaps_->reference_type() : hid_t{type_};
  if (H5Dread(dataset_, type, memory_space, file_space, H5P_DEFAULT, bytes.data()) < 0)
    throw DataError(
        cat(where_, " rows ", first, " to ", first + count - 1, ": cannot read: ", hdf5_reason()));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::byte* at = bytes.data() + static_cast<std::size_t>(i) * bytes_;
    take(first + i, heaps_ ? heaps_->text(at) : fixed_text(at, bytes_, space_padded_));
  }
}

std::vector<std::string> read_text_attribute(const H5Attribute& attribute, const std::string& where) {
  const H5Type type(H5Aget_type(attribute), where);
  if (H5Tget_class(type) != H5T_STRING) throw DataError(cat(where, ": want text"));
  const H5Space space(H5Aget_space(attribute), where);
  const auto count = static_cast<std::size_t>(std::max<hssize_t>(0, H5Sget_simple_extent_npoints(space)));
  const bool padded = H5Tget_strpad(type) == H5T_STR_SPACEPAD;
  std::optional<TextHeaps> heaps;
  if (H5Tis_variable_str(type) > 0) heaps.emplace(attribute, where);
  const std::size_t bytes = heaps ? heaps->reference_bytes() : H5Tget_size(type);
  if (count > kMostTexts || bytes > kLongestText)
    throw DataError(cat(where, ": has ", count, " texts of ", bytes, " bytes; want names of classes"));
  std::vector<std::byte> raw(count * bytes);
  if (count && H5Aread(attribute, heaps ? heaps->reference_type() : hid_t{type}, raw.data()) < 0)
    throw DataError(cat(where, ": cannot read: ", hdf5_reason()));
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i)
    texts.emplace_back(heaps ? heaps->text(&raw[i * bytes]) : fixed_text(&raw[i * bytes], bytes, padded));
  return texts;
}

}  // namespace entrain::sharding
