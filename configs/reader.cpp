#include "configs/reader.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "configs/cat.hpp"
#include "configs/schema.hpp"

namespace entrain {
namespace {

constexpr const char* kAbsent = "absent";

// Keys that runs of earlier versions lack, and what those did.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kCameLater{
    {{"run.precision", "fp32"}, {"data.order", "auto"}}};

std::string value_of(const std::map<std::string, std::string>& values, const std::string& key) {
  if (const auto found = values.find(key); found != values.end()) return found->second;
  for (const auto& [later, value] : kCameLater)
    if (key == later) return std::string(value);
  return kAbsent;
}

bool determines_bits(const std::string& key) {
  constexpr std::array<std::string_view, 6> kSections{"views.", "model.", "method.",
                                                      "batch.", "optim.", "schedule."};
  constexpr std::array<std::string_view, 11> kKeys{
      "run.seed",        "run.numerics",     "run.precision",   "data.image",  "data.axes",   "data.order",
      "data.window_low", "data.window_high", "data.use_splits", "train.steps", "train.epochs"};
  if (key == "views.preset") return false;  // a name for values that are all compared themselves
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end() ||
         std::any_of(kSections.begin(), kSections.end(),
                     [&](std::string_view s) { return key.rfind(s, 0) == 0; });
}

}  // namespace

ResolvedConfig read_run_config(const std::string& path, const std::vector<std::string>& overrides) {
  ConfigTree tree = path.empty() ? ConfigTree{} : read_yaml_tree(path);
  apply_overrides(tree, overrides);
  Reading reading;
  ResolvedConfig out;
  out.config = read_sections(std::move(tree), reading);
  out.keys = std::move(reading.keys);
  out.values = std::move(reading.values);
  out.origins = std::move(reading.origins);
  return out;
}

std::string ResolvedConfig::yaml() const {
  std::string out = "# Every setting of this run, and where its value came from.\n", section;
  for (const auto& key : keys) {
    const std::string name = key.substr(0, key.find('.'));
    if (name != section) out += cat(name, ":\n");
    section = name;
    std::string line = cat("  ", key.substr(name.size() + 1), ": ", values.at(key));
    line.resize(std::max<std::size_t>(line.size(), 39), ' ');
    out += cat(line, " # ", origins.at(key), '\n');
  }
  return out;
}

std::vector<std::string> differing_keys(const std::map<std::string, std::string>& saved,
                                        const std::map<std::string, std::string>& now) {
  std::set<std::string> keys;
  for (const auto& [key, value] : saved) keys.insert(key);
  for (const auto& [key, value] : now) keys.insert(key);
  // Only a schedule that depends on the end makes the length part of the bits.
  const bool endless =
      value_of(saved, "schedule.name") == "constant" && value_of(now, "schedule.name") == "constant";
  std::vector<std::string> out;
  for (const auto& key : keys)
    if (determines_bits(key) && value_of(saved, key) != value_of(now, key) &&
        !(endless && key.rfind("train.", 0) == 0))
      out.push_back(key);
  return out;
}

std::string describe_differences(const std::map<std::string, std::string>& saved,
                                 const std::map<std::string, std::string>& now) {
  std::string out;
  for (const auto& key : differing_keys(saved, now))
    out += cat(out.empty() ? "" : "; ", key, " was ", value_of(saved, key), " and is ", value_of(now, key));
  return out;
}

}  // namespace entrain
