#include "sharding/image_reader.hpp"

#include <algorithm>
#include <cstring>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::sharding {
namespace {
constexpr std::size_t kOpenFiles = 128;

bool is_channels(std::int64_t n) { return n == 1 || n == 3; }

ElementType element_type(const DatasetInfo& info, const std::string& where) {
  if (info.kind == StoredKind::kRagged)
    throw DataError(
        cat(where, ": ragged rows; every image must have the same shape. Resize them (entrain ingest)"));
  if (info.kind == StoredKind::kUnsigned && info.element_bytes == 1) return ElementType::kU8;
  if (info.kind == StoredKind::kUnsigned && info.element_bytes == 2) return ElementType::kU16;
  if (info.kind == StoredKind::kFloat && info.element_bytes == 4) return ElementType::kF32;
  throw DataError(cat(where, ": elements are ", info.type_name, "; images must be uint8, uint16 or float32"));
}

std::string text(const ImageShape& s) {
  return cat(s.height, " x ", s.width, " x ", s.channels, " ", name_of(s.type));
}

std::string guess_axes(const DatasetInfo& info, const std::string& where) {
  if (info.dims.size() == 3) return "NHW";
  if (is_channels(info.dims[3])) return "NHWC";
  if (is_channels(info.dims[1])) return "NCHW";
  throw DataError(cat(where, ": shape ", info.dims_text(),
                      " has neither 1 nor 3 channels in its last or second axis; ",
                      "store the channels to be learned from, 1 or 3 of them"));
}

// A few bytes can declare more than any machine holds. gzip packs at most 1032 to 1.
void require_sane_size(const DatasetInfo& info, const ImageShape& shape, const std::string& where) {
  constexpr double kLargestImage = 2147483648.0, kMostPacked = 1100, kAlwaysFine = 1 << 30;
  double image = static_cast<double>(info.element_bytes);
  for (std::size_t axis = 1; axis < info.dims.size(); ++axis) image *= static_cast<double>(info.dims[axis]);
  if (image > kLargestImage)
    throw DataError(
        cat(where, ": one image is ", text(shape), ", ", image / 1e9,
            " GB; the largest that can be read is 2.1 GB. Store smaller ones (entrain ingest), or tiles"));
  const double raw = image * static_cast<double>(info.dims[0]),
               stored = static_cast<double>(info.stored_bytes);
  if (info.layout != "virtual" && raw > kAlwaysFine && raw > kMostPacked * stored)
    throw DataError(cat(where, ": shape ", info.dims_text(), " is ", raw / 1e9, " GB but only ",
                        info.stored_bytes,
                        " bytes of it were ever written; write the images, or declare fewer"));
}

template <typename T>
void planes_to_pixels(const std::byte* planes, std::byte* pixels, std::int64_t num_pixels,
                      std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t p = 0; p < num_pixels; ++p)
      std::memcpy(pixels + (p * channels + c) * sizeof(T), planes + (c * num_pixels + p) * sizeof(T),
                  sizeof(T));
}

void planes_to_pixels(const std::byte* planes, std::byte* pixels, const ImageShape& s) {
  const auto convert = s.type == ElementType::kU8    ? planes_to_pixels<std::uint8_t>
                       : s.type == ElementType::kU16 ? planes_to_pixels<std::uint16_t>
                                                     : planes_to_pixels<float>;
  convert(planes, pixels, s.height * s.width, s.channels);
}
}  // namespace

StoredImages as_images(const DatasetInfo& info, const std::string& axes, const std::string& where) {
  const ElementType type = element_type(info, where);
  const auto rank = info.dims.size();
  if (rank != 3 && rank != 4)
    throw DataError(cat(where, ": shape ", info.dims_text(), " has ", rank,
                        " axes; images want 3 (N, H, W) or 4 (N, H, W, C)"));
  const std::string order = axes == "auto" ? guess_axes(info, where) : axes;
  if (order != "NHW" && order != "NHWC" && order != "NCHW")
    throw ConfigError(cat("data.axes: want auto, NHW, NHWC or NCHW, got \"", axes, "\""));
  if (order.size() != rank)
    throw DataError(cat(where, ": data.axes is ", order, " but the shape is ", info.dims_text()));
  const auto& d = info.dims;
  StoredImages images{.shape = {d[1], d[2], 1, type}, .num_rows = d[0], .channels_first = order == "NCHW"};
  if (order == "NHWC") images.shape = {d[1], d[2], d[3], type};
  if (order == "NCHW") images.shape = {d[2], d[3], d[1], type};
  if (images.num_rows == 0) throw DataError(cat(where, ": has no rows (shape ", info.dims_text(), ")"));
  const bool empty = images.shape.height == 0 || images.shape.width == 0;
  if (!is_channels(images.shape.channels) || empty)
    throw DataError(cat(where, ": read as ", order, ", shape ", info.dims_text(), " gives ",
                        text(images.shape), "; want 1 or 3 channels and no empty axis"));
  require_sane_size(info, images.shape, where);
  images.channels_first = images.channels_first && images.shape.channels > 1;
  return images;
}

std::int64_t ImageReader::add(const Hdf5File& file) {
  const std::string where = cat(file.path(), ":", dataset_);
  const StoredImages images = as_images(file.info(dataset_), axes_, where);
  if (paths_.empty()) shape_ = images.shape;
  if (images.shape != shape_)
    throw DataError(cat(where, ": images are ", text(images.shape), " but those of ", paths_.front(), " are ",
                        text(shape_), "; all data.files must agree"));
  paths_.push_back(file.path());
  channels_first_.push_back(images.channels_first ? 1 : 0);
  first_rows_.push_back(first_rows_.back() + images.num_rows);
  open_.emplace_back();
  return images.num_rows;
}

std::size_t ImageReader::file_of(std::int64_t row) const {
  return static_cast<std::size_t>(std::upper_bound(first_rows_.begin(), first_rows_.end(), row) -
                                  first_rows_.begin()) -
         1;
}

Hdf5File::Rows& ImageReader::rows_of(std::size_t file) {
  if (!open_[file]) {
    if (recent_.size() >= kOpenFiles) {
      open_[recent_.back()].reset();
      recent_.pop_back();
    }
    open_[file] = Hdf5File(paths_[file]).rows(dataset_);  // an open dataset keeps its file open
    recent_.push_front(file);
  } else if (recent_.front() != file) {
    recent_.splice(recent_.begin(), recent_, std::find(recent_.begin(), recent_.end(), file));
  }
  return *open_[file];
}

void ImageReader::read(std::int64_t row, std::byte* out) {
  const std::size_t file = file_of(row);
  const std::int64_t row_in_file = row - first_rows_[file];
  if (!channels_first_[file]) {
    const std::lock_guard lock(mutex_);
    return rows_of(file).read(row_in_file, out);
  }
  thread_local std::vector<std::byte> planes;
  planes.resize(shape_.bytes());
  {
    const std::lock_guard lock(mutex_);
    rows_of(file).read(row_in_file, planes.data());
  }
  planes_to_pixels(planes.data(), out, shape_);
}

}  // namespace entrain::sharding
