// GET /events: the status when it changes, at most once per interval, and a heartbeat when it does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>
#include <nlohmann/json.hpp>

#include "coordinator/status/run_files.hpp"
#include "tests/coordinator/status/fake_status.hpp"
#include "tests/coordinator/status/raw_client.hpp"
#include "tests/coordinator/status/served.hpp"

namespace entrain::status {
namespace {

using tests::RawClient;
using tests::Served;
using namespace std::chrono_literals;

// The next event of a stream: its data, or a comment as it is.
std::string next_event(RawClient& client, double seconds = 20) {
  if (!client.read_until("\n\n", seconds)) return "";
  const auto end = client.got().find("\n\n");
  const std::string event = client.got().substr(0, end);
  client.got().erase(0, end + 2);
  EXPECT_EQ(event.find('\n'), event.npos) << "an event of one line";
  return event.starts_with("data: ") ? event.substr(6) : event;
}

void follow(RawClient& client) {
  const auto answer = client.get("/events?token=secret/%2B%201");
  ASSERT_EQ(answer.code, 200);
  EXPECT_EQ(answer.header("Content-Type"), "text/event-stream");
  EXPECT_EQ(answer.header("Content-Length"), "");
}

std::int64_t step_of(const std::string& event) {
  const auto status = status_of(nlohmann::json::parse(event, nullptr, false));
  return status ? status->step : -1;
}

TEST(HttpEvents, AFollowerGetsTheStatusAndEveryChange) {
  HttpSettings settings = Served::settings();
  settings.event_interval = 10ms;
  Served served(settings);
  RunStatus s = tests::training(2);
  served.publish(s);
  RawClient client(served.port()), other(served.port());
  follow(client);
  follow(other);
  EXPECT_EQ(step_of(next_event(client)), 1200);
  for (std::int64_t step = 1201; step < 1205; ++step) {
    s.step = step;
    served.publish(s);
    EXPECT_EQ(step_of(next_event(client)), step);
  }
  std::int64_t seen = 0;  // one that reads late has what was sent meanwhile, in order
  while (seen < 1204) {
    const std::int64_t step = step_of(next_event(other));
    ASSERT_GT(step, seen);
    seen = step;
  }
}

TEST(HttpEvents, TheClockAloneIsNoChange) {
  HttpSettings settings = Served::settings();
  settings.event_interval = 1ms;
  settings.heartbeat = 300ms;
  Served served(settings);
  RunStatus s = tests::training(2);
  served.publish(s);
  RawClient client(served.port());
  follow(client);
  EXPECT_EQ(step_of(next_event(client)), 1200);
  s.now = "2026-03-02T10:04:12Z";
  served.publish(s);
  EXPECT_EQ(next_event(client), ": heartbeat");
  EXPECT_EQ(next_event(client), ": heartbeat");
  s.step = 1201;
  served.publish(s);
  std::string event = next_event(client);
  while (event == ": heartbeat") event = next_event(client);
  EXPECT_EQ(step_of(event), 1201);
}

TEST(HttpEvents, AreAtMostOnePerInterval) {
  HttpSettings settings = Served::settings();
  settings.event_interval = 400ms;
  Served served(settings);
  RunStatus s = tests::training(1);
  served.publish(s);
  RawClient client(served.port());
  follow(client);
  ASSERT_EQ(step_of(next_event(client)), 1200);
  const auto begin = std::chrono::steady_clock::now();
  for (s.step = 1201; std::chrono::steady_clock::now() - begin < 1500ms; ++s.step) {
    served.publish(s);
    std::this_thread::sleep_for(5ms);
  }
  const std::int64_t last = s.step - 1;
  ASSERT_GT(last, 1210);
  int events = 0;
  std::int64_t seen = 0;
  while (seen < last) {
    seen = step_of(next_event(client));
    ASSERT_GE(seen, 0);
    ++events;
  }
  EXPECT_LE(events, 5) << "1.5 s hold four intervals of 0.4 s, and one event ends the last";
  EXPECT_GE(events, 2);
}

TEST(HttpEvents, HostileTextStaysInsideItsEvent) {
  Served served;
  RunStatus s = tests::training(1);
  s.reason = s.run_id = s.ranks[0].host = tests::kHostile;
  served.publish(s);
  RawClient client(served.port());
  follow(client);
  const auto told = status_of(nlohmann::json::parse(next_event(client), nullptr, false));
  ASSERT_TRUE(told);
  EXPECT_EQ(told->reason.substr(0, 30), tests::kHostile.substr(0, 30));
  EXPECT_EQ(client.got(), "");
}

TEST(HttpEvents, FollowersLeaveRoomForScrapes) {
  HttpSettings settings = Served::settings();
  settings.max_event_streams = 3;
  Served served(settings);
  std::list<RawClient> followers;
  for (int i = 0; i < 3; ++i) follow(followers.emplace_back(served.port()));
  EXPECT_EQ(RawClient(served.port()).get("/events?token=secret/%2B%201").code, 503);
  EXPECT_EQ(RawClient(served.port()).get("/status?token=secret/%2B%201").code, 200);
  followers.pop_front();
  int code = 0;
  for (int i = 0; i < 100 && code != 200; ++i) {
    code = RawClient(served.port()).get("/events?token=secret/%2B%201").code;
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_EQ(code, 200) << "one that left is seen to have left";
}

TEST(HttpEvents, AFollowerThatDoesNotReadIsDropped) {
  HttpSettings settings = Served::settings();
  settings.event_interval = 1ms;
  settings.patience = 300ms;
  settings.max_event_streams = 1;
  Served served(settings);
  RunStatus s = tests::training(4000);
  RawClient stuck(served.port(), 4096);
  follow(stuck);
  int code = 503;
  for (int i = 0; i < 300 && code == 503; ++i) {
    s.step = i;
    served.publish(s);
    code = RawClient(served.port()).get("/events?token=secret/%2B%201").code;
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_EQ(code, 200) << "its place was not given to another";
}

}  // namespace
}  // namespace entrain::status
