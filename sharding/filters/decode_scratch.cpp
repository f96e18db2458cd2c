#include "sharding/filters/decode_scratch.hpp"

#include <libdeflate.h>
#include <zstd.h>

#include <new>

namespace entrain::sharding {

void DecodeScratch::FreeDeflate::operator()(libdeflate_decompressor* d) const noexcept {
  libdeflate_free_decompressor(d);
}
void DecodeScratch::FreeZstd::operator()(ZSTD_DCtx_s* d) const noexcept { ZSTD_freeDCtx(d); }

DecodeScratch::DecodeScratch() = default;
DecodeScratch::DecodeScratch(DecodeScratch&&) noexcept = default;
DecodeScratch& DecodeScratch::operator=(DecodeScratch&&) noexcept = default;
DecodeScratch::~DecodeScratch() = default;

libdeflate_decompressor* DecodeScratch::deflate() {
  if (!deflate_) deflate_.reset(libdeflate_alloc_decompressor());
  if (!deflate_) throw std::bad_alloc();
  return deflate_.get();
}

ZSTD_DCtx_s* DecodeScratch::zstd() {
  if (!zstd_) zstd_.reset(ZSTD_createDCtx());
  if (!zstd_) throw std::bad_alloc();
  return zstd_.get();
}

std::span<std::byte> DecodeScratch::buffer(Buffer which, std::size_t bytes) {
  Memory& memory = buffers_[which];
  if (memory.size < bytes) {
    memory = {};  // first: never both at once
    memory.bytes = std::make_unique_for_overwrite<std::byte[]>(bytes);
    memory.size = bytes;
  }
  return {memory.bytes.get(), bytes};
}

}  // namespace entrain::sharding
