#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/file_system.hpp"

namespace entrain::checkpoint {

/// In safetensors' own order (by alignment): its writer puts the last of these first.
enum class DType {
  kBool,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kF8E8M0,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kF64,
  kI64,
  kU64
};

const char* dtype_name(DType dtype);                      ///< "F32"
std::size_t dtype_bytes(DType dtype);                     ///< of one element
bool parse_dtype(const std::string& name, DType& dtype);  ///< false: unknown

/// A tensor that somebody else owns: C order, little endian. `data` need not be aligned to the dtype.
struct TensorView {
  std::string name{};
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape{};  ///< {}: a scalar
  const std::byte* data = nullptr;
  std::size_t bytes() const;  ///< of the whole tensor
};

using Metadata = std::map<std::string, std::string>;

/// The bytes before the data: 8 bytes of length, JSON, spaces up to a multiple of 8. The same bytes as the
/// reference writer (safetensors 0.8.0) for the same tensors and at most one metadata entry (it writes
/// several in random order, we sort them). `order` receives the place in `tensors` of what follows, in the
/// order of the data. CheckpointError on two tensors of one name, on one named __metadata__, on a name that
/// is not UTF-8.
std::string safetensors_header(const std::vector<TensorView>& tensors, const Metadata& metadata,
                               std::vector<std::size_t>& order);

/// A whole file, written beside `path`, synced, and renamed to it: nobody ever sees half of it.
void write_safetensors(const std::string& path, const std::vector<TensorView>& tensors,
                       const Metadata& metadata, FileSystem& files = real_file_system());

/// A safetensors file, mapped. Refused, with the file and the tensor named: holes, overlaps, bytes before or
/// after the data, a size unlike the shape, unknown dtypes, metadata that is not text, padding with NUL,
/// repeated names, a space before '{', more than 64 dimensions, a header above 100,000,000 bytes. Accepted: a
/// header not padded, entries in any order, unaligned data, extra keys. Nothing is allocated by a number that
/// the file merely claims.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);
  const std::string& path() const { return path_; }
  const std::vector<TensorView>& tensors() const { return tensors_; }  ///< by name
  const Metadata& metadata() const { return metadata_; }
  const TensorView* find(const std::string& name) const;  ///< nullptr: not here
  const TensorView& at(const std::string& name) const;    ///< CheckpointError: not here

 private:
  std::string path_;
  std::shared_ptr<const std::byte> mapping_;
  std::vector<TensorView> tensors_;
  Metadata metadata_;
};

}  // namespace entrain::checkpoint
