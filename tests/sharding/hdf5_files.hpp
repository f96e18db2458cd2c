#pragma once
#include <hdf5.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "configs/run_config.hpp"

namespace entrain::tests {

/// Writes HDF5 files of any layout through the C library, sharing nothing with sharding/hdf5_writer.
class TestFile {
 public:
  explicit TestFile(const std::string& path);
  ~TestFile();
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;

  struct Storage {
    std::vector<hsize_t> chunk;  ///< empty: contiguous
    int gzip = 0;                ///< 0: none
    bool shuffle = false;
  };
  template <typename T>
  void array(const std::string& name, const std::vector<hsize_t>& dims, const std::vector<T>& values,
             hid_t file_type, const Storage& storage = {}) {
    write(name, dims, file_type, memory_type(T{}), values.data(), storage);
  }
  void bytes(const std::string& name, const std::vector<hsize_t>& dims,
             const std::vector<std::uint8_t>& values) {
    array(name, dims, values, H5T_STD_U8LE);
  }
  void integers(const std::string& name, const std::vector<std::int64_t>& values) {
    array(name, {values.size()}, values, H5T_STD_I64LE);
  }
  enum class TextKind { kVariable, kNulTerminated, kNulPadded, kSpacePadded };
  void texts(const std::string& name, const std::vector<std::string>& values,
             TextKind kind = TextKind::kVariable);
  void text_list_attribute(const std::string& object, const std::string& name,
                           const std::vector<std::string>& values);
  void ragged(const std::string& name, hsize_t rows);
  void group(const std::string& name);
  /// Declared, in chunks of one row, and never written: room on disk for none of it.
  void unwritten(const std::string& name, const std::vector<hsize_t>& dims, hid_t type);
  void external_link(const std::string& name, const std::string& other_file, const std::string& other_name);

 private:
  static hid_t memory_type(std::uint8_t) { return H5T_NATIVE_UINT8; }
  static hid_t memory_type(std::uint16_t) { return H5T_NATIVE_UINT16; }
  static hid_t memory_type(float) { return H5T_NATIVE_FLOAT; }
  static hid_t memory_type(std::uint64_t) { return H5T_NATIVE_UINT64; }
  static hid_t memory_type(std::int64_t) { return H5T_NATIVE_INT64; }
  void write(const std::string& name, const std::vector<hsize_t>& dims, hid_t file_type, hid_t type,
             const void* values, const Storage& storage);
  hid_t file_;
};

/// Value of a pixel in the files of these tests; never the same for two neighbours.
constexpr int pixel(std::int64_t row, std::int64_t y, std::int64_t x, std::int64_t c) {
  return static_cast<int>((37 * row + 11 * y + 5 * x + 3 * c) % 251);
}

/// [rows, side, side] of pixel(): a file that can be read, for tests that spoil something else.
void write_plain_images(TestFile& file, std::int64_t rows, std::int64_t side = 4,
                        const std::string& name = "/images");

DataSection data_of(const std::string& path);

/// The message of the DataError that `call` throws; "" if it throws none.
std::string data_error_of(const std::function<void()>& call);

}  // namespace entrain::tests
