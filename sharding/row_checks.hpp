#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "sharding/corpus_tables.hpp"

namespace entrain::sharding {

enum class RowState { kGood, kUnreadable, kNotANumber, kConstant };

/// What is wrong with one image, if anything.
RowState check_pixels(const std::byte* pixels, const ImageShape& shape);

/// Reads every row once (data.on_corrupt = skip) and returns those that are whole, ascending; logs how many
/// were left out and why.
std::vector<std::int64_t> good_rows(CorpusTables& tables);

/// SHA-256 of a file's shape, type, number of rows, and the bytes of its first, last and 64 evenly spread
/// rows. A row that cannot be read enters as such if `tolerate`, else it is a DataError.
std::string digest_of_file(ImageReader& images, std::size_t file, bool tolerate);

}  // namespace entrain::sharding
