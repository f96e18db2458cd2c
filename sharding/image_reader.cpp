#include "sharding/image_reader.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "sharding/chunks/row_reader.hpp"
#include "sharding/element_conversion.hpp"

namespace entrain::sharding {
namespace {
constexpr std::size_t kOpenFiles = 128;

bool is_channels(std::int64_t n) { return n == 1 || n == 3; }

ElementType element_type(const DatasetInfo& info, const std::string& where) {
  if (info.kind == StoredKind::kRagged)
    throw DataError(
        cat(where, ": ragged rows; every image must have the same shape. Resize them (entrain ingest)"));
  if (const auto type = handed_out_as({info.kind, info.element_bytes, false})) return *type;
  throw DataError(cat(
      where, ": elements are ", info.type_name,
      "; images must be integers of up to 32 bits or floats (uint8, uint16, int16, float16, float32, ...)"));
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

// One file. Its index is kept; what it holds open comes and goes.
struct ImageReader::Source {
  std::string path;
  bool channels_first = false;
  StoredElement element;
  std::unique_ptr<const RowReader> rows;  // null: through libhdf5
  std::string why_library;
  std::shared_ptr<const DataFile> file;
  std::optional<Hdf5File::Rows> library;
};

ImageReader::ImageReader(std::string dataset, std::string axes, std::size_t cache_bytes)
    : dataset_(std::move(dataset)), axes_(std::move(axes)), slabs_(cache_bytes) {}
ImageReader::~ImageReader() = default;

const std::string& ImageReader::path(std::size_t file) const { return sources_[file]->path; }

std::int64_t ImageReader::rows_per_slab(std::size_t file) const {
  return sources_[file]->rows ? sources_[file]->rows->rows_per_slab() : 1;
}

std::size_t ImageReader::slab_bytes(std::size_t file) const {
  return sources_[file]->rows
             ? static_cast<std::size_t>(rows_per_slab(file)) * sources_[file]->rows->row_bytes()
             : 0;
}

std::string ImageReader::how(std::size_t file) const {
  const Source& source = *sources_[file];
  return source.rows ? source.rows->index().how()
                     : cat("by libhdf5, one row at a time: ", source.why_library);
}

std::int64_t ImageReader::add(const Hdf5File& file) {
  const std::string where = cat(file.path(), ":", dataset_);
  const DatasetInfo info = file.info(dataset_);
  const StoredImages images = as_images(info, axes_, where);
  if (sources_.empty()) shape_ = images.shape;
  if (images.shape != shape_)
    throw DataError(cat(where, ": images are ", text(images.shape), " but those of ", path(0), " are ",
                        text(shape_), "; all data.files must agree"));
  auto source = std::make_unique<Source>();
  source->path = file.path();
  source->channels_first = images.channels_first;
  ChunkIndex index = ChunkIndex::open(file.path(), dataset_);
  source->element = {info.kind, info.element_bytes, index.storage().big_endian};
  if (index.way() == ChunkIndex::Way::kLibrary) {
    source->why_library = index.how();
    if (sources_.empty() || sources_.back()->why_library != source->why_library)
      log(Level::kWarning,
          cat(where, " is read through libhdf5, one image at a time: ", source->why_library));
  } else {
    source->rows = std::make_unique<const RowReader>(std::move(index));
  }
  sources_.push_back(std::move(source));
  first_rows_.push_back(first_rows_.back() + images.num_rows);
  return images.num_rows;
}

std::size_t ImageReader::file_of(std::int64_t row) const {
  return static_cast<std::size_t>(std::upper_bound(first_rows_.begin(), first_rows_.end(), row) -
                                  first_rows_.begin()) -
         1;
}

// Under the lock: this file was used now; the one that was not for longest is closed where too many are open.
void ImageReader::touch(std::size_t file) {
  if (!recent_.empty() && recent_.front() == file) return;
  const auto at = std::find(recent_.begin(), recent_.end(), file);
  if (at != recent_.end()) return recent_.splice(recent_.begin(), recent_, at);
  if (recent_.size() >= kOpenFiles) {
    Source& oldest = *sources_[recent_.back()];
    oldest.file.reset();  // a thread that reads it right now keeps it until it is done
    oldest.library.reset();
    recent_.pop_back();
  }
  recent_.push_front(file);
}

std::shared_ptr<const DataFile> ImageReader::opened(std::size_t file) {
  const std::lock_guard lock(mutex_);
  Source& source = *sources_[file];
  if (!source.file) source.file = std::make_shared<const DataFile>(source.rows->file());
  touch(file);
  return source.file;
}

void ImageReader::read_through_library(std::size_t file, std::int64_t row, std::byte* out) {
  const std::lock_guard lock(mutex_);
  Source& source = *sources_[file];
  if (!source.library)
    source.library = Hdf5File(source.path).rows(dataset_);  // an open dataset keeps its file open
  touch(file);
  source.library->read(row, out);
}

// As the file's type has them.
void ImageReader::read_stored(std::size_t file, std::int64_t row, std::span<std::byte> out) {
  thread_local ReadScratch scratch;
  const RowReader& rows = *sources_[file]->rows;
  if (rows.rows_per_slab() == 1) return rows.read(*opened(file), row, out, scratch);
  const std::int64_t slab = row / rows.rows_per_slab(), first = slab * rows.rows_per_slab();
  const auto bytes =
      slabs_.get(static_cast<std::uint64_t>(first_rows_[file] + first),
                 static_cast<std::size_t>(rows.rows_of_slab(slab)) * rows.row_bytes(),
                 [&](SlabCache::Bytes& whole) { rows.read(*opened(file), slab, whole, scratch); });
  std::memcpy(out.data(), bytes->data() + static_cast<std::size_t>(row - first) * rows.row_bytes(),
              out.size());
}

// The file's bytes, then numbers of this machine, then pixel by pixel: each only where it is not so already.
void ImageReader::read(std::int64_t row, std::byte* out) {
  const std::size_t file = file_of(row);
  const std::int64_t row_in_file = row - first_rows_[file];
  const Source& source = *sources_[file];
  thread_local std::vector<std::byte> stored, planes;
  std::byte* numbers = out;
  if (source.channels_first) {
    planes.resize(shape_.bytes());
    numbers = planes.data();
  }
  if (!source.rows) {
    read_through_library(file, row_in_file, numbers);
  } else {
    const bool as_they_are = needs_no_conversion(source.element);
    if (!as_they_are) stored.resize(source.rows->row_bytes());
    const std::span<std::byte> read = as_they_are ? std::span(numbers, shape_.bytes()) : std::span(stored);
    try {
      read_stored(file, row_in_file, read);
    } catch (const DataError& e) {
      throw DataError(cat(source.path, ":", dataset_, " row ", row_in_file, ": cannot read: ", e.what()));
    }
    if (!as_they_are) convert_elements(source.element, read, numbers);
  }
  if (source.channels_first) planes_to_pixels(planes.data(), out, shape_);
}

}  // namespace entrain::sharding
