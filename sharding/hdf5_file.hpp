#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace entrain::sharding {

/// What the elements of a dataset are, in the file's own terms.
enum class StoredKind { kUnsigned, kSigned, kFloat, kText, kRagged, kOther };

/// How one dataset is stored, without reading it.
struct DatasetInfo {
  std::string path;
  std::vector<std::int64_t> dims;
  StoredKind kind = StoredKind::kOther;
  std::size_t element_bytes = 0;
  std::string type_name;             ///< for people: "uint16 big-endian", "text (fixed, 12)"
  std::string layout;                ///< contiguous | chunked | compact | virtual
  std::vector<std::int64_t> chunk;   ///< chunked only
  std::vector<std::string> filters;  ///< in the order of writing: shuffle, gzip 4, ...
  std::int64_t stored_bytes = 0;
  std::int64_t raw_bytes() const;  ///< without compression; the largest number where it has no end
  std::string dims_text() const;   ///< "512 x 64 x 64"
};

/// One HDF5 file opened for reading through libhdf5. Any thread may call; libhdf5 is behind one lock.
/// Every failure is a DataError that names the file and, where there is one, the dataset.
class Hdf5File {
 public:
  explicit Hdf5File(const std::string& path);
  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) noexcept;
  ~Hdf5File();

  const std::string& path() const;
  /// Every dataset of the file, by path, groups descended into, links followed; at most `limit`.
  std::vector<std::string> datasets(std::size_t limit = 1000) const;
  bool has(const std::string& dataset) const;
  /// Throws if there is none, with the datasets the file has and the nearest name.
  DatasetInfo info(const std::string& dataset) const;

  /// Calls `take(row, text)` for all rows of a text dataset, or of an integer one, whose numbers come as
  /// decimal text. Axes after the first must be 1 long.
  void each_text(const std::string& dataset,
                 const std::function<void(std::int64_t, std::string_view)>& take) const;
  /// All rows of an integer dataset. Axes after the first must be 1 long; numbers must fit.
  std::vector<std::int64_t> integers(const std::string& dataset) const;
  /// All rows of an unsigned 64-bit dataset.
  std::vector<std::uint64_t> unsigned_integers(const std::string& dataset) const;
  /// A text attribute of a dataset ("/" for the file), one string or a list; empty where there is none.
  std::vector<std::string> text_attribute(const std::string& object, const std::string& name) const;

  /// Opens a dataset for read_row() and keeps it open.
  class Rows;
  Rows rows(const std::string& dataset) const;

 private:
  struct Handles;
  template <typename T>  // type: hid_t
  void read_numbers(const DatasetInfo& info, const std::string& where, std::int64_t type,
                    std::vector<T>& numbers) const;
  std::unique_ptr<Handles> handles_;
};

/// Reads single rows of a dataset of numbers, as the types of handed_out_as() (element_conversion.hpp).
class Hdf5File::Rows {
 public:
  Rows(Rows&&) noexcept;
  Rows& operator=(Rows&&) noexcept;
  ~Rows();
  /// `out` holds one row; throws DataError("file:dataset row r: reason").
  void read(std::int64_t row, std::byte* out);

 private:
  friend class Hdf5File;
  struct Handles;
  explicit Rows(std::unique_ptr<Handles> handles);
  std::unique_ptr<Handles> handles_;
};

/// "1.10.8"
std::string hdf5_version();

}  // namespace entrain::sharding
