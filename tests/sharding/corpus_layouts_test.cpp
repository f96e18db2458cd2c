// Every way of storing images that public corpora use gives the same pixels.
#include <gtest/gtest.h>

#include <cstring>

#include "sharding/corpus.hpp"
#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::Corpus;
using sharding::ElementType;
constexpr std::int64_t kRows = 7, kHeight = 5, kWidth = 6;

struct Case {
  std::string axes, storage;
  ElementType type;
  bool big_endian;
  std::int64_t channels() const { return axes == "NHW" ? 1 : 3; }
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* axes : {"NHW", "NHWC", "NCHW"})
    for (const char* storage : {"contiguous", "row_chunks", "gzip", "auto_chunks"})
      for (const auto type : {ElementType::kU8, ElementType::kU16, ElementType::kF32})
        for (const bool big_endian : {false, true}) all.push_back({axes, storage, type, big_endian});
  return all;
}

// Large enough to need both bytes of a u16, and no integer for a float.
template <typename T>
T value(std::int64_t r, std::int64_t y, std::int64_t x, std::int64_t c) {
  const int p = pixel(r, y, x, c);
  if constexpr (std::is_same_v<T, float>) return static_cast<float>(p) / 8 - 3;
  return static_cast<T>(sizeof(T) == 1 ? p : 257 * p - 100 * (p > 0));
}

template <typename T>
void write_case(const std::string& path, const Case& c, hid_t little, hid_t big) {
  const std::int64_t C = c.channels();
  std::vector<T> values;
  const auto push = [&](std::int64_t r, std::int64_t y, std::int64_t x, std::int64_t k) {
    values.push_back(value<T>(r, y, x, k));
  };
  for (std::int64_t r = 0; r < kRows; ++r) {
    if (c.axes == "NCHW") {
      for (std::int64_t k = 0; k < C; ++k)
        for (std::int64_t y = 0; y < kHeight; ++y)
          for (std::int64_t x = 0; x < kWidth; ++x) push(r, y, x, k);
    } else {
      for (std::int64_t y = 0; y < kHeight; ++y)
        for (std::int64_t x = 0; x < kWidth; ++x)
          for (std::int64_t k = 0; k < C; ++k) push(r, y, x, k);
    }
  }
  std::vector<hsize_t> dims = {kRows, kHeight, kWidth};
  if (c.axes == "NHWC") dims.push_back(3);
  if (c.axes == "NCHW") dims.insert(dims.begin() + 1, 3);
  TestFile::Storage storage;
  if (c.storage != "contiguous") storage.chunk = dims;
  if (c.storage == "row_chunks") storage.chunk[0] = 1;
  if (c.storage == "gzip") storage.chunk[0] = 3, storage.gzip = 4, storage.shuffle = true;
  if (c.storage == "auto_chunks")
    storage.chunk = dims.size() == 3 ? std::vector<hsize_t>{2, 3, 4} : std::vector<hsize_t>{2, 2, 4, 2},
    storage.gzip = 4;
  TestFile(path).array("/images", dims, values, c.big_endian ? big : little, storage);
}

template <typename T>
void expect_all_pixels(const Corpus& corpus, const Case& c) {
  std::vector<T> image(static_cast<std::size_t>(corpus.shape().values()));
  std::int64_t compared = 0;
  for (std::int64_t r = kRows - 1; r >= 0; --r) {
    corpus.read(r, reinterpret_cast<std::byte*>(image.data()));
    for (std::int64_t y = 0; y < kHeight; ++y)
      for (std::int64_t x = 0; x < kWidth; ++x)
        for (std::int64_t k = 0; k < c.channels(); ++k, ++compared)
          ASSERT_EQ(image[static_cast<std::size_t>((y * kWidth + x) * c.channels() + k)],
                    value<T>(r, y, x, k))
              << r << ' ' << y << ' ' << x << ' ' << k;
  }
  EXPECT_EQ(compared, kRows * kHeight * kWidth * c.channels());
}

class CorpusLayouts : public ::testing::TestWithParam<Case> {};

TEST_P(CorpusLayouts, GivesEveryPixelInHwcOrderAndHostBytes) {
  const Case& c = GetParam();
  const TemporaryFolder folder;
  const std::string path = folder / "f.h5";
  if (c.type == ElementType::kU8) write_case<std::uint8_t>(path, c, H5T_STD_U8LE, H5T_STD_U8BE);
  if (c.type == ElementType::kU16) write_case<std::uint16_t>(path, c, H5T_STD_U16LE, H5T_STD_U16BE);
  if (c.type == ElementType::kF32) write_case<float>(path, c, H5T_IEEE_F32LE, H5T_IEEE_F32BE);
  const Corpus corpus = Corpus::open(data_of(path));
  EXPECT_EQ(corpus.size(), kRows);
  EXPECT_EQ(corpus.shape(), (sharding::ImageShape{kHeight, kWidth, c.channels(), c.type}));
  if (c.type == ElementType::kU8) expect_all_pixels<std::uint8_t>(corpus, c);
  if (c.type == ElementType::kU16) expect_all_pixels<std::uint16_t>(corpus, c);
  if (c.type == ElementType::kF32) expect_all_pixels<float>(corpus, c);
}

INSTANTIATE_TEST_SUITE_P(All, CorpusLayouts, ::testing::ValuesIn(cases()), [](const auto& test) {
  return test.param.axes + "_" + test.param.storage + "_" + std::string(name_of(test.param.type)) +
         (test.param.big_endian ? "_big" : "_little");
});

// The same, written by h5py (tests/reference/sharding/make_sharding.py).
class H5pyFiles : public ::testing::TestWithParam<std::string> {
 protected:
  DataSection data() const {
    return data_of(std::string(ENTRAIN_SOURCE_DIR) + "/tests/reference/sharding/" + GetParam());
  }
};

TEST_P(H5pyFiles, PixelsOfAllThreeDatasetsAreThose) {
  auto planes = data(), floats = data();
  planes.image = "/planes";
  floats.image = "/floats";
  const Corpus u8 = Corpus::open(data()), u16 = Corpus::open(planes), f32 = Corpus::open(floats);
  ASSERT_EQ(u8.shape(), (sharding::ImageShape{5, 4, 3, ElementType::kU8}));
  ASSERT_EQ(u16.shape(), (sharding::ImageShape{5, 4, 3, ElementType::kU16}));
  ASSERT_EQ(f32.shape(), (sharding::ImageShape{5, 4, 1, ElementType::kF32}));
  std::vector<std::uint8_t> a(60);
  std::vector<std::uint16_t> b(60);
  std::vector<float> c(20);
  for (std::int64_t r = 0; r < 6; ++r) {
    u8.read(r, reinterpret_cast<std::byte*>(a.data()));
    u16.read(r, reinterpret_cast<std::byte*>(b.data()));
    f32.read(r, reinterpret_cast<std::byte*>(c.data()));
    for (std::int64_t i = 0; i < 60; ++i) {
      const int want = pixel(r, i / 12, i / 3 % 4, i % 3);
      ASSERT_EQ(a[static_cast<std::size_t>(i)], want);
      ASSERT_EQ(b[static_cast<std::size_t>(i)], want);
      if (i % 3 == 0) {
        ASSERT_FLOAT_EQ(c[static_cast<std::size_t>(i / 3)], static_cast<float>(want) / 250);
      }
    }
  }
}

TEST_P(H5pyFiles, TextFlagsAndTallLabelsAreRead) {
  const Corpus corpus = Corpus::open(data());
  EXPECT_EQ(corpus.group(0), "pat-\xC3\xA4");
  EXPECT_EQ(corpus.split(5), "test");
  EXPECT_EQ(corpus.class_names(), (std::vector<std::string>{"normal", "pneumonia"}));
  EXPECT_EQ(corpus.label(0), 1);
  EXPECT_EQ(corpus.label(5), 0);
  auto other = data();
  other.label = "/y";  // 3 and 7, shape [N, 1, 1, 1]
  other.group = "/fixed_group";
  const Corpus second = Corpus::open(other);
  EXPECT_EQ(second.class_names(), (std::vector<std::string>{"3", "7"}));
  EXPECT_EQ(second.label(1), 1);
  EXPECT_EQ(second.group(4), "a");
  other.label = "/flag";  // h5py's bool: an enum
  EXPECT_EQ(Corpus::open(other).label(3), 1);
}

INSTANTIATE_TEST_SUITE_P(Versions, H5pyFiles, ::testing::Values("h5py_earliest.h5", "h5py_v110.h5"),
                         [](const auto& test) { return test.param.substr(0, test.param.find('.')); });

TEST(Slabs, OfTwoFilesAreNotMixedUp) {
  const TemporaryFolder folder;
  auto data = data_of(folder / "a.h5");
  data.files = {folder / "a.h5", folder / "b.h5"};
  for (std::size_t file = 0; file < 2; ++file) {
    std::vector<std::uint8_t> values(6 * 4);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(100 * file + i);
    TestFile(data.files[file])
        .array("/images", {6, 2, 2}, values, H5T_STD_U8LE, {.chunk = {3, 2, 2}, .gzip = 1});
  }
  const Corpus corpus = Corpus::open(data);
  ASSERT_EQ(corpus.rows_per_slab(), (std::vector<std::int64_t>{3, 3}));
  std::uint8_t image[4];
  for (const std::int64_t sample : {0, 6, 1, 7, 5, 11, 3, 9}) {
    corpus.read(sample, reinterpret_cast<std::byte*>(image));
    EXPECT_EQ(image[3], 100 * (sample / 6) + sample % 6 * 4 + 3) << sample;
  }
}

}  // namespace
}  // namespace entrain::tests
