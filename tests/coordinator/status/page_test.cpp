#include "coordinator/status/page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "tests/support/temporary_folder.hpp"

namespace entrain::status {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Page, IsTheFileOfTheSourceTree) {
  EXPECT_EQ(page_html(), tests::read_file(std::string(ENTRAIN_SOURCE_DIR) + "/coordinator/status/page.html"));
  EXPECT_GT(page_html().size(), 10000U);
}

TEST(Page, NeedsNothingFromElsewhere) {
  std::string page(page_html());
  const std::string name = "http://www.w3.org/2000/svg";  // a name, not an address
  page.erase(page.find(name), name.size());
  for (const char* word : {"http:", "https:", "//cdn", "@import", "url(", " src=", "innerHTML", "outerHTML",
                           "insertAdjacent", "document.write", "eval(", "style=\""})
    EXPECT_THAT(page, Not(HasSubstr(word)));
  EXPECT_FALSE(std::regex_search(page, std::regex(" on[a-z]+=\""))) << "a handler that the policy forbids";
}

TEST(Page, ThePolicyAllowsItsOwnStyleAndScriptOnly) {
  EXPECT_THAT(page_policy("<style>a</style><script>b</script>"),
              HasSubstr("style-src 'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='; script-src "
                        "'sha256-PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0='"));
  const std::string policy = page_policy(page_html());
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_NE(policy, page_policy("<style>a</style><script>b</script>"));
}

}  // namespace
}  // namespace entrain::status
