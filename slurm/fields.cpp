#include "slurm/fields.hpp"

namespace entrain::slurm {

std::vector<std::string> split(std::string_view text, char between) {
  std::vector<std::string> out;
  for (std::size_t at; (at = text.find(between)) != std::string_view::npos; text.remove_prefix(at + 1))
    out.emplace_back(text.substr(0, at));
  out.emplace_back(text);
  return out;
}

std::string field_of(std::string_view text, std::string_view name) {
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string_view::npos; at += name.size()) {
    if (at > 0 && text[at - 1] != ' ' && text[at - 1] != '\n') continue;
    std::size_t value = at + name.size();
    while (value < text.size() && text[value] == ' ') ++value;
    if (value == text.size() || text[value] != '=') continue;
    if (++value < text.size() && text[value] == ' ' && value > at + name.size() + 1) ++value;
    const std::string_view word = text.substr(value, text.find_first_of(" \n", value) - value);
    return word == "(null)" ? "" : std::string(word);
  }
  return "";
}

}  // namespace entrain::slurm
