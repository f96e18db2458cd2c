#include "coordinator/status/page.hpp"

#include <openssl/evp.h>

#include <array>

namespace entrain::status {
namespace {

// 'sha256-...' of what stands between <name> and </name>.
std::string source_of(std::string_view html, std::string_view name) {
  const std::string open = '<' + std::string(name) + '>', close = "</" + std::string(name) + '>';
  const std::size_t at = html.find(open), end = html.find(close);
  if (at == html.npos || end == html.npos) return "'none'";
  const auto text = html.substr(at + open.size(), end - at - open.size());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned bytes = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &bytes, EVP_sha256(), nullptr);
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> base64{};
  const int length = EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(bytes));
  return "'sha256-" +
         std::string(reinterpret_cast<const char*>(base64.data()), static_cast<std::size_t>(length)) + '\'';
}

}  // namespace

std::string page_policy(std::string_view html) {
  return "default-src 'none'; style-src " + source_of(html, "style") + "; script-src " +
         source_of(html, "script") +
         "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
}

}  // namespace entrain::status
