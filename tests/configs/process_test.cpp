#include "configs/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <ios>
#include <new>
#include <system_error>

#include "configs/section.hpp"

namespace entrain {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

int code_of(const std::exception& e) { return static_cast<int>(error_of(e).code()); }

TEST(ErrorOf, OursStayAsTheyAre) {
  DataError mine("a.h5: row 7");
  mine.set_on_all_ranks();
  const Error same = error_of(mine);
  EXPECT_STREQ(same.what(), "a.h5: row 7");
  EXPECT_EQ(same.code(), ExitCode::kData);
  EXPECT_TRUE(same.on_all_ranks());
}

TEST(ErrorOf, WhatTheMachineLacksIsNoBug) {
  EXPECT_EQ(code_of(std::bad_alloc()), 78);
  EXPECT_THAT(error_of(std::bad_alloc()).what(), HasSubstr("not enough memory: "));
  // The words of LibTorch's allocator, whose type this folder does not know.
  const std::runtime_error torch(
      "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
      "to "
      "allocate 400000000000 bytes. Error code 12 (Cannot allocate memory)\nframe #0: ...");
  EXPECT_EQ(code_of(torch), 78);
  EXPECT_THAT(error_of(torch).what(),
              AllOf(StartsWith("not enough memory: you tried to allocate 400000000000 bytes; this process"),
                    Not(HasSubstr("frame #0"))));
  EXPECT_EQ(code_of(std::system_error(EAGAIN, std::generic_category(), "thread")), 78);
  const std::filesystem::filesystem_error gone("cannot get current path",
                                               std::make_error_code(std::errc::permission_denied));
  EXPECT_EQ(code_of(gone), 65);
  EXPECT_EQ(code_of(std::ios_base::failure("underflow")), 65);  // also a std::system_error
}

TEST(ErrorOf, AnythingElseIsABug) {
  EXPECT_EQ(code_of(std::runtime_error("odd")), 70);
  EXPECT_THAT(error_of(std::runtime_error("odd")).what(), HasSubstr("a bug of Entrain's"));
  EXPECT_EQ(code_of(std::system_error(ENOENT, std::generic_category())), 70);
}

TEST(Utf8, IsWhatJsonTakes) {
  for (const char* good : {"", "plain", "caf\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF"})
    EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"caf\xE9", "\xC3", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                          "\xF0\x9F\x98", "\x80", "\xFF"})
    EXPECT_FALSE(is_utf8(bad)) << printable(bad);
  EXPECT_EQ(printable("caf\xE9\n\xC3\xA9"), "caf\\xe9\\x0a\xC3\xA9");
}

}  // namespace
}  // namespace entrain
