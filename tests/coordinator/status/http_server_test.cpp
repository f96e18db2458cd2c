// The server on real sockets, asked by a client that shares no code with it.
#include "coordinator/status/http_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <list>
#include <nlohmann/json.hpp>

#include "configs/error.hpp"
#include "coordinator/status/http_answer.hpp"
#include "coordinator/status/page.hpp"
#include "coordinator/status/run_files.hpp"
#include "tests/coordinator/status/fake_status.hpp"
#include "tests/coordinator/status/raw_client.hpp"
#include "tests/coordinator/status/served.hpp"

namespace entrain::status {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using tests::RawAnswer;
using tests::RawClient;
using tests::Served;
using namespace std::chrono_literals;

constexpr std::string_view kBearer = "Authorization: Bearer secret/+ 1\r\n";
const std::string kQuery = "?token=secret/%2B%201";

TEST(HttpServer, TellsEverythingToWhoHasTheToken) {
  Served served;
  served.publish(tests::training(4));
  RawClient client(served.port());
  EXPECT_EQ(client.get("/healthz").body, "ok\n");
  const RawAnswer page = client.get("/", kBearer), status = client.get("/status", kBearer),
                  metrics = client.get("/metrics", kBearer), ranks = client.get("/ranks", kBearer);
  EXPECT_EQ(page.body, page_html());
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(status.header("Content-Type"), "application/json");
  const auto told = status_of(nlohmann::json::parse(status.body));
  ASSERT_TRUE(told);
  EXPECT_EQ(told->step, 1200);
  EXPECT_THAT(metrics.header("Content-Type"), StartsWith("text/plain; version=0.0.4"));
  EXPECT_THAT(metrics.body, HasSubstr("\nentrain_step{run_id=\"a-1\",stage=\"pretrain\"} 1200\n"));
  EXPECT_THAT(ranks.body, StartsWith("4 ranks, nobody is behind\n"));
  EXPECT_EQ(client.get("/status" + kQuery).code, 200);
  EXPECT_EQ(client.get("/status?x=1&token=secret/%2B%201").code, 200);
}

TEST(HttpServer, TellsNothingWithoutTheToken) {
  Served served;
  served.publish(tests::training(4));
  RawClient client(served.port());
  for (const char* path : {"/", "/status", "/metrics", "/ranks", "/events", "/no-such-thing"}) {
    const RawAnswer none = client.get(path);
    ASSERT_EQ(none.code, 401) << path;
    EXPECT_THAT(none.body, HasSubstr("in runs/a/.token"));
    EXPECT_THAT(none.body, Not(HasSubstr("1200")));
    EXPECT_THAT(none.header("WWW-Authenticate"), StartsWith("Bearer"));
  }
  for (const char* wrong : {"Bearer secret/+ 2", "Bearer secret/+ 1 ", "Bearer", "Bearer ",
                            "Basic secret/+ 1", "secret/+ 1", "Bearer secret/+ 11", "Bearer secret/+ "})
    EXPECT_EQ(client.get("/status", std::string("Authorization: ") + wrong + "x\r\n").code, 401) << wrong;
  for (const char* wrong : {"?token=", "?token=secret", "?Token=secret/%2B%201", "?atoken=secret/%2B%201",
                            "?", "?token=secret/%2B%201x", "?token=%"})
    EXPECT_EQ(client.get(std::string("/status") + wrong).code, 401) << wrong;
  EXPECT_EQ(client.get("/status", "Authorization: Bearer wrong\r\n").code, 401);
  EXPECT_EQ(client.get("/status" + kQuery, "Authorization: Bearer wrong\r\n").code, 401)
      << "a wrong header is not made good by the query";
}

TEST(HttpServer, HealthIsForEverybodyAndSaysWhy) {
  Served served;
  RawClient client(served.port());
  RunStatus s = tests::training(1);
  s.reason = "rank 3 is dead";
  const auto health = [&](const std::string& state, int code) {
    s.state = state;
    s.exit_code = code;
    served.publish(s);
    return client.get("/healthz");
  };
  EXPECT_EQ(health("starting", -1).code, 200);
  EXPECT_EQ(health("stopping", -1).code, 200);
  EXPECT_EQ(health("recovering", -1).code, 503);
  EXPECT_EQ(health("recovering", -1).body, "recovering: rank 3 is dead\n");
  EXPECT_EQ(health("ended", 0).code, 200);
  EXPECT_EQ(health("ended", 75).code, 200);
  EXPECT_EQ(health("ended", 93).body, "ended (exit code 93): rank 3 is dead\n");
  EXPECT_EQ(health("unknown", -1).code, 503);
}

// A body may follow that nobody wants to read: the connection ends, and the answer comes all the same.
TEST(HttpServer, TheRanksOfAnEndedRunHaveEnded) {
  Served served;
  RunStatus s = tests::training(4);
  s.ranks[1].behind = true;
  s.state = "ended";
  s.exit_code = 0;
  served.publish(s);
  RawClient client(served.port());
  for (const char* path : {"/status", "/ranks"}) {
    const std::string body = client.get(path + kQuery).body;
    EXPECT_THAT(body, HasSubstr("ended"));
    EXPECT_THAT(body, Not(HasSubstr("alive")));
    EXPECT_THAT(body, Not(HasSubstr("BEHIND")));
  }
  EXPECT_THAT(client.get("/metrics" + kQuery).body, Not(HasSubstr("health=\"alive\"} 1")));
}

TEST(HttpServer, TakesNoOrdersWhateverTheyHoldAndSaysWhatItTakes) {
  Served served;
  const std::string body(3'000'000, 'x'), length = "Content-Length: " + std::to_string(body.size()) + "\r\n";
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"})
    for (const std::string& more :
         {std::string(), std::string("Content-Length: 3\r\n"), length, std::string("Content-Length: x\r\n"),
          std::string("Transfer-Encoding: chunked\r\n"), std::string("no colon\r\n")}) {
      RawClient client(served.port());
      client.send(method + (" /status" + kQuery) + " HTTP/1.1\r\nHost: x\r\n" + more + "\r\n");
      const bool taken = more != length || client.send(body);
      EXPECT_TRUE(taken) << "a client that cannot end its request may read no answer";
      const RawAnswer refused = client.answer();
      EXPECT_EQ(refused.code, 405) << method << ' ' << more;
      EXPECT_EQ(refused.header("Allow"), "GET, HEAD");
      EXPECT_EQ(refused.header("Connection"), "close");
      EXPECT_TRUE(client.is_closed());
      EXPECT_FALSE(client.was_reset()) << method << ' ' << more;
    }
}

TEST(HttpServer, RefusesWhatItDoesNotKnow) {
  Served served;
  RawClient client(served.port());
  for (const char* path : {"/statu", "/status/", "//", "/../etc/passwd", "/%2e%2e/etc/passwd", "/index.html"})
    EXPECT_EQ(client.get(path + kQuery).code, 404) << path;
  EXPECT_EQ(client.get("/status", "Content-Length: 3\r\n").code, 413);
  EXPECT_EQ(RawClient(served.port()).get("/status", "Content-Length: 3000000\r\n").code, 413);
  EXPECT_EQ(RawClient(served.port()).get("/status", "Content-Length: 3\r\n", "HEAD").code, 413);
  EXPECT_EQ(RawClient(served.port()).get("/status", "Transfer-Encoding: chunked\r\n").code, 413);
  EXPECT_EQ(RawClient(served.port()).get("/status", "no colon\r\n").code, 400);
  EXPECT_EQ(RawClient(served.port()).get("/healthz").code, 200) << "the others are not disturbed";
}

TEST(HttpServer, EveryAnswerForbidsTheBrowserMore) {
  Served served;
  RawClient client(served.port());
  for (const char* path : {"/", "/status", "/healthz"}) {
    const RawAnswer answer = client.get(path + kQuery);
    EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(answer.header("Referrer-Policy"), "no-referrer");
    EXPECT_EQ(answer.header("Cache-Control"), "no-store");
    EXPECT_EQ(answer.header("Content-Security-Policy"), page_policy(page_html()));
  }
}

TEST(HttpServer, HeadHasTheHeadersAndNoBody) {
  Served served;
  served.publish(tests::training(2));
  RawClient client(served.port());
  for (const std::string path : {"/", "/status", "/metrics", "/healthz"}) {
    const RawAnswer get = client.get(path + kQuery), head = client.get(path + kQuery, "", "HEAD");
    EXPECT_EQ(head.code, 200);
    EXPECT_EQ(head.header("Content-Length"), std::to_string(get.body.size()));
    EXPECT_EQ(head.header("Content-Type"), get.header("Content-Type"));
  }
  EXPECT_EQ(client.get("/events" + kQuery, "", "HEAD").header("Content-Type"), "text/event-stream");
  EXPECT_EQ(client.get("/healthz").body, "ok\n") << "the connection goes on, nothing stands in between";
}

TEST(HttpServer, AnswersPipelinedRequestsInTheirOrder) {
  Served served;
  RawClient client(served.port());
  std::string many;
  for (int i = 0; i < 20; ++i)
    many += "GET " + std::string(i % 2 == 0 ? "/healthz" : "/no" + kQuery) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(many);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.answer().code, i % 2 == 0 ? 200 : 404) << i;
}

TEST(HttpServer, ARequestOfMoreThan8KiBIsRefused) {
  Served served;
  EXPECT_EQ(RawClient(served.port()).get("/healthz", "X: " + std::string(7500, 'x') + "\r\n").code, 200);
  RawClient big(served.port());
  EXPECT_EQ(big.get("/healthz", "X: " + std::string(9000, 'x') + "\r\n").code, 431);
  EXPECT_TRUE(big.is_closed());
  EXPECT_EQ(RawClient(served.port()).get('/' + std::string(100000, 'x')).code, 431);
}

TEST(HttpServer, DropsClientsThatAreSlowToAskOrToRead) {
  HttpSettings settings = Served::settings();
  settings.patience = 300ms;
  settings.keep_alive = 2s;
  Served served(settings);
  served.publish(tests::training(4000));
  RawClient silent(served.port()), drip(served.port()), again(served.port()), stuck(served.port(), 4096);
  ASSERT_EQ(again.get("/healthz").code, 200);
  stuck.send("GET /status HTTP/1.1\r\nHost: x\r\n" + std::string(kBearer) + "\r\n");
  bool dropped = false;
  for (int i = 0; i < 200 && !dropped; ++i) {  // a byte now and then does not help
    drip.send(i == 0 ? "GET / HTTP/1.1\r\nX: " : "x");
    dropped = drip.is_closed(0.1);
  }
  EXPECT_TRUE(dropped);
  EXPECT_TRUE(silent.is_closed());
  EXPECT_TRUE(again.is_closed()) << "it asked once and holds its place for ever";
  std::this_thread::sleep_for(1s);
  EXPECT_TRUE(stuck.is_closed(20)) << "the server still waits for it to read";
  EXPECT_LT(stuck.got().size(), 1500000U) << "nothing was left unsent, so this proves nothing";
  EXPECT_EQ(RawClient(served.port()).get("/healthz").code, 200);
}

TEST(HttpServer, ANewClientTakesThePlaceOfTheOneThatWasIdleLongest) {
  Served served;
  std::list<RawClient> clients;
  for (int i = 0; i < 64; ++i) {
    clients.emplace_back(served.port());
    ASSERT_EQ(clients.back().get("/healthz").code, 200) << i;
  }
  ASSERT_EQ(clients.front().get("/healthz").code, 200) << "64 have room; now the second was idle longest";
  RawClient more(served.port());
  EXPECT_EQ(more.get("/healthz").code, 200);
  EXPECT_TRUE(std::next(clients.begin())->is_closed());
  clients.erase(std::next(clients.begin()));
  for (RawClient& client : clients) ASSERT_EQ(client.get("/healthz").code, 200) << "one only had to leave";
}

TEST(HttpServer, SixHundredThatSayNothingCrowdNobodyOut) {
  HttpSettings settings = Served::settings();
  settings.event_interval = 10ms;
  settings.patience = settings.keep_alive = 600s;  // it is not the clock that makes room
  Served served(settings);
  RunStatus s = tests::training(2);
  served.publish(s);
  RawClient follower(served.port());
  follower.send("GET /events" + kQuery + " HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(follower.read_until("\"step\":1200"));
  std::list<RawClient> silent;
  for (int i = 0; i < 600; ++i) {
    silent.emplace_back(served.port());
    if (i % 3 == 0) silent.back().send("GET /healthz HTTP/1.1\r\nHost:");
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(RawClient(served.port()).get("/healthz").code, 200);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(RawClient(served.port()).get("/status", kBearer).code, 200) << i;
  EXPECT_TRUE(silent.front().is_closed());
  s.step = 1201;
  served.publish(s);
  EXPECT_TRUE(follower.read_until("\"step\":1201")) << "a stream that is fed is none of the idle";
}

TEST(HttpServer, AStreamMakesRoomOnlyWhereThereIsNothingElse) {
  HttpSettings settings = Served::settings();
  settings.max_connections = settings.max_event_streams = 3;
  Served served(settings);
  served.publish(tests::training(1));
  std::list<RawClient> followers;
  for (int i = 0; i < 3; ++i) {
    followers.emplace_back(served.port()).send("GET /events" + kQuery + " HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(followers.back().read_until("data: "));
  }
  EXPECT_EQ(RawClient(served.port()).get("/healthz").code, 200);
  EXPECT_TRUE(followers.front().is_closed());
  EXPECT_FALSE(followers.back().is_closed(0.2));
}

TEST(HttpServer, NeedsATokenAndAFreePort) {
  boost::asio::io_context io;
  HttpSettings settings;
  EXPECT_THROW(HttpServer(io, settings), LaunchError);
  settings.token = "t";
  settings.address = "localhost!";
  EXPECT_THROW(HttpServer(io, settings), LaunchError);
  settings.address = "127.0.0.1";
  const HttpServer first(io, settings);
  EXPECT_EQ(first.url(), "http://127.0.0.1:" + std::to_string(first.port()) + "/?token=t");
  settings.port = first.port();
  EXPECT_THROW(HttpServer(io, settings), LaunchError);
}

TEST(HttpServer, ClosingEndsEveryConnection) {
  std::optional<Served> served(std::in_place);
  RawClient idle(served->port()), follower(served->port());
  follower.send("GET /events" + kQuery + " HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(follower.read_until("data: "));
  const auto port = served->port();
  served.reset();  // hangs here where something pends for ever
  EXPECT_TRUE(idle.is_closed());
  EXPECT_TRUE(follower.is_closed());
  EXPECT_THROW(RawClient again(port), std::runtime_error);
}

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

// Client and server together, each scrape of a new document on a new connection.
TEST(HttpServer, AScrapeOf64RanksCostsLessThan5Milliseconds) {
  Served served;
  constexpr int kScrapes = 50;
  RunStatus s = tests::training(64);
  const double before = cpu_seconds();
  for (int i = 0; i < kScrapes; ++i) {
    s.step = i;
    served.publish(s);
    ASSERT_EQ(RawClient(served.port()).get("/metrics", kBearer).code, 200);
  }
  const double each = (cpu_seconds() - before) / kScrapes;
  RecordProperty("milliseconds", std::to_string(1000 * each));
  std::printf("a scrape of 64 ranks: %.2f ms of processor time\n", 1000 * each);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__OPTIMIZE__)
  EXPECT_LT(each, 0.005);
#endif
}

}  // namespace
}  // namespace entrain::status
