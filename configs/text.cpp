#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <numeric>

#include "configs/section.hpp"

namespace entrain {
namespace {

// Edits (insert, drop, change one letter, swap two neighbours) that turn a into b: optimal string alignment.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

bool safe_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '/' ||
         c == '.' || c == '-';
}

// Words that YAML 1.1 readers (PyYAML among them) do not read as text.
bool reserved(std::string word) {
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  constexpr std::array kWords{"true", "false", "yes",  "no",   "on",   "off",
                              "y",    "n",     "null", ".nan", ".inf", "-.inf"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

// Bytes of the character that begins at text[i]; 0: not UTF-8. The table of RFC 3629: neither overlong nor surrogate.
std::size_t utf8_length(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U; };
  const auto within = [&](std::size_t k, unsigned low, unsigned high) {
    return low <= byte(k) && byte(k) <= high;
  };
  const unsigned first = byte(i);
  if (first < 0x80) return 1;
  if (0xC2 <= first && first <= 0xDF) return within(i + 1, 0x80, 0xBF) ? 2 : 0;
  if (0xE0 <= first && first <= 0xEF)
    return within(i + 1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF) &&
                   within(i + 2, 0x80, 0xBF)
               ? 3
               : 0;
  if (0xF0 <= first && first <= 0xF4)
    return within(i + 1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF) &&
                   within(i + 2, 0x80, 0xBF) && within(i + 3, 0x80, 0xBF)
               ? 4
               : 0;
  return 0;
}

constexpr std::string_view kHex = "0123456789abcdef";

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::size_t length = utf8_length(text, i);
    if (length == 0 || byte < 0x20 || byte == 0x7f)
      ((out += "\\x") += kHex[byte >> 4]) += kHex[byte & 15];
    else
      out += text.substr(i, length);
    i += std::max<std::size_t>(length, 1);
  }
  return out;
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : known) {
    const std::size_t edits = edit_distance(word, candidate);
    if (edits < least && edits < std::max(word.size(), candidate.size())) least = edits, best = candidate;
  }
  return best;
}

std::string join(const std::vector<std::string>& words, std::string_view between) {
  std::string out;
  for (const auto& word : words) {
    if (!out.empty()) out += between;
    out += word;
  }
  return out;
}

std::string yaml_text(const std::string& text) {
  const bool letters = std::all_of(text.begin(), text.end(), safe_letter);
  const bool starts_like_text =
      !text.empty() && ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z') ||
                        text[0] == '/' || text[0] == '_');
  if (letters && starts_like_text && !reserved(text)) return text;
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (byte < 0x20 || byte == 0x7f)
      ((out += "\\x") += kHex[byte >> 4]) += kHex[byte & 15];
    else
      out += c;
  }
  return out + '"';
}

std::string number_text(double value) {
  std::array<char, 40> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  std::string text(buffer.data(), end);
  // YAML 1.1 readers (PyYAML) take 1e-06 for text and 1.0e-06 for a number.
  const std::size_t e = text.find('e');
  return e != std::string::npos && text.find('.') == std::string::npos ? text.insert(e, ".0") : text;
}

}  // namespace entrain
