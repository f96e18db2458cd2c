#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace entrain::control {

// A frame, little-endian:
//   u32 length | u16 version | u16 type | u64 run id | u32 generation | u64 seq | payload | 32-byte HMAC-SHA256
// `length` counts what follows it; the HMAC covers all that lies before it, the length too.

inline constexpr std::uint16_t kProtocolVersion = 2;
inline constexpr std::size_t kHeaderBytes = 28, kMacBytes = 32;
inline constexpr std::size_t kMaxLength = std::size_t{1} << 20;
inline constexpr std::size_t kMaxPayload = kMaxLength - (kHeaderBytes - 4) - kMacBytes;

enum class Type : std::uint16_t {
  kChallenge = 1,  ///< server -> client, first: its nonce
  kHello,          ///< client -> server, the answer to it
  kLease,          ///< server -> client: accepted; repeated as a sign of life
  kBeat,           ///< client -> server, 1 Hz
  kStop,           ///< server -> client
  kStacks,         ///< server -> client
  kFence,          ///< server -> client
  kCommitted,      ///< client -> server
  kBye,            ///< client -> server
};
inline constexpr auto kLastType = Type::kBye;

struct Frame {
  Type type{};
  std::uint32_t generation = 0;
  std::uint64_t seq = 0;
  std::string payload{};
};

/// Makes the frames of one direction of one connection; seq counts from 0.
class FrameWriter {
 public:
  FrameWriter(std::uint64_t run_id, std::string key);
  /// For the frames from now on.
  void set_key(std::string key) { key_ = std::move(key); }
  /// The bytes to send. DataError: the payload is longer than kMaxPayload.
  std::string write(Type type, std::uint32_t generation, std::string_view payload);

 private:
  std::uint64_t run_id_;
  std::string key_;
  std::uint64_t next_seq_ = 0;
};

/// Takes the bytes of one direction of one connection as they arrive and yields frames. The first byte that cannot
/// belong to a right frame ends it for good: refusal() says why, and the connection is to be closed.
class FrameReader {
 public:
  FrameReader(std::uint64_t run_id, std::string key);
  /// For the frames after the last one that next() returned.
  void set_key(std::string key) { key_ = std::move(key); }
  void add(std::string_view bytes);
  /// Nothing: more bytes are needed, or refusal() is not empty.
  std::optional<Frame> next();
  const std::string& refusal() const { return refusal_; }
  /// A frame has begun and is not whole yet.
  bool in_frame() const { return begin_ < buffer_.size(); }

 private:
  std::string_view rest() const { return std::string_view(buffer_).substr(begin_); }
  std::string what_is_wrong(std::string_view bytes) const;
  std::string what_is_wrong_when_whole(std::string_view frame) const;

  std::uint64_t run_id_;
  std::string key_;
  std::uint64_t next_seq_ = 0;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::string refusal_;
};

}  // namespace entrain::control
