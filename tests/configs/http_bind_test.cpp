// http.bind: what listens where, and what is refused before anything is begun.
#include "configs/http_bind.hpp"

#include <gmock/gmock.h>

#include "configs/error.hpp"
#include "configs/reader.hpp"

namespace entrain {
namespace {

TEST(HttpBind, AddressAndPortOrOff) {
  EXPECT_FALSE(parse_http_bind("off"));
  EXPECT_EQ(parse_http_bind("127.0.0.1:0")->port, 0);
  EXPECT_EQ(parse_http_bind("0.0.0.0:65535")->port, 65535);
  EXPECT_EQ(parse_http_bind("[::1]:8080")->address, "::1");
  EXPECT_EQ(parse_http_bind("node1:80")->address, "node1");
}

TEST(HttpBind, AnythingElseIsRefusedWithTheForm) {
  for (const char* text :
       {"", " ", "on", "OFF", "nonsense", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:-1", "127.0.0.1:1x",
        "127.0.0.1:65536", "127.0.0.1:99999999999999999999", "::1", "::1:80", "a:b:c"})
    EXPECT_THROW(parse_http_bind(text), ConfigError) << text;
  try {
    read_run_config("", {"http.bind=nonsense"});
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("http.bind: want ADDRESS:PORT, as in 127.0.0.1:0"));
  }
}

// Brackets begin a list elsewhere.
TEST(HttpBind, AnAddressOfIpv6NeedsNoQuotesOnTheCommandLine) {
  for (const char* word : {"http.bind=[::1]:0", "http.bind=\"[::1]:0\""})
    EXPECT_EQ(read_run_config("", {word}).config.http.bind, "[::1]:0") << word;
  EXPECT_THAT(read_run_config("", {"data.files=[a.h5,\"b]:c.h5\"]"}).config.data.files,
              testing::ElementsAre("a.h5", "b]:c.h5"));
}

}  // namespace
}  // namespace entrain
