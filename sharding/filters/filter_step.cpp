#include "sharding/filters/filter_step.hpp"

#include <algorithm>
#include <utility>

#include "configs/cat.hpp"

namespace entrain::sharding {
namespace {

using Kind = FilterStep::Kind;

// What the file calls it may be anything, and goes into logs.
std::string called(const Filter& filter) {
  static constexpr std::pair<int, const char*> kKnown[] = {
      {2, "shuffle"},        {4, "szip"},    {5, "nbit"},   {6, "scaleoffset"}, {307, "bzip2"},
      {32008, "bitshuffle"}, {32013, "zfp"}, {32017, "sz"}, {32026, "blosc2"},
  };
  for (const auto& [id, name] : kKnown)
    if (id == filter.id) return cat(name, " (", id, ")");
  std::string name = filter.name.substr(0, 60);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return cat(name.empty() ? "filter" : name, " (", filter.id, ")");
}

std::string read_shuffle(const Filter& filter, FilterStep& step) {
  if (filter.values.empty() || filter.values[0] == 0) return called(filter) + " without an element size";
  step.kind = filter.values[0] == 1 ? Kind::kNothing : Kind::kShuffle;
  step.element_bytes = filter.values[0];
  return {};
}

// values: two versions, element size, block in elements (0 or absent: the default), codec (absent: none).
std::string read_bitshuffle(const Filter& filter, FilterStep& step) {
  const auto& values = filter.values;
  if (values.size() < 3 || values[2] == 0) return called(filter) + " without an element size";
  const std::uint32_t block = values.size() > 3 ? values[3] : 0, codec = values.size() > 4 ? values[4] : 0;
  if (block % 8 != 0) return cat(called(filter), " with blocks of ", block, " elements");
  if (codec != 0 && codec != 2 && codec != 3) return cat(called(filter), " with codec ", codec);
  step.kind = Kind::kBitshuffle;
  step.bitshuffle = {values[2], block == 0 ? default_bitshuffle_block(values[2]) : block,
                     BitshuffleCodec{codec}};
  if (step.compresses())
    step.block_bytes = std::min<std::size_t>(512, step.bitshuffle.block_elements * values[2]);
  return {};
}

}  // namespace

bool FilterStep::compresses() const {
  switch (kind) {
    case Kind::kNothing:
    case Kind::kShuffle:
    case Kind::kFletcher32:
      return false;
    case Kind::kBitshuffle:
      return bitshuffle.codec != BitshuffleCodec::kNone;
    default:
      return true;
  }
}

std::string read_filter(const Filter& filter, FilterStep& step) {
  step = {};
  switch (filter.id) {
    case 1:
      step.kind = Kind::kDeflate;
      return {};
    case 2:
      return read_shuffle(filter, step);
    case 3:
      step.kind = Kind::kFletcher32;
      return {};
    case 32000:
      step.kind = Kind::kLzf;
      return {};
    case 32001:
      step.kind = Kind::kBlosc;
      return {};
    case 32004:
      step.kind = Kind::kLz4;
      // The block size; but writers are in use that put the level here.
      step.block_bytes =
          filter.values.empty() || filter.values[0] == 0 ? 512 : std::min(filter.values[0], 512u);
      return {};
    case 32008:
      return read_bitshuffle(filter, step);
    case 32015:
      step.kind = Kind::kZstd;
      return {};
    default:
      return called(filter);
  }
}

std::size_t most_after(const FilterStep& step, std::size_t bytes) {
  if (step.kind == Kind::kFletcher32) return bytes + 4;
  if (!step.compresses()) return bytes;
  constexpr std::size_t kPerBlock = 24;  // a length and the frame of a codec
  const std::size_t blocks = step.block_bytes == 0 ? 0 : bytes / step.block_bytes + 1;
  return bytes + bytes / 4 + 1024 + blocks * kPerBlock;
}

bool writes(const FilterStep& step) { return step.kind != Kind::kNothing && step.kind != Kind::kFletcher32; }

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kNothing:
      return "nothing";
    case Kind::kShuffle:
      return "shuffle";
    case Kind::kFletcher32:
      return "fletcher32";
    case Kind::kDeflate:
      return "deflate";
    case Kind::kLzf:
      return "lzf";
    case Kind::kLz4:
      return "lz4";
    case Kind::kZstd:
      return "zstd";
    case Kind::kBlosc:
      return "blosc";
    case Kind::kBitshuffle:
      return "bitshuffle";
  }
  __builtin_unreachable();
}

Bytes undo(const FilterStep& step, Bytes in, MutableBytes out, DecodeScratch& scratch) {
  switch (step.kind) {
    case Kind::kNothing:
      return in;
    case Kind::kFletcher32:
      return without_fletcher32(in);
    case Kind::kShuffle:
      undo_shuffle(in, out.first(in.size()), step.element_bytes);
      return out.first(in.size());
    case Kind::kDeflate:
      return out.first(undo_deflate(in, out, scratch));
    case Kind::kLzf:
      return out.first(undo_lzf(in, out));
    case Kind::kLz4:
      return out.first(undo_lz4(in, out));
    case Kind::kZstd:
      return out.first(undo_zstd(in, out, scratch));
    case Kind::kBlosc:
      return out.first(undo_blosc(in, out));
    case Kind::kBitshuffle:
      return out.first(undo_bitshuffle(in, out, step.bitshuffle, scratch));
  }
  __builtin_unreachable();
}

}  // namespace entrain::sharding
