#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <sstream>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"
#include "coordinator/cluster_gpus.hpp"
#include "coordinator/cluster_links.hpp"

namespace entrain::coordinator {
namespace {

struct Key {
  const char* name;
  double most;  // 0: text
  std::function<void(Cluster&, double)> set;
};

const std::vector<Key>& keys() {
  static const std::vector<Key> all{
      {"nodes", 1e5, [](Cluster& c, double v) { c.nodes = std::llround(v); }},
      {"gpus", 64, [](Cluster& c, double v) { c.gpus = std::llround(v); }},
      {"gpu", 0, {}},
      {"views_per_s", 1e9, [](Cluster& c, double v) { c.views_per_s = v; }},
      {"alpha_us", 1e6, [](Cluster& c, double v) { c.inter_alpha_s = v * 1e-6; }},
      {"beta_gbs", 1e6, [](Cluster& c, double v) { c.inter_rate = v * 1e9; }},
      {"intra_alpha_us", 1e6, [](Cluster& c, double v) { c.intra_alpha_s = v * 1e-6; }},
      {"intra_beta_gbs", 1e6, [](Cluster& c, double v) { c.intra_rate = v * 1e9; }},
      {"price_per_gpu_hour", 1e6, [](Cluster& c, double v) { c.price_per_gpu_hour = v; }},
  };
  return all;
}

std::vector<std::string> key_names() {
  std::vector<std::string> names;
  for (const Key& key : keys()) names.emplace_back(key.name);
  return names;
}

[[noreturn]] void fail(const std::string& what) { throw ConfigError(cat("entrain plan: --cluster: ", what)); }

double number_of(const Key& key, const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string name = key.name;
  const bool counts = name == "nodes" || name == "gpus";
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0) || value > key.most ||
      (counts && value != std::floor(value)))
    fail(cat(name, ": want ", counts ? "a whole number from 1 to " : "a number above 0 and at most ",
             static_cast<std::int64_t>(key.most), ", got \"", text, '"'));
  return value;
}

void set_key(Cluster& cluster, const std::string& name, const std::string& text) {
  const auto key = std::find_if(keys().begin(), keys().end(), [&](const Key& k) { return name == k.name; });
  if (key == keys().end()) {
    const std::string near = nearest(name, key_names());
    fail(cat("no key \"", name, '"', near.empty() ? ";" : cat("; did you mean ", near, '?'),
             " it knows: ", join(key_names())));
  }
  if (cluster.was_given(name)) fail(cat(name, " is given twice; leave one of them out"));
  cluster.given.push_back(name);
  if (key->set)
    key->set(cluster, number_of(*key, text));
  else if (!find_gpu(text))
    fail(cat("gpu: no speed is assumed for \"", text, "\"; known are ", join(gpu_names()),
             "; for others give views_per_s as measured"));
  else
    cluster.gpu = text;
}

}  // namespace

bool Cluster::was_given(const std::string& key) const {
  return std::find(given.begin(), given.end(), key) != given.end();
}

Cluster parse_cluster(const std::string& text) {
  Cluster cluster;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos)
      fail(cat("want key=value, got \"", word, "\"; it knows: ", join(key_names())));
    set_key(cluster, word.substr(0, equals), word.substr(equals + 1));
  }
  for (const char* key : {"nodes", "gpus"})
    if (!cluster.was_given(key))
      fail(cat("want nodes=N,gpus=N (per node), got no ", key, " in \"", text, '"'));
  return cluster;
}

}  // namespace entrain::coordinator
