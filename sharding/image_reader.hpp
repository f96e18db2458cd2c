#pragma once
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "sharding/chunks/data_file.hpp"
#include "sharding/hdf5_file.hpp"
#include "sharding/image_shape.hpp"
#include "sharding/slab_cache.hpp"

namespace entrain::sharding {

/// How the images of one dataset lie in it.
struct StoredImages {
  ImageShape shape;
  std::int64_t num_rows = 0;
  bool channels_first = false;  ///< NCHW: transposed on read
};

/// Reads a dataset's description as images. axes: auto | NHW | NHWC | NCHW. DataError for a wrong rank,
/// ragged rows, an element type that cannot be handed out, channels that are not 1 or 3, or no rows.
StoredImages as_images(const DatasetInfo& info, const std::string& axes, const std::string& where);

/// Bytes of decoded slabs that a reader keeps.
inline constexpr std::size_t kDecodedSlabs = std::size_t{1} << 30;

/// The images of many files behind one numbering. Where the storage allows it threads read and decode side by side,
/// without libhdf5; else through it, one at a time. Slabs of several rows are kept within a budget of bytes. Keeps the
/// most recently used files open, so that ten thousand do not run out of descriptors. Any thread may call.
class ImageReader {
 public:
  ImageReader(std::string dataset, std::string axes, std::size_t cache_bytes);
  ~ImageReader();

  /// Takes the file in; DataError where it differs in shape or type from the first. Returns its rows.
  std::int64_t add(const Hdf5File& file);

  const ImageShape& shape() const { return shape_; }
  std::int64_t num_rows() const { return first_rows_.back(); }
  std::size_t num_files() const { return sources_.size(); }
  const std::string& path(std::size_t file) const;
  const std::string& dataset() const { return dataset_; }
  std::int64_t first_row(std::size_t file) const {
    return first_rows_[file];
  }  ///< also of num_files(): the end
  std::size_t file_of(std::int64_t row) const;
  /// Rows of a file that are decoded together; 1: each by itself.
  std::int64_t rows_per_slab(std::size_t file) const;
  std::size_t slab_bytes(std::size_t file) const;
  /// For people: how a file is read, and why not faster.
  std::string how(std::size_t file) const;

  /// One image by its row number over all files: HWC, host byte order.
  void read(std::int64_t row, std::byte* out);

 private:
  struct Source;
  std::shared_ptr<const DataFile> opened(std::size_t file);
  void read_through_library(std::size_t file, std::int64_t row, std::byte* out);
  void read_stored(std::size_t file, std::int64_t row, std::span<std::byte> out);
  void touch(std::size_t file);

  std::string dataset_, axes_;
  ImageShape shape_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<std::int64_t> first_rows_{0};
  SlabCache slabs_;
  std::mutex mutex_;               // of what follows, and of what sources keep open
  std::list<std::size_t> recent_;  // files open now, the latest first
};

}  // namespace entrain::sharding
