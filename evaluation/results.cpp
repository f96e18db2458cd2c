// Reading the metrics.json files that `entrain report` is given.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <tuple>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "evaluation/study.hpp"

namespace entrain::evaluation {
namespace fs = std::filesystem;
namespace {

template <typename T>
T field(const nlohmann::json& json, const std::string& path, const char* key, T fallback) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return fallback;
  try {
    return found->get<T>();
  } catch (const nlohmann::json::exception&) {
    throw DataError(
        cat(path, ": \"", key, "\" is ", found->dump(), ", which is not what entrain evaluate writes"));
  }
}

nlohmann::json read_json(const std::string& path) {
  std::ifstream in(path);
  auto json = nlohmann::json::parse(in, nullptr, false);
  if (!json.is_object()) throw DataError(cat(path, ": is not a JSON object"));
  return json;
}

Result result_of(const std::string& dir, const nlohmann::json& json) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::string path = dir + "/metrics.json";
  if (!json.contains("auc")) throw DataError(cat(path, ": has no \"auc\", so no evaluate run wrote it"));
  Result r;
  r.dir = dir;
  r.corpus = field<std::string>(json, path, "name", fs::path(dir).filename());
  r.mode = field<std::string>(json, path, "mode", "unknown");
  r.init = field<std::string>(json, path, "init", "unknown");
  r.fraction = field(json, path, "label_fraction", 1.0);
  r.repeat = field<std::int64_t>(json, path, "repeat", 0);
  r.n = field<std::int64_t>(json, path, "n", 0);
  r.groups = field<std::int64_t>(json, path, "groups", r.n);
  r.positives = field<std::int64_t>(json, path, "positives", -1);
  r.train_groups = field<std::int64_t>(json, path, "train_groups", -1);
  r.train_images = field<std::int64_t>(json, path, "train_images", -1);
  r.auc = field(json, path, "auc", kNan);
  r.leakage = field(json, path, "leakage", false);
  const auto interval = field<nlohmann::json>(json, path, "auc_ci", nlohmann::json::array());
  const bool whole =
      interval.is_array() && interval.size() == 2 && interval[0].is_number() && interval[1].is_number();
  r.low = whole ? interval[0].get<double>() : kNan;
  r.high = whole ? interval[1].get<double>() : kNan;
  if (!(r.fraction > 0 && r.fraction <= 1))
    throw DataError(
        cat(path, ": \"label_fraction\" is ", r.fraction, ", want a number above 0 and at most 1"));
  r.metrics = json;
  return r;
}

void search(const std::string& dir, int depth, std::vector<Result>& results) {
  const std::string path = dir + "/metrics.json";
  if (fs::exists(path)) {
    const auto json = read_json(path);
    if (json.contains("auc") && json.contains("auc_ci")) {
      results.push_back(result_of(dir, json));
      return;
    }
  }
  if (depth == 0) return;  // else that of a fine-tuning: its evaluations may lie below
  std::vector<std::string> below;
  for (const auto& entry : fs::directory_iterator(dir))
    if (entry.is_directory()) below.push_back(entry.path());
  std::sort(below.begin(), below.end());
  for (const auto& folder : below) search(folder, depth - 1, results);
}

auto place(const Result& r) { return std::tie(r.corpus, r.mode, r.init, r.fraction, r.repeat); }

}  // namespace

std::vector<Result> read_results(const std::vector<std::string>& dirs) {
  std::vector<Result> results;
  for (std::size_t given = 0; given < dirs.size(); ++given) {
    const std::string dir = fs::path(dirs[given] + "/").lexically_normal().parent_path();
    if (!fs::is_directory(dir)) throw DataError(cat(dir, ": no such folder"));
    const bool has_its_own = fs::exists(dir + "/metrics.json");
    if (has_its_own && read_json(dir + "/metrics.json").contains("auc")) {
      results.push_back(result_of(dir, read_json(dir + "/metrics.json")));
      results.back().given = given;
      continue;
    }
    const std::size_t before = results.size();
    search(dir, 4, results);
    for (std::size_t i = before; i < results.size(); ++i) results[i].given = given;
    if (results.size() == before && has_its_own)
      result_of(dir, read_json(dir + "/metrics.json"));  // says why not
    if (results.size() == before)
      throw DataError(cat(dir, ": no metrics.json of an evaluate run in it or below"));
  }
  std::set<std::string> seen;  // a folder may be named twice, or lie in another that is named
  std::erase_if(results, [&](const Result& r) { return !seen.insert(fs::canonical(r.dir)).second; });
  std::sort(results.begin(), results.end(),
            [](const Result& a, const Result& b) { return place(a) < place(b); });
  const auto twice = std::adjacent_find(
      results.begin(), results.end(), [](const Result& a, const Result& b) { return place(a) == place(b); });
  if (twice != results.end())
    throw DataError(
        cat(twice->dir, " and ", (twice + 1)->dir, ": both are ", twice->corpus, ", ", twice->mode, ", ",
            twice->init, ", ", percent(twice->fraction), ", repeat ", twice->repeat,
            "; leave one of them out, or evaluate one again with evaluate.name=NAME (what tables call "
            "its corpus) and a run.dir of its own"));
  return results;
}

}  // namespace entrain::evaluation
