#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sharding/image_shape.hpp"
#include "sharding/temporary_file.hpp"

namespace entrain::sharding {

/// Writes one HDF5 file that h5py reads: uncompressed images, text as fixed-length UTF-8. It is written under a
/// temporary name beside `path` and takes its name in commit(); without that, nothing is left behind.
/// All failures are CheckpointErrors that name the file; after one, only the destructor may follow.
class Hdf5Writer {
 public:
  /// CheckpointError if `path` cannot be written there or exists and may not be replaced (TemporaryFile).
  Hdf5Writer(const std::string& path, bool overwrite);
  ~Hdf5Writer();
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;

  enum class Storage {
    kContiguous,  ///< exactly `num_rows` rows
    kRowChunks,   ///< one row per chunk; commit() cuts the dataset to the rows that were appended
  };
  /// One per image, written with /images: XXH3-64 of its bytes as the corpus reads them (HWC, host order), unsigned 64-bit.
  static constexpr const char* kHashes = "/xxh3";
  /// Makes [N, H, W] for one channel, [N, H, W, C] else.
  void create_images(const std::string& dataset, const ImageShape& shape, std::int64_t num_rows,
                     Storage storage);
  /// Appends rows; `bytes` holds `count` of them.
  void append_images(const std::byte* bytes, std::int64_t count);
  void texts(const std::string& dataset, const std::vector<std::string>& values);
  void integers(const std::string& dataset, const std::vector<std::int64_t>& values);
  /// A text attribute of a dataset, or of the file ("/").
  void attribute(const std::string& object, const std::string& name, const std::string& text);
  void attribute(const std::string& object, const std::string& name, const std::vector<std::string>& texts);
  void attribute(const std::string& object, const std::string& name, std::int64_t number);

  /// Closes, fsyncs, renames to `path` and fsyncs the folder.
  void commit();

 private:
  struct Handles;
  void write_text_attribute(const std::string& object, const std::string& name,
                            const std::vector<std::string>& texts, bool list);
  void guarded(const std::string& what, const std::function<void()>& write);
  TemporaryFile file_;
  std::unique_ptr<Handles> handles_;
};

}  // namespace entrain::sharding
