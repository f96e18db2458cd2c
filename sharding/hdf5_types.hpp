#pragma once
#include <functional>
#include <optional>

#include "sharding/hdf5_file.hpp"
#include "sharding/hdf5_heap.hpp"
#include "sharding/hdf5_library.hpp"

// Private to sharding, like hdf5_library.hpp. Call all of it under an Hdf5Lock.
namespace entrain::sharding {

/// DataError for what libhdf5 would not have written.
DatasetInfo describe(const H5Dataset& dataset, const std::string& name, const std::string& path);

/// DataError unless a dataset has one value per row: dims [N], [N, 1], [N, 1, 1], ...
void require_one_per_row(const DatasetInfo& info, const std::string& where);

/// Reads the text of a fixed or variable-length string dataset.
class TextReader {
 public:
  TextReader(const H5Dataset& dataset, const std::string& where);
  void read(std::int64_t first, std::int64_t count,
            const std::function<void(std::int64_t, std::string_view)>& take);
  /// How many rows fit into a moderate amount of memory.
  std::int64_t rows_at_once() const;

 private:
  const H5Dataset& dataset_;
  std::string where_;
  H5Type type_;
  std::optional<TextHeaps> heaps_;  // of texts of variable length
  bool space_padded_ = false;
  std::size_t bytes_ = 0;
};

/// One string or a list of them.
std::vector<std::string> read_text_attribute(const H5Attribute& attribute, const std::string& where);

}  // namespace entrain::sharding
