#include "coordinator/control/messages.hpp"

#include <exception>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/control/beat_wire.hpp"
#include "coordinator/control/json_object.hpp"
#include "coordinator/control/mac.hpp"

namespace entrain::control {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 4;  // a pid in a rank in a list in a HELLO
constexpr std::size_t kReasonBytes = 1000,
                      kMaxText = 4096;  // as written; as read, where mending made it longer

std::string cut(const std::string& reason) { return reason.substr(0, kReasonBytes); }

json json_of(const Challenge& m) { return {{"nonce", hex_of(m.nonce)}}; }
json json_of(const Hello& m) {
  json ranks = json::array();
  for (const auto& r : m.ranks) ranks.push_back({{"rank", r.rank}, {"pid", r.pid}});
  return {{"nonce", hex_of(m.nonce)},
          {"host", m.host},
          {"ranks", ranks},
          {"world", m.world},
          {"generation", m.generation},
          {"build_digest", m.build_digest},
          {"config_digest", m.config_digest},
          {"corpus_digest", m.corpus_digest}};
}
json json_of(const Lease& m) {
  return {{"generation", m.generation},
          {"world", m.world},
          {"deadline_seconds", m.deadline_seconds ? json(*m.deadline_seconds) : json()}};
}
json json_of(const Stop& m) { return {{"reason", cut(m.reason)}}; }
json json_of(const Stacks&) { return json::object(); }
json json_of(const Fence& m) { return {{"generation", m.generation}, {"reason", cut(m.reason)}}; }
json json_of(const Committed& m) { return {{"step", m.step}}; }
json json_of(const Bye& m) { return {{"rank", m.rank}, {"code", m.code}, {"reason", cut(m.reason)}}; }

std::string nonce_of(const JsonObject& in) {
  const auto nonce = secret_of_hex(in.text("nonce", 2 * kSecretBytes));
  if (!nonce) throw DataError("nonce: want 64 hex digits");
  return *nonce;
}

Hello hello_of(const JsonObject& in) {
  Hello m;
  m.nonce = nonce_of(in);
  m.host = in.text("host", kMaxText);
  m.world = in.integer<std::int32_t>("world", 1);
  m.generation = in.integer<std::uint32_t>("generation");
  m.build_digest = in.text("build_digest", kMaxText);
  m.config_digest = in.text("config_digest", kMaxText);
  m.corpus_digest = in.text("corpus_digest", kMaxText);
  for (const auto& item : in.array("ranks", kMaxRanksPerNode)) {
    const JsonObject rank(item, "HELLO's rank");
    m.ranks.push_back(
        {rank.integer<std::int32_t>("rank", 0, m.world - 1), rank.integer<std::int64_t>("pid", 1)});
  }
  if (m.ranks.empty()) throw DataError("HELLO: no ranks");
  return m;
}

Message message_of(Type type, const json& payload) {
  const JsonObject in(payload, "a control message");
  switch (type) {
    case Type::kChallenge:
      return Challenge{nonce_of(in)};
    case Type::kHello:
      return hello_of(in);
    case Type::kLease:
      return Lease{in.integer<std::uint32_t>("generation"), in.integer<std::int32_t>("world", 1),
                   in.number_or_null("deadline_seconds")};
    case Type::kBeat:  // is no JSON
      break;
    case Type::kStop:
      return Stop{in.text("reason", kMaxText)};
    case Type::kStacks:
      return Stacks{};
    case Type::kFence:
      return Fence{in.integer<std::uint32_t>("generation"), in.text("reason", kMaxText)};
    case Type::kCommitted:
      return Committed{in.integer<std::int64_t>("step", 0)};
    case Type::kBye:
      return Bye{in.integer<std::int32_t>("rank", 0), in.integer<std::int32_t>("code"),
                 in.text("reason", kMaxText)};
  }
  throw DataError("unknown type");
}

// A value is built while it is read, so nesting must be refused while it is read.
bool not_too_deep(int depth, json::parse_event_t, json&) {
  if (depth >= kMaxDepth) throw DataError(cat("JSON nested deeper than ", kMaxDepth));
  return true;
}

}  // namespace

Type type_of(const Message& message) { return static_cast<Type>(message.index() + 1); }

std::string payload_of(const Message& message) {
  if (const auto* beat = std::get_if<NodeBeat>(&message)) return packed(*beat);
  const auto as_json = [](const auto& m) -> json {
    if constexpr (std::is_same_v<std::decay_t<decltype(m)>, NodeBeat>)
      return {};
    else
      return json_of(m);
  };
  return std::visit(as_json, message).dump(-1, ' ', false, json::error_handler_t::replace);
}

Understood understand(Type type, std::string_view payload) {
  try {
    if (type == Type::kBeat) return {unpacked(payload), {}};
    const json parsed = json::parse(payload, not_too_deep, false);
    if (parsed.is_discarded()) return {std::nullopt, "not JSON"};
    return {message_of(type, parsed), {}};
  } catch (const std::exception& e) {
    return {std::nullopt, e.what()};
  }
}

}  // namespace entrain::control
