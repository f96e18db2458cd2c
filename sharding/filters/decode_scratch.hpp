#pragma once
#include <array>
#include <cstddef>
#include <memory>
#include <span>

struct libdeflate_decompressor;
struct ZSTD_DCtx_s;

namespace entrain::sharding {

/// Memory of one decoding thread: decompressors, made when first needed, and buffers that only grow. Not shared
/// between threads.
class DecodeScratch {
 public:
  DecodeScratch();
  DecodeScratch(DecodeScratch&&) noexcept;
  DecodeScratch& operator=(DecodeScratch&&) noexcept;
  ~DecodeScratch();

  libdeflate_decompressor* deflate();
  ZSTD_DCtx_s* zstd();

  enum Buffer : std::size_t { kStepA, kStepB, kBlock, kBlockRows, kBlockPlanes, kNumBuffers };
  /// `bytes` bytes with unspecified content; what was asked for under the same name before is no longer valid.
  std::span<std::byte> buffer(Buffer which, std::size_t bytes);

 private:
  struct FreeDeflate {
    void operator()(libdeflate_decompressor* d) const noexcept;
  };
  struct FreeZstd {
    void operator()(ZSTD_DCtx_s* d) const noexcept;
  };
  struct Memory {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size = 0;
  };
  std::unique_ptr<libdeflate_decompressor, FreeDeflate> deflate_;
  std::unique_ptr<ZSTD_DCtx_s, FreeZstd> zstd_;
  std::array<Memory, kNumBuffers> buffers_;
};

}  // namespace entrain::sharding
