#include "slurm/quote.hpp"

#include <algorithm>
#include <cstdio>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"

namespace entrain::slurm {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-./:=,+@%").find(c) != std::string_view::npos;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

std::string bash_quote(const std::string& text) {
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return text;
  const bool control = std::any_of(text.begin(), text.end(), is_control);
  std::string out = control ? "$'" : "'";
  for (const char c : text) {
    if (control && is_control(c)) {
      char code[5];
      std::snprintf(code, sizeof code, "\\%03o", static_cast<unsigned>(c));
      out += c == '\n' ? "\\n" : code;
    } else if (control && (c == '\'' || c == '\\')) {
      (out += '\\') += c;
    } else if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + '\'';
}

std::string sbatch_quote(const std::string& text, const std::string& what) {
  if (std::any_of(text.begin(), text.end(), is_control))
    throw ConfigError(cat(what, ": want one line without control characters, got \"", printable(text), '"'));
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace entrain::slurm
