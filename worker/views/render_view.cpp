#include "worker/views/render_view.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "worker/views/equalize.hpp"

namespace entrain::worker {
namespace {

using sharding::ElementType;
using sharding::ImageShape;

// Operations beyond the four of JitterOp, in the same numbering.
enum { kGamma = 4, kGray = 5, kClamp = 6, kNormalise = 7 };
constexpr std::size_t kChunk =
    1024;  // pixels that stay in the first cache while all operations pass over them

std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

double type_range(ElementType type) {
  return type == ElementType::kU8 ? 255 : type == ElementType::kU16 ? 65535 : 1;
}

void check(const ViewSection& section, const ImageShape& shape, double low, double high) {
  if (section.profile != "torchvision" && section.profile != "google")
    throw ConfigError(cat("views.profile: want torchvision or google, got \"", section.profile, "\""));
  if (shape.channels != 1 && shape.channels != 3)
    throw ConfigError(cat("views: images have ", shape.channels, " channels, want 1 or 3"));
  if (section.crop_pixels < 1)
    throw ConfigError(cat("views.crop_pixels: want at least 1, got ", section.crop_pixels));
  if (shape.height < 1 || shape.width < 1 || shape.height > 32768 || shape.width > 20000)
    throw ConfigError(
        cat("views: images of ", shape.height, "x", shape.width, " pixels; want 1x1 to 32768x20000"));
  if ((low != 0 || high != 0) && !(low < high))
    throw ConfigError(cat("data.window_low: want it below data.window_high, got ", low, " and ", high));
}

}  // namespace

std::int64_t blur_radius(std::int64_t side) {
  // torchvision: side / 10, made odd upwards, less the centre, halved. That is google's (side / 10) / 2 as well.
  return side / 10 / 2;
}

ViewRenderer::ViewRenderer(const ViewSection& section, const ImageShape& shape, double low, double high)
    : ViewRenderer(section, shape, low, high, **usable_kernels()) {}

ViewRenderer::ViewRenderer(const ViewSection& section, const ImageShape& shape, double low, double high,
                           const ViewKernels& kernels)
    : shape_(shape), side_(section.crop_pixels), google_(section.profile == "google"), kernels_(&kernels) {
  check(section, shape, low, high);
  const bool whole_type = low == 0 && (high == 0 || high == type_range(shape.type));
  low_ = low;
  high_ = whole_type ? type_range(shape.type) : high;
  map_ = {static_cast<float>(1 / (high_ - low_)), static_cast<float>(-low_ / (high_ - low_)),
          !whole_type || shape.type == ElementType::kF32};
  rows_.reserve(shape.height, side_);
  columns_.reserve(shape.width, side_);
  const std::int64_t row = shape.width * shape.channels, pitch = round_up(side_, kBlockRows);
  if (section.rotation_degrees > 0 || section.equalize > 0)
    padded_.resize((shape.height + 3) * (shape.width + 3) * shape.channels);
  if (section.rotation_degrees > 0) rotated_.resize(shape.values());
  row_block_.resize(kBlockRows * row);
  turned_block_.resize(kBlockRows * row);
  column_block_.resize(kBlockRows * side_);
  const std::int64_t radius = blur_radius(side_);
  plane_.resize(pitch * side_);
  padded_row_.resize(pitch + 2 * radius + kBlockRows);
  zero_row_.resize(google_ ? pitch : 0);
  blur_weights_.resize(radius + 1);
  row_table_.resize(2 * radius + 1);
}

ViewRenderer::Source ViewRenderer::plain_source(const std::byte* image, const CropBox& crop) const {
  const std::int64_t pitch = shape_.width * shape_.channels;
  const std::int64_t first = crop.top * pitch + crop.left * shape_.channels;
  return {image + first * static_cast<std::int64_t>(sharding::bytes_of(shape_.type)), pitch, shape_.type,
          map_};
}

// The reference rotates the whole image and crops then; only the pixels inside the crop are computed here.
ViewRenderer::Source ViewRenderer::prepared_source(const std::byte* image, const ViewParameters& view) {
  const CropBox& crop = view.crop;
  if (padded_.empty()) padded_.resize((shape_.height + 3) * (shape_.width + 3) * shape_.channels);
  const PadJob job{image,
                   static_cast<int>(shape_.height),
                   static_cast<int>(shape_.width),
                   static_cast<int>(shape_.channels),
                   static_cast<float>(low_),
                   static_cast<float>(high_ - low_),
                   padded_.data()};
  switch (shape_.type) {
    case ElementType::kU8:
      kernels_->pad_u8(job);
      break;
    case ElementType::kU16:
      kernels_->pad_u16(job);
      break;
    case ElementType::kF32:
      kernels_->pad_f32(job);
      break;
  }
  if (view.equalize) equalize_padded(shape_, !google_, padded_.data());
  const std::int64_t pitch = (shape_.width + 3) * shape_.channels;
  if (view.rotation_degrees == 0) {
    const std::int64_t first = (crop.top + 1) * pitch + (crop.left + 1) * shape_.channels;
    return {padded_.data() + first, pitch, ElementType::kF32, {}};
  }
  if (rotated_.empty()) rotated_.resize(shape_.values());
  const double angle = static_cast<double>(view.rotation_degrees) * M_PI / 180;
  kernels_->rotate({padded_.data(), static_cast<int>(shape_.height), static_cast<int>(shape_.width),
                    static_cast<int>(shape_.channels), static_cast<int>(crop.top),
                    static_cast<int>(crop.left), static_cast<int>(crop.height), static_cast<int>(crop.width),
                    static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle)),
                    rotated_.data()});
  return {rotated_.data(), crop.width * shape_.channels, ElementType::kF32, {}};
}

void ViewRenderer::resample(const Source& source, const CropBox& crop, bool flip_x, bool flip_y, bool bicubic,
                            float* out) {
  const auto fill = bicubic ? fill_keys_bicubic : fill_antialiased;
  fill(crop.height, side_, rows_);
  fill(crop.width, side_, columns_);
  if (flip_y) rows_.reverse();
  if (flip_x) columns_.reverse();
  const auto tables = [](const Taps& t) {
    return TapsView{t.first.data(), t.count.data(), t.weights.data(), t.stride};
  };
  const ResampleJob job{source.first,
                        source.row_pitch,
                        static_cast<int>(crop.width),
                        static_cast<int>(shape_.channels),
                        static_cast<int>(side_),
                        tables(rows_),
                        tables(columns_),
                        source.map,
                        row_block_.data(),
                        turned_block_.data(),
                        column_block_.data(),
                        out};
  switch (source.type) {
    case ElementType::kU8:
      return kernels_->resample_u8(job);
    case ElementType::kU16:
      return kernels_->resample_u16(job);
    case ElementType::kF32:
      return kernels_->resample_f32(job);
  }
}

void ViewRenderer::apply(int op, const ViewParameters& view, const double* means, float* const* planes,
                         std::size_t n) const {
  const ViewKernels& k = *kernels_;
  const std::int64_t channels = shape_.channels;
  const auto each = [&](auto&& one) {
    for (std::int64_t c = 0; c < channels; ++c) one(planes[c], c);
  };
  switch (op) {
    case kBrightness:
      return each([&](float* x, auto) { k.affine_clamp(x, n, view.brightness, 0); });
    case kContrast:
      return each([&](float* x, auto c) {
        k.affine_clamp(x, n, view.contrast,
                       static_cast<float>((1.0 - static_cast<double>(view.contrast)) * means[c]));
      });
    case kSaturation:
      return (google_ ? k.scale_saturation : k.blend_gray)(planes[0], planes[1], planes[2], n,
                                                           view.saturation);
    case kHue:
      return k.shift_hue(planes[0], planes[1], planes[2], n, view.hue);
    case kGamma:
      return each([&](float* x, auto) { k.power(x, n, view.gamma); });
    case kGray:
      return k.to_gray(planes[0], planes[1], planes[2], n);
    case kClamp:
      return each([&](float* x, auto) { k.affine_clamp(x, n, 1, 0); });
    case kNormalise:
      return each([&](float* x, auto) { k.normalise(x, n); });
    default:
      return;
  }
}

// All operations pass over a chunk while it is in the first cache. Contrast needs the means of what the
// operations before it leave, so it starts a second sweep over the planes.
void ViewRenderer::colour(const ViewParameters& view, bool normalise, float* out) {
  std::array<int, 8> ops{};
  std::size_t num_ops = 0;
  const bool colours = shape_.channels == 3;
  if (view.jitter)
    for (const int op : view.order)
      if (colours || op == kBrightness || op == kContrast) ops[num_ops++] = op;
  if (view.jitter && view.gamma != 1) ops[num_ops++] = kGamma;
  if (view.gray && colours) ops[num_ops++] = kGray;
  if (google_) ops[num_ops++] = kClamp;
  if (normalise) ops[num_ops++] = kNormalise;
  const std::size_t contrast = std::find(ops.begin(), ops.begin() + num_ops, kContrast) - ops.begin();

  const std::size_t pixels = static_cast<std::size_t>(side_ * side_);
  std::array<double, 3> sums{}, means{};
  const auto sweep = [&](std::size_t first_op, std::size_t last_op, bool sum) {
    for (std::size_t at = 0; at < pixels; at += kChunk) {
      const std::size_t n = std::min(kChunk, pixels - at);
      float* const planes[3] = {out + at, out + pixels + at, out + 2 * pixels + at};
      for (std::size_t op = first_op; op < last_op; ++op) apply(ops[op], view, means.data(), planes, n);
      for (std::int64_t c = 0; sum && c < shape_.channels; ++c) sums[c] += kernels_->sum(planes[c], n);
    }
  };
  if (num_ops == 0) return;
  sweep(0, contrast, contrast < num_ops);
  if (contrast == num_ops) return;
  for (std::size_t c = 0; c < 3; ++c) means[c] = sums[c] / static_cast<double>(pixels);
  if (!google_ && colours) means.fill(0.2989 * means[0] + 0.587 * means[1] + 0.114 * means[2]);
  sweep(contrast, num_ops, false);
}

// Also normalises. Taps beyond 4.5 sigma hold less than 1e-5 of the weight and are left out.
void ViewRenderer::blur(float sigma, float* out) {
  const int side = static_cast<int>(side_), full = static_cast<int>(blur_radius(side_));
  const int radius = std::min(full, static_cast<int>(std::ceil(4.5F * sigma)));
  double sum = 0;
  for (int t = -full; t <= full; ++t) sum += std::exp(-0.5 * t * t / (static_cast<double>(sigma) * sigma));
  for (int t = 0; t <= radius; ++t)
    blur_weights_[t] =
        static_cast<float>(std::exp(-0.5 * t * t / (static_cast<double>(sigma) * sigma)) / sum);
  const std::int64_t pitch = round_up(side_, kBlockRows);
  for (std::int64_t c = 0; c < shape_.channels; ++c) {
    float* const to = out + c * side_ * side_;
    for (std::int64_t y = 0; y < side_; ++y) std::copy_n(to + y * side_, side_, plane_.data() + y * pitch);
    kernels_->blur({plane_.data(), pitch, side, radius, blur_weights_.data(),
                    google_ ? zero_row_.data() : nullptr, row_table_.data(), padded_row_.data(), to});
  }
}

void ViewRenderer::render(const std::byte* image, const ViewParameters& view, float* out) {
  const bool prepared = view.equalize || view.rotation_degrees != 0;
  resample(prepared ? prepared_source(image, view) : plain_source(image, view.crop), view.crop,
           view.flip_horizontal, view.flip_vertical, google_, out);
  colour(view, view.blur_sigma <= 0, out);
  if (view.blur_sigma > 0) blur(view.blur_sigma, out);
}

void ViewRenderer::render_plain(const std::byte* image, float* out) {
  const CropBox whole{0, 0, shape_.height, shape_.width};
  resample(plain_source(image, whole), whole, false, false, false, out);
  kernels_->normalise(out, static_cast<std::size_t>(out_values()));
}

}  // namespace entrain::worker
