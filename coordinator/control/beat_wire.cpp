#include "coordinator/control/beat_wire.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"

namespace entrain::control {
namespace {

constexpr std::size_t kHostBytes = 1024;
static_assert(std::endian::native == std::endian::little, "numbers are copied as they stand in memory");

class Writer {
 public:
  template <typename T>
  void number(T value) {
    static_assert(std::is_arithmetic_v<T>);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view text, std::size_t longest) {
    std::string mended(text.substr(0, longest));
    while (!mended.empty() && mended.size() < text.size() && !is_utf8(mended))
      mended.pop_back();  // cut in a character
    if (!is_utf8(mended))
      for (char& c : mended)
        if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    number(static_cast<std::uint16_t>(mended.size()));
    bytes += mended;
  }
  void gpu(const health::GpuLoad& load) {
    std::uint8_t known = 0;
    for (std::size_t i = 0; i < health::kGpuLoadFields.size(); ++i)
      if (load.*health::kGpuLoadFields[i].value) known = static_cast<std::uint8_t>(known | 1U << i);
    number(known);
    for (const auto& field : health::kGpuLoadFields)
      if (const auto& value = load.*field.value) number(*value);
  }
  std::string bytes;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  template <typename T>
  T number(const char* what, T least, T most) {
    T value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    if (!(value >= least && value <= most)) throw DataError(cat("a heartbeat's ", what, " is ", value));
    return value;
  }
  template <typename T>
  T number(const char* what, T least = std::numeric_limits<T>::lowest()) {
    return number<T>(what, least, std::numeric_limits<T>::max());  // for doubles: finite
  }
  std::string text(const char* what, std::size_t longest) {
    const auto size = number<std::uint16_t>(what, 0, static_cast<std::uint16_t>(longest));
    const std::string_view bytes = take(size, what);
    if (!is_utf8(bytes)) throw DataError(cat("a heartbeat's ", what, " is not UTF-8"));
    return std::string(bytes);
  }
  health::GpuLoad gpu() {
    constexpr std::uint8_t kAll = (1U << health::kGpuLoadFields.size()) - 1;
    const auto known = number<std::uint8_t>("gpu", 0, kAll);
    health::GpuLoad load;
    for (std::size_t i = 0; i < health::kGpuLoadFields.size(); ++i)
      if ((known >> i & 1U) != 0) {
        const auto& field = health::kGpuLoadFields[i];
        load.*field.value = number<double>(field.name, 0, field.most);
      }
    return load;
  }
  void end() const {
    if (!left_.empty()) throw DataError(cat("a heartbeat has ", left_.size(), " bytes too many"));
  }

 private:
  std::string_view take(std::size_t bytes, const char* what) {
    if (left_.size() < bytes) throw DataError(cat("a heartbeat ends within its ", what));
    const std::string_view taken = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return taken;
  }
  std::string_view left_;
};

constexpr std::size_t kStackBytes = 16384;

}  // namespace

std::string packed(const NodeBeat& beat) {
  Writer out;
  out.text(beat.host, kHostBytes);
  out.number(beat.committed);
  out.number(static_cast<std::uint16_t>(std::min(beat.ranks.size(), kMaxRanksPerNode)));
  for (std::size_t i = 0; i < beat.ranks.size() && i < kMaxRanksPerNode; ++i) {
    const RankBeat& b = beat.ranks[i];
    out.number(b.rank), out.number(b.pid), out.number(b.beats), out.number(b.step), out.number(b.total_steps);
    out.number(static_cast<std::uint8_t>(b.phase));
    out.number(b.seconds_in_phase), out.number(b.collectives), out.number(b.queue_depth),
        out.number(b.memory_bytes);
    out.number(b.step_seconds), out.number(b.signal);
    out.number(static_cast<std::uint8_t>(b.stopped));
    out.gpu(b.gpu);
    out.text(b.stack, kStackBytes);
  }
  return std::move(out.bytes);
}

NodeBeat unpacked(std::string_view payload) {
  Reader in(payload);
  NodeBeat beat;
  beat.host = in.text("host", kHostBytes);
  beat.committed = in.number<std::int64_t>("committed", -1);
  const auto ranks = in.number<std::uint16_t>("ranks", 0, static_cast<std::uint16_t>(kMaxRanksPerNode));
  beat.ranks.reserve(std::min<std::size_t>(ranks, payload.size() / 64));  // no more than there are bytes for
  for (std::uint16_t i = 0; i < ranks; ++i) {
    RankBeat b;
    b.rank = in.number<std::int32_t>("rank", 0);
    b.pid = in.number<std::int64_t>("pid", 0);
    b.beats = in.number<std::uint64_t>("beats");
    b.step = in.number<std::int64_t>("step");
    b.total_steps = in.number<std::int64_t>("total_steps");
    b.phase =
        static_cast<Phase>(in.number<std::uint8_t>("phase", 0, static_cast<std::uint8_t>(Phase::kDone)));
    b.seconds_in_phase = in.number<double>("seconds_in_phase");
    b.collectives = in.number<std::uint64_t>("collectives");
    b.queue_depth = in.number<std::int32_t>("queue_depth");
    b.memory_bytes = in.number<std::uint64_t>("memory_bytes");
    b.step_seconds = in.number<double>("step_seconds");
    b.signal = in.number<std::int32_t>("signal");
    b.stopped = in.number<std::uint8_t>("stopped", 0, 1) == 1;
    b.gpu = in.gpu();
    b.stack = in.text("stack", kStackBytes);
    beat.ranks.push_back(std::move(b));
  }
  in.end();
  return beat;
}

}  // namespace entrain::control
