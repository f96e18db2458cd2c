#include "slurm/sweep.hpp"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "slurm/fields.hpp"

namespace entrain::slurm {
namespace {

using Json = nlohmann::ordered_json;

// As apply_overrides() reads it: text that begins like YAML is YAML, all else is the value as it stands.
std::string value_word(const Json& value, const std::string& where) {
  if (value.is_object() || value.is_null())
    throw ConfigError(cat(where, ": want a number, a text, true, false or a list, got ", value.dump()));
  if (!value.is_string()) return value.dump();
  const auto text = value.get<std::string>();
  return !text.empty() && std::string_view("[\"'").find(text[0]) != std::string_view::npos ? value.dump()
                                                                                           : text;
}

SweepRow row_of(const std::string& text, const std::string& where) {
  const Json line = Json::parse(text, nullptr, false);
  if (!line.is_object() || line.empty())
    throw ConfigError(
        cat(where, ": want one JSON object of settings, as in {\"optim.lr\": 0.1}, got \"", text, '"'));
  SweepRow row;
  for (const auto& [key, value] : line.items())
    row.push_back(cat(key, '=', value_word(value, cat(where, ": ", key))));
  return row;
}

std::vector<SweepRow> read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw ConfigError(cat("--sweep ", path, ": cannot be read"));
  std::vector<SweepRow> rows;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") != std::string::npos)
      rows.push_back(row_of(line, cat(path, ':', number)));
  }
  if (rows.empty()) throw ConfigError(cat("--sweep ", path, ": holds no row"));
  return rows;
}

}  // namespace

std::vector<SweepRow> read_sweep(const std::vector<std::string>& words) {
  std::error_code none;
  if (words.size() == 1 && std::filesystem::is_regular_file(words[0], none)) return read_file(words[0]);
  std::vector<SweepRow> rows{{}};
  for (const auto& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0)
      throw ConfigError(
          cat("--sweep ", word,
              ": want a file of JSON lines that is there, or key=a,b,c as in optim.lr=0.1,0.3"));
    std::vector<SweepRow> more;
    for (const auto& row : rows)
      for (const auto& value : split(word.substr(equals + 1), ',')) {
        if (value.empty()) throw ConfigError(cat("--sweep ", word, ": a value is empty"));
        more.push_back(row);
        more.back().push_back(word.substr(0, equals + 1) + value);
      }
    rows = std::move(more);
    if (rows.size() > 100'000)
      throw ConfigError(cat("--sweep: more than 100000 rows, of ", words.size(), " keys"));
  }
  return rows;
}

std::string sweep_text(const std::vector<SweepRow>& rows) {
  std::string out;
  for (const auto& row : rows) {
    Json line = Json::object();
    for (const auto& word : row) line[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
    out += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
  }
  return out;
}

}  // namespace entrain::slurm
