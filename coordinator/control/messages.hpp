#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "coordinator/control/beat.hpp"
#include "coordinator/control/frame.hpp"

namespace entrain::control {

struct Challenge {
  std::string nonce{};  ///< 32 raw bytes
};

struct HelloRank {
  std::int32_t rank = 0;
  std::int64_t pid = 0;
};

/// Who a node is. All ranks of a generation have the same digests, or the supervisor refuses.
struct Hello {
  std::string nonce{};  ///< 32 raw bytes, the client's own
  std::string host{};
  std::vector<HelloRank> ranks{};
  std::int32_t world = 0;
  std::uint32_t generation = 0;
  std::string build_digest{}, config_digest{}, corpus_digest{};
};

struct Lease {
  std::uint32_t generation = 0;
  std::int32_t world = 0;
  std::optional<double> deadline_seconds{};  ///< from now to the end of the job; nothing: it has none
};

/// Finish the step, commit, leave.
struct Stop {
  std::string reason{};
};

/// Put the main threads' stacks into the next heartbeats.
struct Stacks {};

/// This generation and those before it are over: write nothing more, leave with 76.
struct Fence {
  std::uint32_t generation = 0;
  std::string reason{};
};

struct Committed {
  std::int64_t step = 0;
};

struct Bye {
  std::int32_t rank = 0, code = 0;
  std::string reason{};
};

/// In the order of Type.
using Message = std::variant<Challenge, Hello, Lease, NodeBeat, Stop, Stacks, Fence, Committed, Bye>;

Type type_of(const Message& message);
/// JSON; a heartbeat is binary (beat_wire.hpp). Reasons are cut at 1000 bytes; bytes that are not UTF-8 are mended.
std::string payload_of(const Message& message);

struct Understood {
  std::optional<Message> message{};
  std::string refusal{};  ///< why there is no message
};
/// Whatever the payload holds: this does not throw, and what it returns has every value in its range.
Understood understand(Type type, std::string_view payload);

}  // namespace entrain::control
