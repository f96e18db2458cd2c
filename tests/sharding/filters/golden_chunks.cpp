#include "tests/sharding/filters/golden_chunks.hpp"

#include <hdf5.h>

#include <array>
#include <stdexcept>

namespace entrain::tests {
namespace {

hid_t opened(hid_t id, const std::string& what) {
  if (id < 0) throw std::runtime_error("cannot open " + what);
  return id;
}

std::vector<sharding::Filter> filters_of(hid_t dataset) {
  const hid_t properties = opened(H5Dget_create_plist(dataset), "properties");
  std::vector<sharding::Filter> out;
  for (int i = 0; i < H5Pget_nfilters(properties); ++i) {
    std::array<unsigned, 32> values{};
    std::array<char, 256> name{};
    std::size_t count = values.size();
    unsigned flags = 0;
    const int id = H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &count, values.data(),
                                  name.size() - 1, name.data(), nullptr);
    out.push_back({id,
                   (flags & H5Z_FLAG_OPTIONAL) != 0,
                   {values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count)},
                   name.data()});
  }
  H5Pclose(properties);
  return out;
}

ByteVector raw_of(hid_t file, hid_t dataset) {
  const hid_t attribute = opened(H5Aopen(dataset, "raw", H5P_DEFAULT), "attribute raw");
  const hid_t text = H5Aget_type(attribute);
  char* name = nullptr;  // h5py writes text of variable length
  if (H5Tis_variable_str(text) <= 0 || H5Aread(attribute, text, &name) < 0)
    throw std::runtime_error("attribute raw");
  const hid_t raw = opened(H5Dopen2(file, (std::string("raw/") + name).c_str(), H5P_DEFAULT), name);
  H5free_memory(name);
  const hid_t type = H5Dget_type(raw), space = H5Dget_space(raw);
  ByteVector out(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)) * H5Tget_size(type));
  if (H5Dread(raw, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data()) < 0) throw std::runtime_error("raw");
  H5Sclose(space);
  H5Tclose(type);
  H5Dclose(raw);
  H5Tclose(text);
  H5Aclose(attribute);
  return out;
}

GoldenChunk read(hid_t file, const std::string& name) {
  const hid_t dataset = opened(H5Dopen2(file, ("cases/" + name).c_str(), H5P_DEFAULT), name);
  GoldenChunk out{name, filters_of(dataset), 0, {}, raw_of(file, dataset)};
  const hsize_t offset[] = {0};
  hsize_t bytes = 0;
  if (H5Dget_chunk_storage_size(dataset, offset, &bytes) < 0) throw std::runtime_error(name);
  out.stored.resize(bytes);
  if (H5Dread_chunk(dataset, H5P_DEFAULT, offset, &out.mask, out.stored.data()) < 0)
    throw std::runtime_error(name);
  H5Dclose(dataset);
  return out;
}

std::vector<GoldenChunk> read_all() {
  const std::string path = ENTRAIN_SOURCE_DIR "/tests/reference/sharding/filters.h5";
  const hid_t file = opened(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), path);
  const hid_t group = opened(H5Gopen2(file, "cases", H5P_DEFAULT), "cases");
  H5G_info_t info{};
  H5Gget_info(group, &info);
  std::vector<GoldenChunk> out;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    std::array<char, 200> name{};
    H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(), name.size(), H5P_DEFAULT);
    out.push_back(read(file, name.data()));
  }
  H5Gclose(group);
  H5Fclose(file);
  return out;
}

}  // namespace

const std::vector<GoldenChunk>& golden_chunks() {
  static const std::vector<GoldenChunk> chunks = read_all();
  return chunks;
}

const GoldenChunk& golden_chunk(const std::string& name) {
  for (const auto& chunk : golden_chunks())
    if (chunk.name == name) return chunk;
  throw std::runtime_error("no golden chunk " + name);
}

}  // namespace entrain::tests
