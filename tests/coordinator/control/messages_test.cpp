#include "coordinator/control/messages.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "configs/error.hpp"

namespace entrain::tests {
namespace {

using control::Message;
using control::Type;
using control::understand;
using ::testing::HasSubstr;

Message round_trip(const Message& message) {
  const auto understood = understand(control::type_of(message), control::payload_of(message));
  EXPECT_EQ(understood.refusal, "");
  return understood.message.value_or(control::Stacks{});
}

template <typename T>
T again(const T& message) {
  return std::get<T>(round_trip(message));
}

TEST(Messages, ComeBackAsTheyWere) {
  const std::string nonce = std::string(31, '\xfe') + '\0';
  EXPECT_EQ(again(control::Challenge{nonce}).nonce, nonce);
  const auto hello =
      again(control::Hello{nonce, "n\"1", {{2, 17}, {3, 18}}, 4, 5, "build", "config", "corpus"});
  EXPECT_EQ(hello.nonce, nonce);
  EXPECT_EQ(hello.host, "n\"1");
  ASSERT_EQ(hello.ranks.size(), 2U);
  EXPECT_EQ(hello.ranks[1].rank, 3);
  EXPECT_EQ(hello.ranks[1].pid, 18);
  EXPECT_EQ(hello.world, 4);
  EXPECT_EQ(hello.generation, 5U);
  EXPECT_EQ(hello.build_digest + hello.config_digest + hello.corpus_digest, "buildconfigcorpus");
  EXPECT_EQ(again(control::Lease{5, 4, 12.5}).deadline_seconds, 12.5);
  EXPECT_EQ(again(control::Lease{5, 4, {}}).deadline_seconds, std::nullopt);
  EXPECT_EQ(again(control::Stop{"why"}).reason, "why");
  again(control::Stacks{});
  EXPECT_EQ(again(control::Fence{5, "over"}).generation, 5U);
  EXPECT_EQ(again(control::Committed{1200}).step, 1200);
  const auto bye = again(control::Bye{3, -9, "killed"});
  EXPECT_EQ(bye.rank, 3);
  EXPECT_EQ(bye.code, -9);
  EXPECT_EQ(bye.reason, "killed");
}

TEST(Messages, AHeartbeatComesBackWithEveryValue) {
  control::RankBeat rank;
  rank.rank = 3;
  rank.pid = 4711;
  rank.beats = std::numeric_limits<std::uint64_t>::max();
  rank.step = 12;
  rank.phase = control::Phase::kCommit;
  rank.seconds_in_phase = 0.25;
  rank.collectives = 99;
  rank.queue_depth = 2;
  rank.memory_bytes = 1ULL << 40;
  rank.step_seconds = 1.5;
  rank.signal = 15;
  rank.stopped = true;
  rank.stack = "main\n\xff";
  rank.gpu = {0.5, 1e12, 71, {}, 1234.5};
  const auto beat = again(control::NodeBeat{"n1", -1, {control::RankBeat{}, rank}});
  EXPECT_EQ(beat.host, "n1");
  EXPECT_EQ(beat.committed, -1);
  ASSERT_EQ(beat.ranks.size(), 2U);
  const auto& r = beat.ranks[1];
  EXPECT_EQ(r.rank, 3);
  EXPECT_EQ(r.pid, 4711);
  EXPECT_EQ(r.beats, rank.beats);
  EXPECT_EQ(r.step, 12);
  EXPECT_EQ(r.phase, control::Phase::kCommit);
  EXPECT_EQ(r.seconds_in_phase, 0.25);
  EXPECT_EQ(r.collectives, 99U);
  EXPECT_EQ(r.queue_depth, 2);
  EXPECT_EQ(r.memory_bytes, 1ULL << 40);
  EXPECT_EQ(r.step_seconds, 1.5);
  EXPECT_EQ(r.signal, 15);
  EXPECT_TRUE(r.stopped);
  EXPECT_EQ(r.stack, "main\n?") << "what is not UTF-8 is mended";
  EXPECT_FALSE(beat.ranks[0].stopped);
  EXPECT_EQ(r.gpu.utilization, 0.5);
  EXPECT_EQ(r.gpu.memory_bytes, 1e12);
  EXPECT_EQ(r.gpu.temperature_celsius, 71);
  EXPECT_EQ(r.gpu.power_watts, std::nullopt) << "what is not known stays so";
  EXPECT_EQ(r.gpu.energy_joules, 1234.5);
  EXPECT_FALSE(health::is_known(beat.ranks[0].gpu)) << "a rank without a GPU sends none";
}

TEST(Messages, AHeartbeatThatWasNotPackedByUsIsRefused) {
  control::RankBeat rank;
  rank.stack = "main";
  rank.gpu.power_watts = 250;
  const std::string good = control::payload_of(control::NodeBeat{"n1", 5, {rank, rank}});
  ASSERT_TRUE(understand(Type::kBeat, good).message);
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(understand(Type::kBeat, good.substr(0, size)).message) << size;
  EXPECT_THAT(understand(Type::kBeat, good + "x").refusal, HasSubstr("1 bytes too many"));
  const auto with = [&](auto change) {
    control::NodeBeat beat{"n1", 5, {rank}};
    change(beat);
    return understand(Type::kBeat, control::payload_of(beat)).refusal;
  };
  EXPECT_EQ(with([](auto&) {}), "");
  EXPECT_THAT(with([](auto& b) { b.committed = -2; }), HasSubstr("committed is -2"));
  EXPECT_THAT(with([](auto& b) { b.ranks[0].rank = -1; }), HasSubstr("rank is -1"));
  EXPECT_THAT(with([](auto& b) { b.ranks[0].phase = static_cast<control::Phase>(77); }), HasSubstr("phase"));
  EXPECT_THAT(with([](auto& b) { b.ranks[0].step_seconds = std::nan(""); }), HasSubstr("step_seconds"));
  EXPECT_THAT(with([](auto& b) { b.ranks[0].seconds_in_phase = std::numeric_limits<double>::infinity(); }),
              HasSubstr("seconds_in_phase"));
  EXPECT_THAT(with([](auto& b) { b.ranks[0].gpu.utilization = 1.01; }), HasSubstr("utilization is 1.01"));
  EXPECT_THAT(with([](auto& b) { b.ranks[0].gpu.energy_joules = -1; }), HasSubstr("energy_joules is -1"));
  EXPECT_THAT(with([](auto& b) { b.ranks[0].gpu.power_watts = std::nan(""); }), HasSubstr("power_watts"));
  std::string unknown = good;
  unknown.at(unknown.size() - 2 - 4 - 8 - 1) = 0x20;
  EXPECT_THAT(understand(Type::kBeat, unknown).refusal, HasSubstr("gpu is"));
  EXPECT_THAT(understand(Type::kBeat, std::string("\x02\0\xff\xfe", 4)).refusal, HasSubstr("UTF-8"));
}

TEST(Messages, ALongReasonIsCutSoThatItsReaderAcceptsIt) {
  const auto stop = again(control::Stop{std::string(100000, '\xff')});
  EXPECT_EQ(stop.reason.size(), 3000U);
}

// Each is the good payload with one value exchanged, so that nothing but this value can be why it is refused.
TEST(Messages, AHostileValueIsARefusalAndNoException) {
  const nlohmann::json good = nlohmann::json::parse(
      control::payload_of(control::Hello{std::string(32, 'n'), "n1", {{0, 17}}, 4, 5, "b", "c", "d"}));
  ASSERT_TRUE(understand(Type::kHello, good.dump()).message);
  const std::vector<std::pair<std::string, std::string>> changes{
      {"/world", "0"},          {"/world", "-1"},
      {"/world", "1e300"},      {"/world", "4.0"},
      {"/world", "true"},       {"/world", "\"4\""},
      {"/world", "2147483648"}, {"/world", "18446744073709551615"},
      {"/generation", "-1"},    {"/generation", "4294967296"},
      {"/host", "5"},           {"/host", "null"},
      {"/nonce", "\"00\""},     {"/nonce", "[]"},
      {"/ranks", "[]"},         {"/ranks", "{}"},
      {"/ranks", "[5]"},        {"/ranks/0/rank", "4"},
      {"/ranks/0/rank", "-1"},  {"/ranks/0/pid", "0"},
      {"/ranks/0/pid", "1e9"},  {"/ranks/0", "[[[]]]"},
      {"/build_digest", "{}"},  {"/host", '"' + std::string(5000, 'h') + '"'}};
  for (const auto& [where, value] : changes) {
    auto bad = good;
    bad[nlohmann::json::json_pointer(where)] = nlohmann::json::parse(value);
    const auto understood = understand(Type::kHello, bad.dump());
    EXPECT_FALSE(understood.message) << where << " = " << value.substr(0, 40);
    EXPECT_NE(understood.refusal, "");
  }
  for (const auto& [key, value] : good.items()) {
    auto bad = good;
    bad.erase(key);
    EXPECT_THAT(understand(Type::kHello, bad.dump()).refusal, HasSubstr(key + " is missing"));
  }
}

TEST(Messages, WhatIsNoJsonIsARefusal) {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("nul"), std::string("[1]"), std::string("5"),
        std::string("\"x\""), std::string("{\"reason\":\"\xff\"}"), std::string("{\"reason\":\"\\ud800\"}"),
        std::string("{\"reason\":1e999}"), std::string("{\"reason\":\"x\"}{}"), std::string("\0", 1)})
    EXPECT_FALSE(understand(Type::kStop, text).message) << text;
  EXPECT_TRUE(understand(Type::kStop, "{\"reason\":\"x\"}").message);
}

TEST(Messages, DeepNestingIsRefusedBeforeItIsBuilt) {
  EXPECT_THAT(understand(Type::kStacks, R"({"a":[[[[]]]]})").refusal, HasSubstr("nested"));
  EXPECT_TRUE(understand(Type::kStacks, R"({"a":[[1]]})").message);
  const std::string open(control::kMaxPayload, '[');
  EXPECT_THAT(understand(Type::kHello, open).refusal, HasSubstr("nested"));
  std::string objects;
  while (objects.size() < control::kMaxPayload - 5) objects += "{\"a\":";
  EXPECT_THAT(understand(Type::kHello, objects).refusal, HasSubstr("nested"));
}

TEST(Messages, AHeartbeatFromElsewhereIsCheckedByItsOwnReader) {
  nlohmann::json beat = control::RankBeat{};
  EXPECT_NO_THROW(beat.get<control::RankBeat>());
  for (const char* key :
       {"rank", "pid", "beats", "step", "collectives", "queue_depth", "memory_bytes", "signal"}) {
    auto bad = beat;
    bad[key] = 1e300;
    EXPECT_THROW(bad.get<control::RankBeat>(), DataError) << key;
  }
  beat["gpu"] = {{"utilization", 0.5}, {"fan", 3}};
  EXPECT_EQ(beat.get<control::RankBeat>().gpu.utilization, 0.5);
  for (const nlohmann::json& gpu :
       {nlohmann::json{{"utilization", 1.5}}, nlohmann::json{{"power_watts", "1"}},
        nlohmann::json{{"energy_joules", -1}}, nlohmann::json(5)}) {
    auto bad = beat;
    bad["gpu"] = gpu;
    EXPECT_THROW(bad.get<control::RankBeat>(), DataError) << gpu;
  }
  beat["phase"] = "of the moon";
  EXPECT_EQ(beat.get<control::RankBeat>().phase, control::Phase::kSetup)
      << "a newer peer may know more phases";
}

}  // namespace
}  // namespace entrain::tests
