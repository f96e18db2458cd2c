#include "checkpoint/digest.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::checkpoint {
namespace {

std::string hex_of(const unsigned char* bytes, std::size_t count) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

XXH3_state_t* xxh(const std::shared_ptr<void>& state) { return static_cast<XXH3_state_t*>(state.get()); }

}  // namespace

std::string sha256_of(const std::string& text) {
  Sha256 sha;
  sha.add(text);
  return sha.hex();
}

std::string xxh3_128_of(const void* data, std::size_t bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, bytes));
  return hex_of(canonical.digest, sizeof canonical.digest);
}

FileDigester::FileDigester()
    : block_(XXH3_createState(), [](void* s) { XXH3_freeState(static_cast<XXH3_state_t*>(s)); }) {
  if (!block_) throw std::bad_alloc();
  XXH3_128bits_reset(xxh(block_));
}

void FileDigester::add(const void* data, std::size_t bytes) {
  sha_.add({static_cast<const std::byte*>(data), bytes});
  digest_.bytes += bytes;
  for (const auto* at = static_cast<const char*>(data); bytes > 0;) {
    const std::size_t part = std::min(bytes, kBlockBytes - in_block_);
    XXH3_128bits_update(xxh(block_), at, part);
    at += part;
    bytes -= part;
    in_block_ += part;
    if (in_block_ == kBlockBytes) end_block();
  }
}

void FileDigester::end_block() {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(xxh(block_)));
  digest_.blocks.push_back(hex_of(canonical.digest, sizeof canonical.digest));
  XXH3_128bits_reset(xxh(block_));
  in_block_ = 0;
}

FileDigest FileDigester::finish() {
  if (in_block_ > 0) end_block();
  digest_.sha256 = sha_.hex();
  return digest_;
}

FileDigest digest_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw CheckpointError(cat(path, ": ", std::strerror(errno)));
  FileDigester digester;
  std::vector<char> buffer(std::size_t{1} << 20);
  ssize_t n = 0;
  while ((n = ::read(fd, buffer.data(), buffer.size())) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    digester.add(buffer.data(), static_cast<std::size_t>(n));
  }
  const int error = errno;
  ::close(fd);
  if (n < 0)
    throw CheckpointError(
        cat(path, ": ", std::strerror(error), " after ", digester.finish().bytes, " bytes"));
  return digester.finish();
}

}  // namespace entrain::checkpoint
