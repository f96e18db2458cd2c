#include "tests/coordinator/control/frame_fuzz.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "coordinator/control/frame.hpp"
#include "coordinator/control/mac.hpp"
#include "coordinator/control/messages.hpp"

namespace entrain::tests {

FuzzCounts& fuzz_counts() {
  static FuzzCounts counts;
  return counts;
}

namespace {

using control::Frame;
using control::FrameReader;

const std::string kKey(control::kSecretBytes, 'k');
constexpr std::uint64_t kRunId = 0x1122334455667788;

void require(bool promise, const char* what) {
  if (promise) return;
  std::fprintf(stderr, "frame_fuzz: broken: %s\n", what);
  std::abort();
}

void read_payload(control::Type type, std::string_view payload) {
  const auto understood = control::understand(type, payload);
  require(understood.message.has_value() == understood.refusal.empty(), "a message, or a reason why not");
  ++(understood.message ? fuzz_counts().messages : fuzz_counts().refusals);
  if (!understood.message) return;
  require(control::type_of(*understood.message) == type, "the message is of the frame's type");
  // What was understood can be said again, and then says the same.
  const std::string once = control::payload_of(*understood.message);
  const auto again = control::understand(type, once);
  require(again.message && control::payload_of(*again.message) == once,
          "written and read again it is the same");
}

// Bytes arrive in pieces whose sizes the input itself chooses.
void read_connection(std::string_view bytes) {
  FrameReader reader(kRunId, kKey);
  std::uint64_t seq = 0;
  for (std::size_t at = 0; at < bytes.size() && reader.refusal().empty();) {
    const std::size_t piece = 1 + static_cast<unsigned char>(bytes[at]) % 97;
    reader.add(bytes.substr(at, piece));
    at += piece;
    while (const auto frame = reader.next()) {
      require(frame->seq == seq++, "frames are numbered without a gap");
      require(frame->payload.size() <= control::kMaxPayload, "no payload is too long");
      ++fuzz_counts().frames;
      read_payload(frame->type, frame->payload);
    }
  }
  if (!reader.refusal().empty()) {
    ++fuzz_counts().refusals;
    reader.add(bytes);
    require(!reader.next(), "after a refusal nothing follows");
  }
}

// Whatever the header says: so far as whole frames lie here, each gets the HMAC that belongs to it.
std::string with_right_macs(std::string bytes) {
  for (std::size_t at = 0; at + 4 <= bytes.size();) {
    std::uint32_t length = 0;
    std::memcpy(&length, bytes.data() + at, sizeof length);
    const std::size_t end = at + 4 + std::size_t{length};
    if (length < control::kMacBytes || end > bytes.size()) break;
    const std::size_t covered = end - control::kMacBytes - at;
    bytes.replace(at + covered, control::kMacBytes,
                  control::hmac_sha256(kKey, std::string_view(bytes).substr(at, covered)));
    at = end;
  }
  return bytes;
}

}  // namespace
}  // namespace entrain::tests

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace tests = entrain::tests;
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      tests::read_connection(rest);
      break;
    case 1:
      tests::read_connection(tests::with_right_macs(std::string(rest)));
      break;
    default:
      if (!rest.empty())
        tests::read_payload(static_cast<entrain::control::Type>(1 + static_cast<unsigned char>(rest[0]) % 9),
                            rest.substr(1));
  }
  return 0;
}
