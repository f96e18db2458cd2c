#include "tests/sharding/hdf5_files.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "configs/error.hpp"

namespace entrain::tests {
namespace {
hid_t good(hid_t id) {
  if (id < 0) throw std::runtime_error("libhdf5 failed in a test's own file");
  return id;
}
}  // namespace

TestFile::TestFile(const std::string& path)
    : file_(good(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT))) {}
TestFile::~TestFile() { H5Fclose(file_); }

void TestFile::write(const std::string& name, const std::vector<hsize_t>& dims, hid_t file_type, hid_t type,
                     const void* values, const Storage& storage) {
  const hid_t properties = good(H5Pcreate(H5P_DATASET_CREATE));
  if (!storage.chunk.empty())
    good(H5Pset_chunk(properties, static_cast<int>(storage.chunk.size()), storage.chunk.data()));
  if (storage.shuffle) good(H5Pset_shuffle(properties));
  if (storage.gzip) good(H5Pset_deflate(properties, static_cast<unsigned>(storage.gzip)));
  const hid_t space = good(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr));
  const hid_t set =
      good(H5Dcreate2(file_, name.c_str(), file_type, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  good(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values));
  H5Dclose(set);
  H5Sclose(space);
  H5Pclose(properties);
}

void TestFile::texts(const std::string& name, const std::vector<std::string>& values, TextKind kind) {
  const hid_t type = good(H5Tcopy(H5T_C_S1));
  if (kind == TextKind::kVariable) {
    good(H5Tset_size(type, H5T_VARIABLE));
    std::vector<const char*> pointers;
    for (const auto& value : values) pointers.push_back(value.c_str());
    write(name, {values.size()}, type, type, pointers.data(), {});
  } else {
    std::size_t size = 1;
    for (const auto& value : values)
      size = std::max(size, value.size() + (kind == TextKind::kNulTerminated ? 1 : 0));
    good(H5Tset_size(type, size));
    H5Tset_strpad(type, kind == TextKind::kNulTerminated ? H5T_STR_NULLTERM
                        : kind == TextKind::kNulPadded   ? H5T_STR_NULLPAD
                                                         : H5T_STR_SPACEPAD);
    std::string packed;
    for (const auto& value : values)
      packed += value + std::string(size - value.size(), kind == TextKind::kSpacePadded ? ' ' : '\0');
    write(name, {values.size()}, type, type, packed.data(), {});
  }
  H5Tclose(type);
}

void TestFile::text_list_attribute(const std::string& object, const std::string& name,
                                   const std::vector<std::string>& values) {
  const hid_t type = good(H5Tcopy(H5T_C_S1));
  good(H5Tset_size(type, H5T_VARIABLE));
  const hsize_t count = values.size();
  const hid_t space = good(H5Screate_simple(1, &count, nullptr));
  const hid_t attribute = good(H5Acreate_by_name(file_, object.c_str(), name.c_str(), type, space,
                                                 H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  std::vector<const char*> pointers;
  for (const auto& value : values) pointers.push_back(value.c_str());
  good(H5Awrite(attribute, type, pointers.data()));
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
}

void TestFile::ragged(const std::string& name, hsize_t rows) {
  const hid_t type = good(H5Tvlen_create(H5T_NATIVE_UINT8));
  std::vector<std::uint8_t> bytes(8, 7);
  std::vector<hvl_t> values(rows);
  for (std::size_t i = 0; i < rows; ++i) values[i] = {1 + i % 8, bytes.data()};
  write(name, {rows}, type, type, values.data(), {});
  H5Tclose(type);
}

void TestFile::group(const std::string& name) {
  H5Gclose(good(H5Gcreate2(file_, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)));
}

void TestFile::unwritten(const std::string& name, const std::vector<hsize_t>& dims, hid_t type) {
  const hid_t properties = good(H5Pcreate(H5P_DATASET_CREATE));
  auto chunk = dims;
  chunk[0] = 1;
  for (hsize_t& side : chunk) side = std::min<hsize_t>(side, 1000);
  good(H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data()));
  const hid_t space = good(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr));
  H5Dclose(good(H5Dcreate2(file_, name.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT)));
  H5Sclose(space);
  H5Pclose(properties);
}

void TestFile::external_link(const std::string& name, const std::string& other_file,
                             const std::string& other_name) {
  good(H5Lcreate_external(other_file.c_str(), other_name.c_str(), file_, name.c_str(), H5P_DEFAULT,
                          H5P_DEFAULT));
}

void write_plain_images(TestFile& file, std::int64_t rows, std::int64_t side, const std::string& name) {
  std::vector<std::uint8_t> values;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t y = 0; y < side; ++y)
      for (std::int64_t x = 0; x < side; ++x) values.push_back(static_cast<std::uint8_t>(pixel(r, y, x, 0)));
  file.bytes(name, {static_cast<hsize_t>(rows), static_cast<hsize_t>(side), static_cast<hsize_t>(side)},
             values);
}

DataSection data_of(const std::string& path) {
  DataSection data;
  data.files = {path};
  return data;
}

std::string data_error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

}  // namespace entrain::tests
