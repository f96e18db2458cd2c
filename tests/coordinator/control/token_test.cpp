#include "coordinator/control/token.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "configs/error.hpp"
#include "coordinator/control/keys.hpp"
#include "coordinator/control/mac.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

using control::make_or_read_token;
using control::read_token;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Token, IsMadeOnceAndReadByARestartedSupervisor) {
  const TemporaryFolder run, other;
  const std::string token = make_or_read_token(run.path());
  EXPECT_EQ(token.size(), 32U);
  EXPECT_EQ(make_or_read_token(run.path()), token);
  EXPECT_EQ(read_token(run.path()), token);
  EXPECT_NE(make_or_read_token(other.path()), token);
  struct stat info {};
  ASSERT_EQ(::stat((run / ".token").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  EXPECT_EQ(read_file(run / ".token"), control::hex_of(token) + "\n");
}

TEST(Token, AFileThatOthersMayReadIsRefused) {
  const TemporaryFolder run;
  make_or_read_token(run.path());
  for (const mode_t mode : {0640U, 0604U, 0620U}) {
    ASSERT_EQ(::chmod((run / ".token").c_str(), mode), 0);
    EXPECT_THAT([&] { read_token(run.path()); }, ThrowsMessage<LaunchError>(HasSubstr("others may read")))
        << mode;
    EXPECT_THROW(make_or_read_token(run.path()), LaunchError);
  }
  ASSERT_EQ(::chmod((run / ".token").c_str(), 0600), 0);
  EXPECT_NO_THROW(read_token(run.path()));
}

TEST(Token, AFileOfSomebodyElseIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const TemporaryFolder run;
  make_or_read_token(run.path());
  ASSERT_EQ(::chown((run / ".token").c_str(), 65534, 65534), 0);
  EXPECT_THAT([&] { read_token(run.path()); },
              ThrowsMessage<LaunchError>(HasSubstr("belongs to user 65534")));
}

TEST(Token, WhatIsNoWholeTokenIsRefused) {
  const TemporaryFolder run;
  EXPECT_THAT([&] { read_token(run.path()); }, ThrowsMessage<LaunchError>(HasSubstr("entrain run")));
  const std::string path = run / ".token", good(64, 'a');
  for (const std::string& text :
       {std::string(), good.substr(1), good + "a", good + "\n\n", std::string(64, 'g')}) {
    write_file(path, text);
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    EXPECT_THAT([&] { read_token(run.path()); }, ThrowsMessage<LaunchError>(HasSubstr("holds no secret")))
        << text;
  }
  write_file(path, good + "\n");
  EXPECT_EQ(read_token(run.path()), std::string(32, '\xaa'));
  std::filesystem::rename(path, run / "elsewhere");
  std::filesystem::create_symlink(run / "elsewhere", path);
  EXPECT_THROW(read_token(run.path()), LaunchError) << "a link may lead anywhere";
}

// By Python: hmac.new(bytes(range(32)), b"entrain control 1 ...", hashlib.sha256).hexdigest()
TEST(Keys, AreThoseOfTheReadme) {
  std::string token;
  for (char c = 0; c < 32; ++c) token += c;
  const std::string server(32, '\x11'), client(32, '\x22');
  EXPECT_EQ(control::hex_of(control::challenge_key(token)),
            "1834cb7c6e44faaff7aecebd624eeadbc9a7260806f129307317db2242b9041b");
  EXPECT_EQ(control::hex_of(control::client_key(token, server)),
            "5a60c8ae2de5b1d62d52261e43a57d8c370f04f334073bb5996b2223ae16947e");
  EXPECT_EQ(control::hex_of(control::server_key(token, server, client)),
            "e25ca992a7fb1d250693bbb0a87997dab0a89478909d5a696cc8bfc5a836496c");
}

}  // namespace
}  // namespace entrain::tests
