#include "configs/yaml_tree.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain {
namespace {

namespace fs = std::filesystem;
constexpr const char* kCommandLine = "command line";

// yaml-cpp counts lines and columns from 0.
std::string position(const std::string& path, const YAML::Mark& mark) {
  return mark.is_null() ? path : cat(path, ':', mark.line + 1, ':', mark.column + 1);
}

std::string expand_environment(const std::string& text, const std::string& where) {
  std::string out;
  std::size_t from = 0;
  for (std::size_t at; (at = text.find("${", from)) != std::string::npos;) {
    const std::size_t end = text.find('}', at), colon = text.find(':', at);
    const std::string kind =
        colon < end && end != std::string::npos ? text.substr(at + 2, colon - at - 2) : "";
    if (kind != "env" && kind != "oc.env")
      throw ConfigError(cat(where, ": \"", text, "\": only ${env:VARIABLE} is expanded"));
    const std::string name = text.substr(colon + 1, end - colon - 1);
    const char* value = std::getenv(name.c_str());
    if (!value) throw ConfigError(cat(where, ": \"", text, "\": the environment has no variable ", name));
    if (std::string_view(value).find("${") != std::string_view::npos)
      throw ConfigError(cat(where, ": \"", text, "\": the value of ", name, " itself holds ${"));
    out += text.substr(from, at - from) + value;
    from = end + 1;
  }
  return out + text.substr(from);
}

RawScalar raw_scalar(const YAML::Node& node, const std::string& where) {
  // A quoted scalar carries the tag "!", a plain one "?".
  return {expand_environment(node.Scalar(), where), node.Tag() == "!", where};
}

RawValue raw_value(const YAML::Node& node, const std::string& path, bool command_line) {
  const auto at = [&](const YAML::Node& n) { return command_line ? kCommandLine : position(path, n.Mark()); };
  RawValue out;
  out.where = at(node);
  out.command_line = command_line;
  if (node.IsScalar()) {
    out.kind = RawValue::Kind::kScalar;
    out.items.push_back(raw_scalar(node, out.where));
  } else if (node.IsSequence()) {
    out.kind = RawValue::Kind::kList;
    for (const auto& item : node) {
      if (item.IsScalar())
        out.items.push_back(raw_scalar(item, at(item)));
      else
        out.kind = RawValue::Kind::kNested;
    }
  } else if (node.IsMap()) {
    out.kind = RawValue::Kind::kNested;
  }
  return out;
}

// Two keys of which one replaces the other: a later layer that sets one takes back the other of an earlier
// layer.
constexpr std::array<std::array<const char*, 3>, 2> kEitherOr{
    {{"train", "steps", "epochs"}, {"schedule", "warmup_steps", "warmup_epochs"}}};

bool sets(const ConfigTree& tree, const std::string& section, const std::string& key) {
  const auto found = tree.find(section);
  if (found == tree.end()) return false;
  const auto entry = found->second.entries.find(key);
  if (entry == found->second.entries.end() || entry->second.items.size() != 1) return false;
  return entry->second.items[0].text != "0" && entry->second.items[0].text != "-1";
}

void put_over(ConfigTree& base, const ConfigTree& over) {
  for (const auto& [section, one, other] : kEitherOr) {
    const bool first = sets(over, section, one), second = sets(over, section, other);
    if (first != second) base[section].entries.erase(first ? other : one);
  }
  for (const auto& [name, section] : over) {
    base[name].where = section.where;
    for (const auto& [key, value] : section.entries) base[name].entries[key] = value;
  }
}

YAML::Node load_document(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) throw ConfigError(cat(path, ": is a folder, want a YAML file"));
  std::ifstream in(path, std::ios::binary);
  if (!in) throw ConfigError(cat(path, ": cannot open this configuration file (", std::strerror(errno), ")"));
  std::ostringstream text;
  text << in.rdbuf();
  try {
    const auto documents = YAML::LoadAll(text.str());
    if (documents.empty()) throw ConfigError(cat(path, ": holds no settings"));
    if (documents.size() > 1)
      throw ConfigError(cat(path, ": holds ", documents.size(), " YAML documents, want one"));
    return documents[0];
  } catch (const YAML::Exception& e) {
    throw ConfigError(cat(position(path, e.mark), ": not YAML: ", e.msg));
  }
}

void refuse_duplicate(std::map<std::string, std::string>& seen, const std::string& name,
                      const std::string& where) {
  const auto [earlier, fresh] = seen.emplace(name.substr(name.rfind(':') + 1), where);
  if (!fresh)
    throw ConfigError(
        cat(where, ": ", name.substr(name.rfind(':') + 1), ": given twice; first at ", earlier->second));
}

RawSection read_section(const std::string& name, const YAML::Node& node, const std::string& path) {
  RawSection out;
  if (node.IsNull()) return out;
  if (!node.IsMap())
    throw ConfigError(cat(position(path, node.Mark()), ": ", name, ": want a mapping of keys to values"));
  std::map<std::string, std::string> seen;
  for (const auto& entry : node) {
    const std::string where = position(path, entry.first.Mark());
    if (!entry.first.IsScalar()) throw ConfigError(cat(where, ": ", name, ": want a plain key"));
    const std::string key = entry.first.Scalar();
    refuse_duplicate(seen, cat(name, '.', key), where);
    try {
      RawValue value = raw_value(entry.second, path, false);
      value.key_where = value.origin = where;
      out.entries.emplace(key, std::move(value));
    } catch (const ConfigError& e) {
      const std::string text = e.what();  // "file:line:column: reason": the key belongs in between
      const std::string at = position(path, entry.second.Mark());
      throw ConfigError(text.rfind(at, 0) == 0 ? cat(at, ": ", name, '.', key, text.substr(at.size()))
                                               : text);
    }
  }
  return out;
}

ConfigTree read_file(const std::string& path, std::vector<std::string>& open) {
  if (std::find(open.begin(), open.end(), path) != open.end())
    throw ConfigError(cat(path, ": includes itself: ", join(open, " -> "), " -> ", path));
  open.push_back(path);
  const YAML::Node document = load_document(path);
  if (!document.IsMap()) throw ConfigError(cat(path, ": want sections (run, data, views, ...) at the top"));
  ConfigTree tree, own;
  std::map<std::string, std::string> seen;
  for (const auto& entry : document) {
    const std::string where = position(path, entry.first.Mark());
    if (!entry.first.IsScalar()) throw ConfigError(cat(where, ": want the name of a section"));
    const std::string name = entry.first.Scalar();
    refuse_duplicate(seen, name, where);
    if (name == "include") {
      const RawValue files = raw_value(entry.second, path, false);
      if (files.items.empty() || files.kind == RawValue::Kind::kNested)
        throw ConfigError(cat(files.where, ": include: want a file or a list of files"));
      for (const auto& file : files.items)
        put_over(tree,
                 read_file((fs::path(path).parent_path() / file.text).lexically_normal().string(), open));
    } else {
      own[name] = read_section(name, entry.second, path);
      own[name].where = where;
    }
  }
  put_over(tree, own);
  open.pop_back();
  return tree;
}

// A list, or a text in quotes. "[::1]:8080" is an address, which no list can begin.
bool is_yaml(const std::string& given) {
  if (given.empty() || std::string_view("[\"'").find(given[0]) == std::string_view::npos) return false;
  return given[0] != '[' || given.back() == ']' || given.find("]:") == std::string::npos;
}

}  // namespace

ConfigTree read_yaml_tree(const std::string& path) {
  std::vector<std::string> open;
  return read_file(path, open);
}

void apply_overrides(ConfigTree& tree, const std::vector<std::string>& overrides) {
  ConfigTree layer;
  for (const auto& text : overrides) {
    const std::size_t equals = text.find('='), dot = text.find('.');
    if (equals == std::string::npos || dot == std::string::npos || dot == 0 || dot + 1 >= equals)
      throw ConfigError(cat(kCommandLine, ": \"", text, "\": want section.key=value, as in batch.lanes=8"));
    const std::string section = text.substr(0, dot), key = text.substr(dot + 1, equals - dot - 1);
    const std::string given = text.substr(equals + 1);
    RawValue value;
    try {
      value = raw_value(is_yaml(given) ? YAML::Load(given) : YAML::Node(given), "", true);
    } catch (const YAML::Exception& e) {
      throw ConfigError(cat(kCommandLine, ": ", section, '.', key, ": \"", given, "\" is not YAML: ", e.msg));
    }
    value.key_where = value.origin = kCommandLine;
    layer[section].where = kCommandLine;
    layer[section].entries[key] = std::move(value);
  }
  put_over(tree, layer);
}

}  // namespace entrain
