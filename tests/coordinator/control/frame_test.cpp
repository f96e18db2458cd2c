#include "coordinator/control/frame.hpp"

#include <gmock/gmock.h>

#include "configs/error.hpp"
#include "coordinator/control/mac.hpp"
#include "tests/coordinator/control/largest_allocation.hpp"

namespace entrain::tests {
namespace {

using control::FrameReader;
using control::FrameWriter;
using control::Type;
using ::testing::HasSubstr;

constexpr std::uint64_t kRun = 0x0123456789abcdef;

std::string counting_key() {
  std::string key;
  for (char c = 0; c < 32; ++c) key += c;
  return key;
}

// What a reader says to these bytes: "" for one good frame and nothing else.
std::string refusal_of(const std::string& bytes, std::uint64_t run = kRun,
                       const std::string& key = counting_key()) {
  FrameReader reader(run, key);
  reader.add(bytes);
  if (reader.next()) return reader.in_frame() ? "more follows" : "";
  return reader.refusal().empty() ? "waits" : reader.refusal();
}

void put(std::string& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

// The same header and payload with another value in it and the HMAC that belongs to that.
std::string with(std::string frame, std::size_t at, std::uint64_t value, std::size_t size) {
  put(frame, at, value, size);
  const auto covered = frame.size() - control::kMacBytes;
  return frame.substr(0, covered) + control::hmac_sha256(counting_key(), frame.substr(0, covered));
}

std::string stop_frame() {
  return FrameWriter(kRun, counting_key()).write(Type::kStop, 7, R"({"reason":"x"})");
}

// Made by Python's struct and hmac.
TEST(Frame, IsTheBytesOfTheReadme) {
  EXPECT_EQ(control::hex_of(stop_frame()),
            "4600000002000500efcdab89674523010700000000000000000000007b22726561736f6e223a2278227d"
            "d46d0fb69d99c567b0eebc80d117121050fca0e971e24b7bd06559ba075c41c0");
}

TEST(Frame, ComesBackHoweverItsBytesArrive) {
  FrameWriter writer(kRun, counting_key());
  const std::string large(100000, 'l');
  std::string bytes = writer.write(Type::kHello, 1, "");
  bytes += writer.write(Type::kBeat, 2, large);
  bytes += writer.write(Type::kBye, 3, std::string("\0\xff", 2));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, bytes.size()}) {
    FrameReader reader(kRun, counting_key());
    std::vector<control::Frame> frames;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.add(std::string_view(bytes).substr(at, piece));
      while (auto frame = reader.next()) frames.push_back(*frame);
    }
    ASSERT_EQ(frames.size(), 3U) << piece << reader.refusal();
    EXPECT_EQ(frames[0].type, Type::kHello);
    EXPECT_EQ(frames[0].payload, "");
    EXPECT_EQ(frames[1].payload, large);
    EXPECT_EQ(frames[1].generation, 2U);
    EXPECT_EQ(frames[2].seq, 2U);
    EXPECT_EQ(frames[2].payload, std::string("\0\xff", 2));
    EXPECT_FALSE(reader.in_frame());
  }
}

TEST(Frame, EverySingleChangedBitIsRefused) {
  const std::string good = stop_frame();
  ASSERT_EQ(refusal_of(good), "");
  for (std::size_t at = 0; at < good.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      FrameReader reader(kRun, counting_key());
      reader.add(bad);
      EXPECT_FALSE(reader.next()) << at << " bit " << bit;
      // A length that grew makes the reader wait; what comes then cannot make it right.
      reader.add(std::string(control::kMaxLength, '\0'));
      EXPECT_FALSE(reader.next()) << at << " bit " << bit;
      EXPECT_NE(reader.refusal(), "") << at << " bit " << bit;
    }
}

TEST(Frame, WrongVersionTypeRunKeyOrNumberIsRefusedThoughSigned) {
  const std::string good = stop_frame();
  EXPECT_EQ(refusal_of(with(good, 16, 9, 4)), "") << "another generation is for others to judge";
  EXPECT_THAT(refusal_of(with(good, 4, 1, 2)), HasSubstr("version 1"));
  EXPECT_THAT(refusal_of(with(good, 6, 0, 2)), HasSubstr("unknown frame type 0"));
  EXPECT_THAT(refusal_of(with(good, 6, 10, 2)), HasSubstr("unknown frame type 10"));
  EXPECT_THAT(refusal_of(with(good, 8, 1, 8)), HasSubstr("another run"));
  EXPECT_THAT(refusal_of(with(good, 20, 1, 8)), HasSubstr("frame number 1, expected 0"));
  EXPECT_THAT(refusal_of(good, kRun + 1), HasSubstr("another run"));
  EXPECT_THAT(refusal_of(good, kRun, std::string(32, 'x')), HasSubstr("HMAC"));
  EXPECT_THAT(refusal_of(good, kRun, ""), HasSubstr("HMAC"));
}

TEST(Frame, ARepeatedOrFallingNumberIsRefused) {
  FrameWriter writer(kRun, counting_key());
  const std::string a = writer.write(Type::kStop, 1, "{}"), b = writer.write(Type::kStop, 1, "{}");
  for (const std::string& then : {a, b}) {
    FrameReader reader(kRun, counting_key());
    reader.add(a + b + then);
    EXPECT_TRUE(reader.next() && reader.next());
    EXPECT_FALSE(reader.next());
    EXPECT_THAT(reader.refusal(), HasSubstr("expected 2"));
    reader.add(writer.write(Type::kStop, 1, "{}"));
    EXPECT_FALSE(reader.next()) << "a refusal is for good";
  }
}

TEST(Frame, AnOversizeLengthIsRefusedByItsFourBytesWithoutABigAllocation) {
  for (const std::uint64_t length :
       {std::uint64_t{control::kMaxLength} + 1, std::uint64_t{0x7fffffff}, std::uint64_t{0xffffffff}}) {
    std::string bytes(4, '\0');
    put(bytes, 0, length, 4);
    forget_allocations();
    EXPECT_THAT(refusal_of(bytes), HasSubstr("at most 1048576"));
    EXPECT_LT(largest_allocation(), 4096U);
  }
  std::string allowed(4, '\0');
  put(allowed, 0, control::kMaxLength, 4);
  forget_allocations();
  EXPECT_EQ(refusal_of(allowed), "waits");
  std::string header = stop_frame().substr(0, control::kHeaderBytes);
  put(header, 0, control::kMaxLength, 4);
  EXPECT_EQ(refusal_of(header), "waits");
  EXPECT_LT(largest_allocation(), 4096U) << "a promised length is not allocated before the bytes are there";
  const std::string big(1 << 20, 'b');
  EXPECT_GE(largest_allocation(), big.size()) << "or this test sees nothing";
  std::string tiny(4, '\0');
  put(tiny, 0, 55, 4);
  EXPECT_THAT(refusal_of(tiny), HasSubstr("too few"));
}

TEST(Frame, ThePayloadHasALimitThatItsReaderAccepts) {
  FrameWriter writer(kRun, counting_key());
  EXPECT_EQ(refusal_of(writer.write(Type::kBeat, 1, std::string(control::kMaxPayload, 'p'))), "");
  EXPECT_THROW(writer.write(Type::kBeat, 1, std::string(control::kMaxPayload + 1, 'p')), DataError);
}

TEST(Frame, AChangedKeyHoldsFromTheNextFrameOn) {
  FrameWriter writer(kRun, counting_key());
  const std::string first = writer.write(Type::kChallenge, 1, "{}");
  writer.set_key("other");
  const std::string second = writer.write(Type::kLease, 1, "{}");
  FrameReader reader(kRun, counting_key());
  reader.add(first + second);
  ASSERT_TRUE(reader.next());
  reader.set_key("other");
  EXPECT_TRUE(reader.next());
  FrameReader stubborn(kRun, counting_key());
  stubborn.add(first + second);
  ASSERT_TRUE(stubborn.next());
  EXPECT_FALSE(stubborn.next());
}

}  // namespace
}  // namespace entrain::tests
