#include "coordinator/control/frame.hpp"

#include <concepts>
#include <utility>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/control/mac.hpp"

namespace entrain::control {
namespace {

constexpr std::size_t kLengthBytes = 4, kKeptBytes = std::size_t{1} << 16;

template <std::unsigned_integral T>
void append(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>((value >> (8 * i)) & 0xff);
}

template <std::unsigned_integral T>
T number_at(std::string_view bytes, std::size_t at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(
        value | static_cast<T>(static_cast<T>(static_cast<unsigned char>(bytes[at + i])) << (8 * i)));
  return value;
}

}  // namespace

FrameWriter::FrameWriter(std::uint64_t run_id, std::string key) : run_id_(run_id), key_(std::move(key)) {}

std::string FrameWriter::write(Type type, std::uint32_t generation, std::string_view payload) {
  if (payload.size() > kMaxPayload)
    throw DataError(
        cat("a control frame of ", payload.size(), " bytes, at most ", kMaxPayload, " can be sent"));
  std::string out;
  out.reserve(kHeaderBytes + payload.size() + kMacBytes);
  append(out, static_cast<std::uint32_t>(kHeaderBytes - kLengthBytes + payload.size() + kMacBytes));
  append(out, kProtocolVersion);
  append(out, static_cast<std::uint16_t>(type));
  append(out, run_id_);
  append(out, generation);
  append(out, next_seq_++);
  out += payload;
  out += hmac_sha256(key_, out);
  return out;
}

FrameReader::FrameReader(std::uint64_t run_id, std::string key) : run_id_(run_id), key_(std::move(key)) {}

void FrameReader::add(std::string_view bytes) {
  if (!refusal_.empty()) return;
  buffer_.erase(0, std::exchange(begin_, 0));
  if (buffer_.empty() && buffer_.capacity() > kKeptBytes) buffer_ = {};
  buffer_ += bytes;
}

std::optional<Frame> FrameReader::next() {
  if (!refusal_.empty()) return std::nullopt;
  const std::string_view bytes = rest();
  refusal_ = what_is_wrong(bytes);
  if (!refusal_.empty() || bytes.size() < kHeaderBytes) return std::nullopt;
  const std::size_t size = kLengthBytes + number_at<std::uint32_t>(bytes, 0);
  if (bytes.size() < size) return std::nullopt;
  refusal_ = what_is_wrong_when_whole(bytes.substr(0, size));
  if (!refusal_.empty()) return std::nullopt;
  begin_ += size;
  return Frame{static_cast<Type>(number_at<std::uint16_t>(bytes, 6)), number_at<std::uint32_t>(bytes, 16),
               next_seq_++, std::string(bytes.substr(kHeaderBytes, size - kHeaderBytes - kMacBytes))};
}

// What the first bytes of a frame show already: nobody waits for, or stores, the rest of a frame that is refused anyway.
std::string FrameReader::what_is_wrong(std::string_view bytes) const {
  if (bytes.size() < kLengthBytes) return {};
  const auto length = number_at<std::uint32_t>(bytes, 0);
  if (length > kMaxLength) return cat("a frame of ", length, " bytes, at most ", kMaxLength, " are read");
  if (length < kHeaderBytes - kLengthBytes + kMacBytes)
    return cat("a frame of ", length, " bytes, too few for any");
  if (bytes.size() < kHeaderBytes) return {};
  const auto version = number_at<std::uint16_t>(bytes, 4), type = number_at<std::uint16_t>(bytes, 6);
  if (version != kProtocolVersion)
    return cat("protocol version ", version, ", this program speaks ", kProtocolVersion);
  if (type == 0 || type > static_cast<std::uint16_t>(kLastType)) return cat("unknown frame type ", type);
  if (number_at<std::uint64_t>(bytes, 8) != run_id_) return "a frame of another run";
  return {};
}

std::string FrameReader::what_is_wrong_when_whole(std::string_view frame) const {
  const auto covered = frame.substr(0, frame.size() - kMacBytes);
  if (!equal_in_constant_time(hmac_sha256(key_, covered), frame.substr(covered.size())))
    return "wrong HMAC (another token, a replayed or a changed frame)";
  const auto seq = number_at<std::uint64_t>(frame, 20);
  if (seq != next_seq_) return cat("frame number ", seq, ", expected ", next_seq_);
  return {};
}

}  // namespace entrain::control
