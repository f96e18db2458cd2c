#include "sharding/element_conversion.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "sharding/corpus.hpp"
#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::convert_elements;
using sharding::ElementType;
using sharding::handed_out_as;
using sharding::needs_no_conversion;
using sharding::StoredElement;
using sharding::StoredKind;

template <typename Stored>
std::vector<float> floats_of(StoredElement element, const std::vector<Stored>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(Stored));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  if (element.big_endian)
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(Stored))
      std::reverse(&bytes[at], &bytes[at] + sizeof(Stored));
  std::vector<float> out(values.size(), -12345.0F);
  convert_elements(element, bytes, reinterpret_cast<std::byte*>(out.data()));
  return out;
}

// IEEE 754: sign, 5 bits of exponent, 10 digits.
TEST(ElementConversion, HalvesAreExact) {
  const std::vector<std::uint16_t> bits{0x0000, 0x3C00, 0xC000, 0x7BFF, 0x3555, 0x0400, 0x0001, 0x83FF};
  const std::vector<float> want{0, 1, -2, 65504, 0.333251953125F, 0x1p-14F, 0x1p-24F, -1023 * 0x1p-24F};
  for (const bool big : {false, true})
    EXPECT_EQ(floats_of(StoredElement{StoredKind::kFloat, 2, big}, bits), want);
  const auto special = floats_of(StoredElement{StoredKind::kFloat, 2, false},
                                 std::vector<std::uint16_t>{0x7C00, 0xFC00, 0x7E00, 0x8000});
  EXPECT_EQ(special[0], std::numeric_limits<float>::infinity());
  EXPECT_EQ(special[1], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(special[2]));
  EXPECT_TRUE(special[3] == 0 && std::signbit(special[3]));
}

TEST(ElementConversion, IntegersAndDoublesBecomeFloats) {
  for (const bool big : {false, true}) {
    EXPECT_EQ(floats_of(StoredElement{StoredKind::kSigned, 1, big}, std::vector<std::int8_t>{-128, 0, 127}),
              (std::vector<float>{-128, 0, 127}));
    EXPECT_EQ(
        floats_of(StoredElement{StoredKind::kSigned, 2, big}, std::vector<std::int16_t>{-1024, 7, 32767}),
        (std::vector<float>{-1024, 7, 32767}));
    EXPECT_EQ(floats_of(StoredElement{StoredKind::kSigned, 4, big}, std::vector<std::int32_t>{-70000, 3}),
              (std::vector<float>{-70000, 3}));
    EXPECT_EQ(floats_of(StoredElement{StoredKind::kUnsigned, 4, big},
                        std::vector<std::uint32_t>{4'000'000'000U, 3}),
              (std::vector<float>{4e9F, 3}));
    EXPECT_EQ(floats_of(StoredElement{StoredKind::kFloat, 8, big}, std::vector<double>{-0.1, 1e300}),
              (std::vector<float>{-0.1F, std::numeric_limits<float>::infinity()}));
  }
}

TEST(ElementConversion, WhatCannotBeHandedOutIsNot) {
  EXPECT_EQ(handed_out_as({StoredKind::kUnsigned, 1, false}), ElementType::kU8);
  EXPECT_EQ(handed_out_as({StoredKind::kUnsigned, 2, true}), ElementType::kU16);
  EXPECT_EQ(handed_out_as({StoredKind::kSigned, 2, false}), ElementType::kF32);
  EXPECT_EQ(handed_out_as({StoredKind::kFloat, 2, false}), ElementType::kF32);
  EXPECT_FALSE(handed_out_as({StoredKind::kSigned, 8, false}));
  EXPECT_FALSE(handed_out_as({StoredKind::kFloat, 16, false}));
  EXPECT_FALSE(handed_out_as({StoredKind::kText, 1, false}));
  EXPECT_TRUE(needs_no_conversion({StoredKind::kUnsigned, 2, false}));
  EXPECT_FALSE(needs_no_conversion({StoredKind::kUnsigned, 2, true}));
  EXPECT_FALSE(needs_no_conversion({StoredKind::kSigned, 1, false}));
}

// CT values as they are stored: signed, big-endian, in compressed chunks of two rows, channels first.
TEST(ElementConversion, ImagesOfSignedNumbersAreReadAsFloats) {
  const TemporaryFolder folder;
  const std::string path = folder / "ct.h5";
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < 5 * 3 * 4 * 4; ++i) values.push_back(37 * i % 4096 - 1024);
  TestFile(path).array("/images", {5, 3, 4, 4}, values, H5T_STD_I16BE, {.chunk = {2, 3, 3, 4}, .gzip = 4});
  auto data = data_of(path);
  data.axes = "NCHW";
  const auto corpus = sharding::Corpus::open(data);
  ASSERT_EQ(corpus.shape().type, ElementType::kF32);
  EXPECT_EQ(corpus.rows_per_slab(), std::vector<std::int64_t>{2});
  std::vector<float> image(48);
  for (std::int64_t row = 0; row < 5; ++row) {
    corpus.read(row, reinterpret_cast<std::byte*>(image.data()));
    for (std::size_t channel = 0; channel < 3; ++channel)
      for (std::size_t pixel = 0; pixel < 16; ++pixel)
        ASSERT_EQ(image[pixel * 3 + channel],
                  static_cast<float>(values[static_cast<std::size_t>(row) * 48 + channel * 16 + pixel]));
  }
}

}  // namespace
}  // namespace entrain::tests
