#pragma once
#include <string>
#include <string_view>

namespace entrain::status {

/// page.html as it is in the source tree: the whole status page, without anything from elsewhere.
std::string_view page_html();

/// The Content-Security-Policy that lets a page run the style and script written in it (by their SHA-256) and nothing
/// else.
std::string page_policy(std::string_view html);

}  // namespace entrain::status
