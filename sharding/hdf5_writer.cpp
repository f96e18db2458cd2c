#include "sharding/hdf5_writer.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "sharding/hdf5_library.hpp"

namespace entrain::sharding {
namespace {

// Text of the length of the longest value (at least 1: HDF5 has no empty type), padded with NULs, UTF-8.
H5Type text_type(std::size_t length) {
  H5Type type(H5Tcopy(H5T_C_S1), "text type");
  H5Tset_size(type, std::max<std::size_t>(1, length));
  H5Tset_strpad(type, length == H5T_VARIABLE ? H5T_STR_NULLTERM : H5T_STR_NULLPAD);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

std::vector<char> packed(const std::vector<std::string>& values, std::size_t length) {
  std::vector<char> bytes(values.size() * std::max<std::size_t>(1, length), '\0');
  for (std::size_t i = 0; i < values.size(); ++i)
    std::memcpy(bytes.data() + i * length, values[i].data(), values[i].size());
  return bytes;
}

std::size_t longest(const std::vector<std::string>& values) {
  std::size_t length = 0;
  for (const auto& value : values) length = std::max(length, value.size());
  return length;
}

hid_t type_in_memory(ElementType type) {
  return type == ElementType::kU8    ? H5T_NATIVE_UINT8
         : type == ElementType::kU16 ? H5T_NATIVE_UINT16
                                     : H5T_NATIVE_FLOAT;
}
hid_t type_in_file(ElementType type) {
  return type == ElementType::kU8 ? H5T_STD_U8LE : type == ElementType::kU16 ? H5T_STD_U16LE : H5T_IEEE_F32LE;
}

// At once: closing a handle makes libhdf5 forget the reason.
void must(bool done) {
  if (!done) throw Hdf5Failure("", hdf5_reason());
}

void write_numbers(hid_t file, const std::string& dataset, hsize_t count, hid_t in_file, hid_t in_memory,
                   const void* values) {
  const H5Space space(H5Screate_simple(1, &count, nullptr), dataset);
  const H5Dataset out(
      H5Dcreate2(file, dataset.c_str(), in_file, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), dataset);
  must(H5Dwrite(out, in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
}
}  // namespace

struct Hdf5Writer::Handles {
  H5File file;
  H5Dataset images;
  ImageShape shape;
  std::int64_t capacity = 0, appended = 0;
  bool hashed = false;
  std::vector<std::uint64_t> hashes;  // of the images appended
};

Hdf5Writer::Hdf5Writer(const std::string& path, bool overwrite)
    : file_(path, overwrite), handles_(std::make_unique<Handles>()) {
  require_memory_for_file();
  guarded("its header", [&] {
    handles_->file = H5File(H5Fcreate(file_.path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), path);
  });
}

Hdf5Writer::~Hdf5Writer() = default;

// Runs what calls libhdf5. After a failure nothing is closed any more: the file is lost, and closing would write.
void Hdf5Writer::guarded(const std::string& what, const std::function<void()>& write) {
  const Hdf5Lock lock;
  std::string reason;
  try {
    return write();
  } catch (const Hdf5Failure& failure) {
    reason = failure.reason;
  }
  handles_->images.leak();
  handles_->file.leak();
  throw CheckpointError(
      cat("cannot write ", file_.target(), " (", what, "): ", reason, "; nothing was written"));
}

void Hdf5Writer::create_images(const std::string& dataset, const ImageShape& shape, std::int64_t num_rows,
                               Storage storage) {
  std::vector<hsize_t> dims = {static_cast<hsize_t>(num_rows), static_cast<hsize_t>(shape.height),
                               static_cast<hsize_t>(shape.width)};
  if (shape.channels > 1) dims.push_back(static_cast<hsize_t>(shape.channels));
  guarded(dataset, [&] {
    const H5Properties properties(H5Pcreate(H5P_DATASET_CREATE), dataset);
    if (storage == Storage::kRowChunks) {
      auto chunk = dims;
      chunk[0] = 1;
      H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data());
    }
    const H5Space space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), dataset);
    handles_->images = H5Dataset(H5Dcreate2(handles_->file, dataset.c_str(), type_in_file(shape.type), space,
                                            H5P_DEFAULT, properties, H5P_DEFAULT),
                                 dataset);
  });
  handles_->shape = shape;
  handles_->capacity = num_rows;
  handles_->hashed = dataset == "/images";
}

void Hdf5Writer::append_images(const std::byte* bytes, std::int64_t count) {
  Handles& h = *handles_;
  guarded(cat("images ", h.appended, " to ", h.appended + count - 1), [&] {
    const H5Space file_space(H5Dget_space(h.images), file_.target());
    std::vector<hsize_t> start(static_cast<std::size_t>(H5Sget_simple_extent_ndims(file_space)), 0),
        size(start.size());
    H5Sget_simple_extent_dims(file_space, size.data(), nullptr);
    start[0] = static_cast<hsize_t>(h.appended);
    size[0] = static_cast<hsize_t>(count);
    const H5Space memory_space(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr),
                               file_.target());
    must(H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr) >= 0 &&
         H5Dwrite(h.images, type_in_memory(h.shape.type), memory_space, file_space, H5P_DEFAULT, bytes) >= 0);
  });
  h.appended += count;
  for (std::int64_t row = 0; row < count; ++row)
    h.hashes.push_back(XXH3_64bits(bytes + static_cast<std::size_t>(row) * h.shape.bytes(), h.shape.bytes()));
}

void Hdf5Writer::texts(const std::string& dataset, const std::vector<std::string>& values) {
  guarded(dataset, [&] {
    const std::size_t length = longest(values);
    const H5Type type = text_type(length);
    const hsize_t count = values.size();
    const H5Space space(H5Screate_simple(1, &count, nullptr), dataset);
    const H5Dataset out(
        H5Dcreate2(handles_->file, dataset.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
        dataset);
    must(H5Dwrite(out, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, packed(values, length).data()) >= 0);
  });
}

void Hdf5Writer::integers(const std::string& dataset, const std::vector<std::int64_t>& values) {
  guarded(dataset, [&] {
    write_numbers(handles_->file, dataset, values.size(), H5T_STD_I64LE, H5T_NATIVE_INT64, values.data());
  });
}

// Variable length: h5py then gives str, not bytes.
void Hdf5Writer::write_text_attribute(const std::string& object, const std::string& name,
                                      const std::vector<std::string>& texts, bool list) {
  guarded(cat("attribute ", name), [&] {
    const H5Type type = text_type(H5T_VARIABLE);
    const hsize_t count = texts.size();
    const H5Space space(list ? H5Screate_simple(1, &count, nullptr) : H5Screate(H5S_SCALAR), name);
    const H5Attribute out(H5Acreate_by_name(handles_->file, object.c_str(), name.c_str(), type, space,
                                            H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                          name);
    std::vector<const char*> pointers;
    for (const auto& text : texts) pointers.push_back(text.c_str());
    must(H5Awrite(out, type, pointers.data()) >= 0);
  });
}

void Hdf5Writer::attribute(const std::string& object, const std::string& name,
                           const std::vector<std::string>& texts) {
  write_text_attribute(object, name, texts, true);
}

void Hdf5Writer::attribute(const std::string& object, const std::string& name, const std::string& text) {
  write_text_attribute(object, name, {text}, false);
}

void Hdf5Writer::attribute(const std::string& object, const std::string& name, std::int64_t number) {
  guarded(cat("attribute ", name), [&] {
    const H5Space space(H5Screate(H5S_SCALAR), name);
    const H5Attribute out(H5Acreate_by_name(handles_->file, object.c_str(), name.c_str(), H5T_STD_I64LE,
                                            space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                          name);
    must(H5Awrite(out, H5T_NATIVE_INT64, &number) >= 0);
  });
}

void Hdf5Writer::commit() {
  Handles& h = *handles_;
  guarded("the number of images", [&] {
    if (h.capacity == h.appended) return;
    const H5Space space(H5Dget_space(h.images), file_.target());
    std::vector<hsize_t> size(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
    H5Sget_simple_extent_dims(space, size.data(), nullptr);
    size[0] = static_cast<hsize_t>(h.appended);
    must(H5Dset_extent(h.images, size.data()) >= 0);
  });
  guarded(kHashes, [&] {
    if (h.hashed)
      write_numbers(h.file, kHashes, h.hashes.size(), H5T_STD_U64LE, H5T_NATIVE_UINT64, h.hashes.data());
  });
  guarded("its last bytes", [&] {
    must(H5Fflush(h.file, H5F_SCOPE_GLOBAL) >= 0);
    must(h.images.close() && h.file.close());
  });
  file_.commit();
}

}  // namespace entrain::sharding
