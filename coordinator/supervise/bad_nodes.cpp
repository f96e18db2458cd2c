#include "coordinator/supervise/bad_nodes.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "checkpoint/atomic_file.hpp"
#include "checkpoint/json_member.hpp"
#include "coordinator/status/utc_time.hpp"

namespace entrain::supervise {
namespace {

// It goes into a command line of Slurm's.
bool is_name(const std::string& text) {
  return !text.empty() && text[0] != '-' && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

std::string line_of(const NotedNode& n) {
  nlohmann::ordered_json line;
  line["node"] = n.node;
  line["why"] = n.why;
  line["job"] = n.job;
  line["at"] = n.at;
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string bad_nodes_path(const std::string& run_dir) { return run_dir + "/bad_nodes.json"; }

std::vector<NotedNode> noted_nodes(const std::string& run_dir) {
  std::stringstream text;
  text << std::ifstream(bad_nodes_path(run_dir)).rdbuf();
  const auto list = nlohmann::json::parse(text.str(), nullptr, false);
  std::vector<NotedNode> out;
  if (!list.is_array()) return out;
  for (const auto& entry : list) {
    const auto member = [&](const char* key) { return checkpoint::text_of(entry, key); };
    if (is_name(member("node"))) out.push_back({member("node"), member("why"), member("job"), member("at")});
  }
  return out;
}

void note_nodes(const std::string& run_dir, const std::vector<NotedNode>& found) {
  auto all = noted_nodes(run_dir);
  for (const auto& n : found) {
    std::erase_if(all, [&](const NotedNode& old) { return old.node == n.node; });
    all.push_back(n);
  }
  // One line each: the job's script reads it without a parser.
  std::string text;
  for (const auto& n : all) text += (text.empty() ? "[\n" : ",\n") + line_of(n);
  checkpoint::write_file_atomically(bad_nodes_path(run_dir), text + "\n]\n");
}

std::vector<NotedNode> young_nodes(const std::vector<NotedNode>& noted, std::string_view now) {
  std::vector<NotedNode> out;
  for (const auto& n : noted)
    if (const auto age = status::seconds_between(n.at, now); age && *age < kForgetSeconds) out.push_back(n);
  return out;
}

}  // namespace entrain::supervise
