#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace entrain::sharding {

/// `entrain ingest phantom`: a procedural corpus that looks like chest radiographs.
struct PhantomOptions {
  std::string out;
  std::int64_t images = 512;
  std::int64_t px = 64;  ///< side of an image, pixels
  std::uint64_t seed = 1;
  std::string site = "both";  ///< both | a | b: patients of which scanner
  bool overwrite = false;
};

/// One image to be made. Patients come one after another, 2 to 4 images each; a longer corpus begins with a
/// shorter one's rows.
struct PhantomRow {
  std::int64_t patient = 0;
  std::int64_t image = 0;  ///< of this patient
  bool finding = false;    ///< per patient; balanced
  int scanner = 0;         ///< 0: a, 1: b; per patient; balanced
  std::string_view split;  ///< train | val | test, 70/10/20 within each (finding, scanner)
};
std::vector<PhantomRow> phantom_rows(const PhantomOptions& options);

/// 8-bit grey values of one image, px x px, row by row. A pure function of (row, px, seed).
std::vector<std::uint8_t> render_phantom(const PhantomRow& row, std::int64_t px, std::uint64_t seed);

/// What the finding adds to this patient's image before it is developed: the matched filter of an observer who
/// knows the place and the texture. px x px. For tests.
std::vector<float> phantom_finding(const PhantomRow& row, std::int64_t px, std::uint64_t seed);

/// Renders and writes /images, /group, /label (0 normal, 1 finding), /split, /site. Returns the path's digest of
/// all pixels and tables. ConfigError for options out of range.
std::string write_phantom(const PhantomOptions& options);

}  // namespace entrain::sharding
