#pragma once
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sharding/hdf5_file.hpp"
#include "sharding/image_shape.hpp"

namespace entrain::sharding {

/// How the images of one dataset lie in it.
struct StoredImages {
  ImageShape shape;
  std::int64_t num_rows = 0;
  bool channels_first = false;  ///< NCHW: transposed on read
};

/// Reads a dataset's description as images. axes: auto | NHW | NHWC | NCHW. DataError for a wrong rank,
/// ragged rows, an element type that is not u8, u16 or f32, channels that are not 1 or 3, or no rows.
StoredImages as_images(const DatasetInfo& info, const std::string& axes, const std::string& where);

/// The images of many files behind one numbering. Opens a file when it is first read and keeps the most
/// recently used ones open, so that ten thousand files do not run out of descriptors. Any thread may call.
class ImageReader {
 public:
  ImageReader(std::string dataset, std::string axes) : dataset_(std::move(dataset)), axes_(std::move(axes)) {}

  /// Takes the file in; DataError where it differs in shape or type from the first. Returns its rows.
  std::int64_t add(const Hdf5File& file);

  const ImageShape& shape() const { return shape_; }
  std::int64_t num_rows() const { return first_rows_.back(); }
  std::size_t num_files() const { return paths_.size(); }
  const std::string& path(std::size_t file) const { return paths_[file]; }
  const std::string& dataset() const { return dataset_; }
  std::int64_t first_row(std::size_t file) const {
    return first_rows_[file];
  }  ///< also of num_files(): the end
  std::size_t file_of(std::int64_t row) const;

  /// One image by its row number over all files: HWC, host byte order.
  void read(std::int64_t row, std::byte* out);

 private:
  Hdf5File::Rows& rows_of(std::size_t file);

  std::string dataset_, axes_;
  ImageShape shape_;
  std::vector<std::string> paths_;
  std::vector<char> channels_first_;
  std::vector<std::int64_t> first_rows_{0};
  std::mutex mutex_;
  std::vector<std::optional<Hdf5File::Rows>> open_;
  std::list<std::size_t> recent_;  // files open now, the latest first
};

}  // namespace entrain::sharding
