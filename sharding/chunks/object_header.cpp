#include "sharding/chunks/object_header.hpp"

#include <algorithm>
#include <limits>

namespace entrain::sharding {
namespace {
using Bytes = std::span<const std::byte>;
constexpr std::uint64_t kUndefined = std::numeric_limits<std::uint64_t>::max();
constexpr unsigned kLayoutMessage = 0x08, kContinuationMessage = 0x10;
constexpr std::size_t kMostBlocks =
    65536;  // of one header; each message of version 1 could be a continuation

bool begins_with(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

unsigned byte_at(Bytes bytes, std::size_t at) { return std::to_integer<unsigned>(bytes[at]); }

// What a place inside the file, relative to the user block, is in bytes of the file.
std::uint64_t absolute(std::uint64_t address, std::uint64_t base, std::string_view what) {
  if (address > kUndefined - base - 1)
    throw DataError(cat(what, " should lie at byte ", address, ", which no file has; the file is damaged"));
  return address + base;
}

struct Block {
  std::uint64_t at = 0, bytes = 0;  // of its messages
};

/// The messages of one object header, block after block.
class Messages {
 public:
  Messages(const FileView& file, std::uint64_t base, std::uint64_t address)
      : file_(file), base_(base), header_(absolute(address, base, "the dataset's object header")) {
    const Bytes start = file_.bytes(header_, 16, "the dataset's object header");
    if (begins_with(start, "OHDR")) {
      begin_version_2(start);
    } else if (byte_at(start, 0) == 1) {
      blocks_.push_back({header_ + 16, load<std::uint32_t>(&start[8])});
    } else {
      damaged("there is none of version 1 or 2");
    }
  }

  /// Calls use(type, flags, data) until it says true; false where no message pleased it.
  template <typename Use>
  bool find(const Use& use) {
    for (std::size_t next = 0; next < blocks_.size(); ++next) {
      const Bytes block = file_.bytes(blocks_[next].at, blocks_[next].bytes, "a block of the object header");
      for (std::size_t at = 0; block.size() - at >= head_bytes();) {
        const unsigned type = version_ == 1 ? load<std::uint16_t>(&block[at]) : byte_at(block, at);
        const std::size_t bytes = load<std::uint16_t>(&block[at + (version_ == 1 ? 2 : 1)]);
        const unsigned flags = byte_at(block, at + (version_ == 1 ? 4 : 3));
        at += head_bytes();
        if (bytes > block.size() - at)
          damaged(cat("a message of type ", type, " has ", bytes, " bytes where ", block.size() - at,
                      " are left"));
        const Bytes data = block.subspan(at, bytes);
        at += bytes;
        if (type == kContinuationMessage)
          continue_at(data);
        else if (use(type, flags, data))
          return true;
      }
    }
    return false;
  }

  [[noreturn]] void damaged(const std::string& how) const {
    throw DataError(cat("the object header at byte ", header_, ": ", how,
                        "; the file is damaged, make or copy it again"));
  }

 private:
  std::size_t head_bytes() const { return version_ == 1 ? 8 : tracks_order_ ? 6 : 4; }

  void begin_version_2(Bytes start) {
    version_ = 2;
    if (byte_at(start, 4) != 2) damaged(cat("its version is ", byte_at(start, 4), ", 2 was expected"));
    const unsigned flags = byte_at(start, 5);
    tracks_order_ = (flags & 0x04) != 0;
    const std::size_t width = std::size_t{1} << (flags & 3);
    const std::uint64_t at = header_ + 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
    const Bytes stored = file_.bytes(at, width, "the size of the object header");
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, stored.data(), width);
    blocks_.push_back({at + width, bytes});
  }

  void continue_at(Bytes data) {
    if (data.size() < 16) damaged(cat("a continuation has ", data.size(), " bytes, 16 were expected"));
    Block block{absolute(load<std::uint64_t>(&data[0]), base_, "a block of the object header"),
                load<std::uint64_t>(&data[8])};
    if (version_ == 2) {
      if (block.bytes < 8 ||
          !begins_with(file_.bytes(block.at, block.bytes, "a block of the object header"), "OCHK"))
        damaged(cat("its continuation at byte ", block.at, " does not begin with OCHK"));
      block.at += 4;
      block.bytes -= 8;  // and the checksum at its end
    }
    file_.bytes(block.at, block.bytes, "a block of the object header");
    if (std::any_of(blocks_.begin(), blocks_.end(), [&](const Block& b) { return b.at == block.at; }))
      damaged(cat("its blocks form a circle through byte ", block.at));
    if (blocks_.size() == kMostBlocks) damaged(cat("it has more than ", kMostBlocks, " blocks"));
    blocks_.push_back(block);
    if (total_bytes_ += block.bytes; total_bytes_ > file_.size()) damaged("its blocks overlap");
  }

  const FileView& file_;
  std::uint64_t base_, header_;
  unsigned version_ = 1;
  bool tracks_order_ = false;
  std::vector<Block> blocks_;
  std::uint64_t total_bytes_ = 0;
};

DataLayout parse_layout(Bytes data, std::uint64_t base, const Messages& header) {
  const auto need = [&](std::size_t bytes) {
    if (data.size() < bytes)
      header.damaged(cat("its layout has ", data.size(), " bytes, ", bytes, " were expected"));
  };
  need(2);
  DataLayout layout;
  layout.version = byte_at(data, 0);
  if (layout.version < 3) return layout;  // another order of fields
  if (byte_at(data, 1) > 3)
    header.damaged(cat("its layout is of class ", byte_at(data, 1), "; 3 is the last"));
  layout.kind = static_cast<DataLayout::Kind>(byte_at(data, 1));
  if (layout.version > 3) return layout;
  const auto address = [&](std::size_t at) {
    const auto stored = load<std::uint64_t>(&data[at]);
    if (stored != kUndefined) layout.address = absolute(stored, base, "the data");
  };
  if (layout.kind == DataLayout::Kind::kContiguous) {
    need(18);
    address(2);
    layout.bytes = load<std::uint64_t>(&data[10]);
  } else if (layout.kind == DataLayout::Kind::kChunked) {
    need(3);
    const std::size_t rank = byte_at(data, 2);
    need(11 + 4 * rank);
    address(3);
    for (std::size_t axis = 0; axis < rank; ++axis)
      layout.chunk.push_back(load<std::uint32_t>(&data[11 + 4 * axis]));
  }
  return layout;
}
}  // namespace

Superblock read_superblock(const FileView& file) {
  std::uint64_t base = 0;
  while (
      base < file.size() &&
      !begins_with(file.bytes(base, std::min<std::uint64_t>(8, file.size() - base), ""), "\x89HDF\r\n\x1a\n"))
    base = base == 0 ? 512 : 2 * base;
  if (base >= file.size()) throw DataError("it has no HDF5 signature");
  Superblock superblock;
  superblock.base = base;
  superblock.version = byte_at(file.bytes(base + 8, 1, "the superblock"), 0);
  constexpr std::size_t kBytes[] = {96, 100, 48, 48};  // of each version
  if (superblock.version > 3)
    throw DataError(
        cat("its superblock has version ", superblock.version, "; 3 is the last that is known here"));
  superblock.stored = file.bytes(base, kBytes[superblock.version], "the superblock");
  const std::size_t widths = superblock.version < 2 ? 13 : 9;
  const unsigned offsets = byte_at(superblock.stored, widths),
                 lengths = byte_at(superblock.stored, widths + 1);
  if (offsets != 8 || lengths != 8)
    throw DataError(
        cat("its addresses have ", offsets, " and its lengths ", lengths, " bytes; only 8 and 8 are read"));
  return superblock;
}

DataLayout read_layout(const FileView& file, const Superblock& superblock, std::uint64_t object_header) {
  Messages header(file, superblock.base, object_header);
  DataLayout layout;
  const bool found = header.find([&](unsigned type, unsigned flags, Bytes data) {
    if (type != kLayoutMessage) return false;
    constexpr unsigned kShared = 0x02;
    if (flags & kShared) header.damaged("its layout lies in another header, which no writer does");
    layout = parse_layout(data, superblock.base, header);
    return true;
  });
  if (!found) header.damaged("it has no layout");
  return layout;
}

}  // namespace entrain::sharding
